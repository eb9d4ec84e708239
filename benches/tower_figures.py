"""Measure the speed of CLIP ViT-B/32 and its agreement with the reference: the figures of docs/MODELS.md,
Speed.

    python -m benches.tower_figures [--only text parity pixels index] [--count 2000] [--photographs FOLDER]
        [--work FOLDER]

Needs `torch` and `transformers` in addition to the project (2.15 and 5.23 were used): they make the towers,
at true size and with random weights, and compute the reference vectors. `--work` keeps the towers for the
next run.

* text: p50 of one query through the `Encoder`, tokenizer included, by number of ids, precision and threads;
* parity: cosine between the `Encoder`'s vectors and the framework's own forward pass;
* pixels: 40 pictures of 13 kinds against Hugging Face's own image processor on Pillow. The reference is given
  what this project decides before that: upright pictures, transparency on white;
* index: `Library.build` over `--count` JPEG files of 3 to 12 megapixels, compared with the bare image tower.
"""

import argparse
import io
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from benches.photographs import DEMO, every_kind, write_photographs
from snapseek import Encoder, Library
from snapseek.images import make_preview, open_image
from snapseek.models.image.image_processor import ImageProcessor
from snapseek.sources.picture import content_hash
from snapseek.threads import available_cores

LENGTHS = (4, 6, 10, 16, 77)
KINDS = 40


def main() -> None:
    options = _options()
    if options.built:
        _build_and_tell(*options.built)
        return
    print(f"{_processor()}, {available_cores()} cores, Python {platform.python_version()}", flush=True)
    with _work_folder(options.work) as work:
        if not (work / "int8").is_dir():
            _write_towers(work)
        for section in options.only:
            print(f"\n{section}", flush=True)
            _SECTIONS[section](work, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=_SECTIONS, default=list(_SECTIONS))
    parser.add_argument("--count", type=int, default=2000, help="pictures to index")
    parser.add_argument(
        "--photographs", type=Path, help="folder of pictures to index, instead of making some"
    )
    parser.add_argument("--bare", type=int, default=320, help="pictures through the bare tower")
    parser.add_argument("--work", type=Path, help="where the towers stay")
    parser.add_argument("--built", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


@contextmanager
def _work_folder(work: Path | None) -> Iterator[Path]:
    if work:
        yield work
    else:
        with tempfile.TemporaryDirectory() as work:
            yield Path(work)


def _write_towers(work: Path) -> None:
    """`fp32` with both towers; `int8` with the text tower quantised as the hub's exports are."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    from benches.clip_towers import write_clip

    write_clip(work / "fp32")
    shutil.copytree(work / "fp32", work / "int8")
    text = work / "int8" / "onnx" / "text_model.onnx"
    quantize_dynamic(work / "fp32" / "onnx" / "text_model.onnx", text, weight_type=QuantType.QInt8)


# --- text ---


def _print_text(work: Path, _: argparse.Namespace) -> None:
    print("p50 ms of one query   " + "".join(f"{length:>4} ids" for length in LENGTHS) + "   6 v 77")
    for precision in ("fp32", "int8"):
        for threads in (1, 2):
            encoder = Encoder.load(work / precision, threads=threads)
            if not encoder.text.config.unpadded:
                raise RuntimeError("expected a tower that needs no padding")
            times = [_p50_ms(encoder, length) for length in LENGTHS]
            shown = "".join(f"{ms:8.2f}" for ms in times)
            print(f"{precision}, threads: {threads}      {shown}   {times[-1] / times[1]:.1f} x")
    print(f"n = 200 a figure, 60 for 77 ids; load average {os.getloadavg()[0]:.1f}")


def _p50_ms(encoder: Encoder, length: int) -> float:
    rng = np.random.default_rng(length)
    spent = []
    for turn in range(66 if length > 16 else 206):
        text = _words(rng, length - 2)
        start = time.perf_counter()
        encoder.embed_texts([text])
        if turn >= 6:  # the first ones warm up
            spent.append(1000 * (time.perf_counter() - start))
    return median(spent)


def _words(rng: np.random.Generator, count: int) -> str:
    return " ".join("".join(rng.choice(list("abcdefghij"), 4)) for _ in range(count))


# --- parity ---


def _print_parity(work: Path, _: argparse.Namespace) -> None:
    import torch

    from benches.clip_towers import ImageTower, TextTower

    encoder, rng = Encoder.load(work / "fp32"), np.random.default_rng(3)
    text, image = TextTower(), ImageTower()
    texts = [_words(rng, count) for count in (1, 2, 4, 4, 8, 14, 30, 75)]
    tokens = [encoder.text.tokenizer.ids([each])[0] for each in texts]
    full = torch.tensor([ids + [ids[-1]] * (77 - len(ids)) for ids in tokens])
    pictures = [open_image(path).image for path in DEMO[:8]]
    with torch.no_grad():
        words = _unit(text(full).numpy())
        pixels = np.stack([_reference(each) for each in pictures])
        seen = _unit(image(torch.from_numpy(pixels)).numpy())
    ours, shown = encoder.embed_texts(texts), encoder.embed_images(pictures)
    print(f"text:  lowest cosine with the framework {_lowest(words, ours):.6f}, n = 8; {_between(ours)}")
    print(f"image: lowest cosine with the framework {_lowest(seen, shown):.6f}, n = 8; {_between(shown)}")
    int8 = Encoder.load(work / "int8").embed_texts(texts)
    print(f"text in int8: lowest cosine with fp32 {_lowest(ours, int8):.4f} (random weights)")


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def _lowest(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    return float((first * second).sum(axis=1).min())


def _between(rows: NDArray[np.float32]) -> str:
    others = (rows @ rows.T)[~np.eye(len(rows), dtype=bool)]
    return f"between different ones {others.mean():.4f} on average"


# --- pixels ---


def _print_pixels(work: Path, _: argparse.Namespace) -> None:
    clip, starter = Encoder.load(work / "fp32"), Encoder.load()
    policy = ImageProcessor.from_config(json.loads((work / "fp32" / "preprocessor_config.json").read_text()))
    files = list(every_kind(KINDS))
    references = [_reference(_as_reference_reads(data)) for _, data in files]
    wanted = np.concatenate([_vector_of(clip, tensor) for tensor in references])
    levels = np.array(policy.std)[:, None, None] * 255
    for name, side in (("without draft", None), ("with draft", policy.resize_px)):
        images = [open_image(data, min_side=side).image for _, data in files]
        apart = np.stack([np.abs(policy.tensor(i) - r) for i, r in zip(images, references, strict=True)])
        print(f"{name}: tensor differs by {apart.max():.4f} at most, {apart.mean():.6f} on average;")
        apart *= levels
        print(f"    in levels of 255: {apart.max():.2f} at most, {apart.mean():.4f} on average")
        _print_worst(files, apart.mean(axis=(1, 2, 3)))
        print(f"    random ViT-B/32: lowest cosine {_lowest(wanted, clip.embed_images(images)):.6f}")
        trained = starter.embed_images([_as_reference_reads(data) for _, data in files])
        again = [open_image(data, min_side=side and starter.image.picture_side_px).image for _, data in files]
        print(f"    starter (trained): lowest cosine {_lowest(trained, starter.embed_images(again)):.6f}")
    print(f"random ViT-B/32 {_between(wanted)}; starter {_between(trained)}; n = {KINDS}")


def _print_worst(files: list[tuple[str, bytes]], means: NDArray[np.float64]) -> None:
    worst = int(means.argmax())
    print(f"    the most on average: {files[worst][0]}, {means[worst]:.3f} levels")


def _as_reference_reads(data: bytes) -> Image.Image:
    """By Pillow alone: upright, transparency on white, RGB."""

    picture = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return picture.convert("RGB")


def _reference(picture: Image.Image) -> NDArray[np.float32]:
    """(3, 224, 224) by Hugging Face's processor: resize, crop the centre, rescale, normalise."""
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    from benches.clip_towers import CLIP_PIXELS

    processor = CLIPImageProcessorPil(**CLIP_PIXELS)
    return np.asarray(processor(picture, return_tensors="np")["pixel_values"][0], np.float32)


def _vector_of(encoder: Encoder, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
    (answer,) = encoder.image.tower.session.run({"pixel_values": tensor[None]}, ["image_embeds"])
    return _unit(answer)


# --- index ---


def _print_index(work: Path, options: argparse.Namespace) -> None:
    cores = available_cores()
    with tempfile.TemporaryDirectory() as temporary:
        folder, library = options.photographs or Path(temporary) / "pictures", Path(temporary) / "library"
        if not folder.is_dir():
            write_photographs(folder, options.count, cores)
        sizes = [path.stat().st_size for path in folder.iterdir()]
        print(f"{len(sizes)} JPEG files of 3 to 12 megapixels, {np.mean(sizes) / 1e6:.2f} MB on average")
        other_ms = _print_parts(sorted(folder.iterdir())[:60], work)
        before = _bare_rates(work, cores, options.bare)
        built = json.loads(_in_a_new_process(folder, library, work / "fp32"))
        after = _bare_rates(work, cores, options.bare)
    rate, cpu_ms = len(sizes) / built["seconds"], 1000 * built["cpu_s"] / len(sizes)
    print(f"Library.build, {cores} threads: {rate:.1f} pictures/s, {cpu_ms:.1f} ms of processor time each")
    peak, loaded = built["peak_mb"], built["loaded_mb"]
    print(f"peak RSS {peak:.0f} MB, {loaded:.0f} before the first picture; load {os.getloadavg()[0]:.1f}")
    for name, first in before.items():
        (bare, bare_ms) = (np.array(first) + after[name]) / 2
        print(
            f"bare tower, {name}: {bare:.1f} pictures/s ({first[0]:.1f} before, {after[name][0]:.1f} after)"
        )
        print(f"    {bare_ms:.1f} ms of processor time: {bare_ms / cpu_ms:.2f} of the index's,", end=" ")
        print(f"{bare_ms / (bare_ms + other_ms):.2f} if nothing but the parts above came to it")
        print(f"    the index reaches {rate / bare:.2f} of its rate")


def _print_parts(paths: list[Path], work: Path) -> float:
    """Processor time of each step that is not the tower, and their sum in milliseconds a picture."""
    policy = ImageProcessor.from_config(json.loads((work / "fp32" / "preprocessor_config.json").read_text()))
    side_px = policy.resize_px
    images = [open_image(path, min_side=side_px).image for path in paths]
    parts: dict[str, Callable[[Path, Image.Image], object]] = {
        "read and hash": lambda path, _: content_hash(path),
        "read and decode": lambda path, _: open_image(path, min_side=side_px),
        "preview": lambda _, image: make_preview(image),
        "resize and normalise": lambda _, image: policy.tensor(image),
    }
    whole_ms = 0.0
    for name, work in parts.items():
        took_ms = min(_thread_ms(work, paths, images) for _ in range(3))
        whole_ms += took_ms
        print(f"{name}: {took_ms:.1f} ms a picture, one core")
    least_ms = min(_thread_ms(_only_decode, paths, images) for _ in range(3))
    print(f"together {whole_ms:.1f} ms; {least_ms:.1f} to decode at an eighth of the sides, the least of all")
    return whole_ms


def _thread_ms(
    work: Callable[[Path, Image.Image], object], paths: list[Path], images: list[Image.Image]
) -> float:
    start = time.thread_time()
    for path, image in zip(paths, images, strict=True):
        work(path, image)
    return 1000 * (time.thread_time() - start) / len(paths)


def _only_decode(path: Path, _: Image.Image) -> None:
    """Every code of the file is read and next to no pixel is made: the least that a decoder can do."""
    with Image.open(path) as picture:
        picture.draft(None, (1, 1))
        picture.load()


def _bare_rates(work: Path, threads: int, bare: int) -> dict[str, tuple[float, float]]:
    """Pictures a second, and milliseconds of processor time a picture."""
    encoder = Encoder.load(work / "fp32")
    image = open_image(DEMO[0], min_side=224).image.resize((224, 224))
    return {f"{size} at a time": _bare_rate(encoder, image, size, threads, bare) for size in (1, 8, 16)}


def _bare_rate(
    encoder: Encoder, image: Image.Image, size: int, threads: int, bare: int
) -> tuple[float, float]:
    """Batches that are ready, from as many threads as the index has."""
    batches = [encoder.image.new_batch(size) for _ in range(threads)]
    for batch in batches:
        for _ in range(size):
            batch.add(image)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(encoder.image.embed_batch, batches))
        rounds = bare // size // threads
        start, cpu_start = time.perf_counter(), time.process_time()
        list(pool.map(encoder.image.embed_batch, batches * rounds))
        seconds, cpu_s = time.perf_counter() - start, time.process_time() - cpu_start
    count = rounds * threads * size
    return count / seconds, 1000 * cpu_s / count


def _in_a_new_process(*arguments: Path) -> str:
    """So that the peak is that of an index alone."""
    command = [sys.executable, "-m", "benches.tower_figures", "--built", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ).stdout


def _build_and_tell(folder: str, library: str, model: str) -> None:
    encoder = Encoder.load(model)
    _ = encoder.fingerprint, encoder.image.batch_size  # what is done once: hashes, loading the tower
    loaded_mb = _peak_mb()
    start, cpu_start = time.perf_counter(), time.process_time()
    built = Library.build(folder, library, encoder=encoder)
    seconds, cpu_s = time.perf_counter() - start, time.process_time() - cpu_start
    if built.info().failed:
        raise RuntimeError("expected every picture to be read")
    print(json.dumps({"seconds": seconds, "cpu_s": cpu_s, "loaded_mb": loaded_mb, "peak_mb": _peak_mb()}))


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


_SECTIONS = {"text": _print_text, "parity": _print_parity, "pixels": _print_pixels, "index": _print_index}

if __name__ == "__main__":
    main()
