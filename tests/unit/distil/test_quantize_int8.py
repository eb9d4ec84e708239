"""The teacher quantized to 8 bits: `snapseek distil --student int8`."""

import json

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

import snapseek.distil.distillation as distillation
from snapseek.distil import Plan, distil
from snapseek.distil.quantize_int8 import round_blocks, write_quantized
from snapseek.errors import InputError, StorageError
from snapseek.library import Library
from snapseek.models import Encoder
from snapseek.models.hub import text_variants
from snapseek.models.hub.known_models import is_known_student
from snapseek.models.onnx.graph import Graph
from tests.conftest import write_pictures
from tests.support.tiny_model import write_tiny_model
from tests.unit.distil.test_distillation import COLORS, PAIRS, TRIPLES
from tests.unit.models.hub.test_text_variants import settle

WORDS, WIDTH, WIDER = 2_000, 64, 128
RNG = np.random.default_rng(4)


def floats(*shape):
    return RNG.normal(size=shape).astype(np.float32)


WEIGHTS = {
    "table": floats(WORDS, WIDTH),
    "up": floats(WIDTH, WIDER),
    "down": floats(WIDTH, WIDER),  # of a Gemm that turns it
    "bias": floats(WIDTH),
    "odd": floats(WIDTH, 48),
    "few": floats(48, 32),
    "pixels": floats(7, WIDTH),
}


def node(op, inputs, output, **how):
    return helper.make_node(op, inputs.split(), [output], **how)


def text_and_image_graph():
    """ids → table → up → down + bias → odd → few; and a picture's part, which shares no node with it."""
    nodes = [
        node("Gather", "table ids", "words"),
        node("ReduceSum", "words axis", "sum", keepdims=0),
        node("MatMul", "sum up", "wide"),
        node("Tanh", "wide", "bent"),
        node("Gemm", "bent down bias", "narrow", transB=1),
        node("MatMul", "narrow odd", "three"),
        node("MatMul", "three few", "text_embeds"),
        node("MatMul", "pictures pixels", "image_embeds"),
    ]
    ports = [
        helper.make_tensor_value_info("ids", TensorProto.INT64, ["N", "L"]),
        helper.make_tensor_value_info("pictures", TensorProto.FLOAT, ["N", 7]),
    ]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", width])
        for name, width in (("text_embeds", 32), ("image_embeds", WIDTH))
    ]
    weights = [numpy_helper.from_array(value, name) for name, value in WEIGHTS.items()]
    weights.append(numpy_helper.from_array(np.array([1]), "axis"))
    graph = helper.make_graph(nodes, "both", ports, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def answers(path, ids):
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    pictures = {"pictures": np.zeros((len(ids), 7), np.float32)} if len(session.get_inputs()) > 1 else {}
    return session.run(["text_embeds"], {"ids": ids, **pictures})[0]


def cosines(one, other):
    return (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("graphs")
    onnx.save(text_and_image_graph(), folder / "both.onnx")
    write_quantized(folder / "both.onnx", "text_embeds", folder / "small.onnx")
    return folder / "both.onnx", folder / "small.onnx"


def test_a_block_is_rounded_to_within_half_a_step():
    matrix = floats(192, 10) * np.exp(RNG.normal(size=(192, 1))).astype(np.float32)
    matrix[:64, 3] = 0
    codes, scales = round_blocks(matrix)
    assert (codes.shape, codes.dtype, scales.shape) == ((10, 3, 64), np.uint8, (10, 3))
    back = ((codes.astype(np.float32) - 128) * scales[..., None]).reshape(10, 192).T
    step = np.abs(scales).repeat(64, axis=1).T
    # One weight of a block may be as large as the largest with the other sign: the highest code is 127.
    assert (np.abs(back - matrix) <= np.where(codes.reshape(10, 192).T == 255, 1, 0.5001) * step).all()


def test_the_rounded_tower_says_nearly_the_same(graphs):
    ids = RNG.integers(0, WORDS, (300, 6))
    near = cosines(answers(graphs[0], ids), answers(graphs[1], ids))
    assert near.min() > 0.99
    assert near.mean() > 0.999


def test_no_text_changes_the_answer_of_another(graphs):
    ids = RNG.integers(0, WORDS, (40, 6))
    together = answers(graphs[1], ids)
    alone = np.concatenate([answers(graphs[1], row[None]) for row in ids])
    assert np.abs(together - alone).max() < 1e-6 * np.linalg.norm(alone, axis=1).min()
    assert not Graph.read(graphs[1]).dynamic


def test_only_what_reads_texts_is_kept_and_in_8_bits(graphs):
    small = onnx.load(graphs[1])
    names = {weight.name for weight in small.graph.initializer}
    assert names == {
        *("table_codes", "table_scales", "up_codes", "up_scales", "down_codes_t", "down_scales_t"),
        *("bias", "odd_codes", "odd_scales", "few", "axis"),
    }
    assert [value.name for value in small.graph.output] == ["text_embeds"]
    assert graphs[1].stat().st_size < graphs[0].stat().st_size / 3.5


def test_external_weights_are_read(graphs, tmp_path):
    onnx.save(text_and_image_graph(), tmp_path / "both.onnx", save_as_external_data=True, location="both.bin")
    write_quantized(tmp_path / "both.onnx", "text_embeds", tmp_path / "small.onnx")
    ids = RNG.integers(0, WORDS, (20, 6))
    np.testing.assert_array_equal(answers(tmp_path / "small.onnx", ids), answers(graphs[1], ids))
    (tmp_path / "both.bin").unlink()
    with pytest.raises(StorageError, match=r"the external weights of .*both\.onnx cannot be read"):
        write_quantized(tmp_path / "both.onnx", "text_embeds", tmp_path / "small.onnx")


def test_a_quantized_tower_is_rejected(graphs, tmp_path):
    with pytest.raises(InputError, match=r"expected matrices of float32 in .*small\.onnx, got none"):
        write_quantized(graphs[1], "text_embeds", tmp_path / "smaller.onnx")


@pytest.fixture(scope="module")
def wide_model(tmp_path_factory):
    """The tiny model, whose text tower has wide enough matrices and gives the same vectors."""
    folder = write_tiny_model(tmp_path_factory.mktemp("wide") / "model")
    path = folder / "onnx" / "text_model.onnx"
    tower = onnx.load(path)
    for made in tower.graph.node:
        made.output[:] = ["tiny" if name == "text_embeds" else name for name in made.output]
    up = floats(3, WIDTH)
    rotation = np.linalg.qr(floats(WIDTH, WIDTH))[0].astype(np.float32)
    down = np.linalg.pinv(up @ rotation).astype(np.float32)
    tower.graph.node.extend(
        [
            node("MatMul", "tiny up", "wide"),
            node("MatMul", "wide rotation", "rotated"),
            node("MatMul", "rotated down", "text_embeds"),
        ]
    )
    for name, value in (("up", up), ("rotation", rotation), ("down", down)):
        tower.graph.initializer.append(numpy_helper.from_array(value, name))
    onnx.save(tower, path)
    return folder


PLAIN, FASTER = "onnx/text_model.onnx", "onnx/text_model_int8.onnx"


def timed(monkeypatch, min_cosine=0.97, **ms):
    """Let the towers take these milliseconds: by blocks, and dynamically quantized.

    A tower of 3 dimensions cannot be rounded as exactly as real ones.
    """
    for module in (text_variants, distillation):
        monkeypatch.setattr(module, "MIN_COSINE", min_cosine)
    times = {PLAIN: ms["blocks"], FASTER: ms["dynamic"]}
    monkeypatch.setattr(
        text_variants, "_spent_ms", lambda loaded, rows: {name: times[name] for name in loaded}
    )


def distilled(wide_model, tmp_path):
    plan = Plan(student="int8", shipped=0)
    figures = distil(Encoder.load(wide_model), tmp_path / "student", texts=[*PAIRS, *TRIPLES], plan=plan)
    return tmp_path / "student", figures


def test_the_published_form_is_kept_where_this_cpu_runs_it_faster(wide_model, tmp_path, monkeypatch):
    timed(monkeypatch, blocks=8.5, dynamic=3.9)
    folder, figures = distilled(wide_model, tmp_path)
    assert figures.cosine_p5 > 0.97
    teacher, student = Encoder.load(wide_model), Encoder.load(folder)
    assert student.text.tower.session.path == folder / FASTER
    assert student.text.tower.session.graph.dynamic
    assert student.space == teacher.fingerprint
    assert is_known_student(folder)
    expected = teacher.embed_texts(COLORS)
    assert (student.embed_texts(COLORS) * expected).sum(axis=1).min() > 0.97
    settle(folder)
    fingerprint = Encoder.load(folder).fingerprint
    timed(monkeypatch, blocks=4.0, dynamic=3.9)  # on another machine, of which nothing is stored
    monkeypatch.setenv("SNAPSEEK_CACHE", str(tmp_path / "other"))
    student = Encoder.load(folder)
    assert student.text.tower.session.path == folder / PLAIN
    assert (student.fingerprint, student.space) == (fingerprint, teacher.fingerprint)


def test_one_form_is_kept_where_the_other_is_hardly_faster(wide_model, tmp_path, monkeypatch):
    timed(monkeypatch, blocks=4.3, dynamic=3.9)
    folder, _ = distilled(wide_model, tmp_path)
    assert not (folder / FASTER).exists()
    assert is_known_student(folder)


@pytest.mark.parametrize(("module", "min_cosine"), [(text_variants, 0.9999), (distillation, 1.1)])
def test_a_faster_form_of_other_vectors_is_not_kept(wide_model, tmp_path, monkeypatch, module, min_cosine):
    timed(monkeypatch, blocks=8.5, dynamic=3.9)
    monkeypatch.setattr(module, "MIN_COSINE", min_cosine)
    folder, _ = distilled(wide_model, tmp_path)
    assert not (folder / FASTER).exists()
    assert Encoder.load(folder).text.tower.session.path == folder / PLAIN


def test_a_tower_that_cannot_be_quantized_dynamically_has_one_form(wide_model, tmp_path, monkeypatch):
    def fails(*_, **__):
        raise ValueError("no such operator set")

    monkeypatch.setattr("onnxruntime.quantization.quantize_dynamic", fails)
    folder, figures = distilled(wide_model, tmp_path)
    assert figures.cosine_p5 > 0.999
    assert sorted(path.name for path in (folder / "onnx").iterdir()) == ["text_model.onnx"]


def test_a_student_with_both_forms_may_be_replaced(wide_model, tmp_path, monkeypatch):
    timed(monkeypatch, blocks=8.5, dynamic=3.9)
    folder, _ = distilled(wide_model, tmp_path)
    assert (folder / FASTER).is_file()
    timed(monkeypatch, blocks=3.9, dynamic=8.5)
    distilled(wide_model, tmp_path)
    assert not (folder / FASTER).exists()
    assert list(tmp_path.iterdir()) == [folder]


def test_a_library_of_the_teacher_takes_it_without_training(wide_model, tmp_path, monkeypatch):
    timed(monkeypatch, blocks=3.9, dynamic=3.9)
    monkeypatch.setattr(distillation, "find_spec", lambda name: None if name == "torch" else object())
    teacher = Encoder.load(wide_model)
    library = Library.build(write_pictures(tmp_path / "pictures"), tmp_path / "library", encoder=teacher)
    plan = Plan(student="int8", shipped=0)
    figures = distil(teacher, tmp_path / "library" / "student", texts=[*PAIRS, *TRIPLES], plan=plan)
    assert figures.texts == 0
    assert figures.held_out > 5
    assert figures.cosine_p5 > 0.999
    report = json.loads((tmp_path / "library" / "student" / "student.json").read_text())
    assert (report["kind"], report["teacher"]["fingerprint"]) == ("int8", teacher.fingerprint)
    student = library.fast_encoder
    assert student is not library.encoder
    assert student.text.config.batch_safe
    found = student.embed_texts(COLORS)
    assert (found * teacher.embed_texts(COLORS)).sum(axis=1).min() > 0.999
    assert [hit.id for hit in library.search("red", 3, model="fast")] == [
        hit.id for hit in library.search("red", 3)
    ]


def test_a_teacher_without_matrices_is_refused_and_nothing_is_left(encoder, tmp_path):
    plan = Plan(student="int8", shipped=0)
    with pytest.raises(InputError, match="expected matrices of float32"):
        distil(encoder, tmp_path / "student", texts=[*PAIRS, *TRIPLES], plan=plan)
    assert list(tmp_path.iterdir()) == []
