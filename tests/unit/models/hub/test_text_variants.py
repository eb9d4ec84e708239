"""The choice of the fastest text tower."""

import os
import time
from dataclasses import replace

import numpy as np
import pytest

from snapseek.errors import ModelError
from snapseek.models import Encoder
from snapseek.models.hub import text_variants
from snapseek.models.hub.check import check_model
from snapseek.models.hub.model_files import ModelFiles
from snapseek.models.hub.text_variants import measure_variants, variants_of, with_fastest_text
from snapseek.models.text.text_encoder import TextEncoder
from tests.support.model_specimens import write_split
from tests.support.model_zoo import DIM, FLOAT, node, port, save, text_model

PLAIN, INT8, QUANTIZED = (f"onnx/text_model{end}.onnx" for end in ("", "_int8", "_quantized"))
TEXTS = ["a dog", "red", "two people on a beach"]


@pytest.fixture
def folder(tmp_path):
    """A model with an int8 text tower of the same vectors, and a quantized one of opposite vectors."""
    write_split(tmp_path)
    save(text_model(), tmp_path / INT8)
    opposite = text_model(out="raw")
    opposite.graph.node.append(node("Neg", "raw", "text_embeds"))
    opposite.graph.output[0].CopyFrom(port("text_embeds", FLOAT, "batch", DIM))
    save(opposite, tmp_path / QUANTIZED)
    settle(tmp_path)
    return tmp_path


def settle(folder):
    """Make all files old enough for the cache of probes."""
    for path in folder.rglob("*"):
        os.utime(path, (time.time() - 60,) * 2)


def measured(monkeypatch, folder, **ms):
    times = {PLAIN: ms["plain"], INT8: ms["int8"], QUANTIZED: ms["quantized"]}
    monkeypatch.setattr(
        text_variants, "_spent_ms", lambda loaded, rows: {name: times[name] for name in loaded}
    )
    return measure_variants(ModelFiles.in_folder("m", folder), TEXTS, TextEncoder.load_exactly)


def test_all_precisions_of_the_text_tower_are_found(folder):
    save(text_model(), folder / "onnx" / "other_text_model_int8.onnx")
    assert variants_of(ModelFiles.in_folder("m", folder)) == [PLAIN, INT8, QUANTIZED]


def test_the_fastest_tower_that_agrees_is_used(folder, monkeypatch):
    before = Encoder.load(folder)
    assert before.text.tower.session.path == folder / PLAIN
    found = measured(monkeypatch, folder, plain=9.0, int8=4.0, quantized=1.0)
    assert [variant.graph for variant in found] == [INT8, QUANTIZED, PLAIN]
    assert found[1].lowest_cosine == pytest.approx(-1, abs=1e-5)
    after = Encoder.load(folder)
    assert after.text.tower.session.path == folder / INT8
    assert after.text.graph == before.text.graph == (folder / PLAIN, "text_embeds")
    assert (after.fingerprint, after.space) == (before.fingerprint, before.space)
    np.testing.assert_allclose(after.embed_texts(TEXTS), before.embed_texts(TEXTS), atol=1e-6)


def test_a_tower_that_is_hardly_faster_is_not_used(folder, monkeypatch):
    found = measured(monkeypatch, folder, plain=9.0, int8=8.5, quantized=1.0)
    assert found[0].graph == PLAIN
    assert Encoder.load(folder).text.tower.session.path == folder / PLAIN


def test_a_tower_that_is_fed_in_another_way_is_not_used(folder, monkeypatch):
    def load(files):
        encoder = TextEncoder.load_exactly(files)
        if files.layout.text_graph == INT8:
            encoder.config = replace(encoder.config, unpadded=not encoder.config.unpadded)
        return encoder

    monkeypatch.setattr(
        text_variants, "_spent_ms", lambda loaded, rows: {name: 9.0 - len(name) for name in loaded}
    )
    found = measure_variants(ModelFiles.in_folder("m", folder), TEXTS, load)
    assert found[0].graph == PLAIN, "the way is part of the fingerprint"


def test_a_tower_that_has_changed_is_not_used(folder, monkeypatch):
    measured(monkeypatch, folder, plain=9.0, int8=4.0, quantized=1.0)
    (folder / INT8).write_bytes((folder / QUANTIZED).read_bytes())
    files = ModelFiles.in_folder("m", folder)
    assert with_fastest_text(files, TextEncoder.load_exactly).layout.text_graph == PLAIN
    (folder / INT8).unlink()
    assert Encoder.load(folder).text.tower.session.path == folder / PLAIN


def test_a_broken_tower_is_skipped(folder, monkeypatch):
    (folder / INT8).write_bytes(b"no graph")
    found = measured(monkeypatch, folder, plain=9.0, int8=4.0, quantized=10.0)
    assert [variant.graph for variant in found] == [PLAIN, QUANTIZED]


def test_one_precision_leaves_nothing_to_choose(tmp_path):
    write_split(tmp_path)
    assert measure_variants(ModelFiles.in_folder("m", tmp_path), TEXTS, TextEncoder.load_exactly) == []
    assert "text towers" not in check_model(str(tmp_path))


def test_a_check_measures_and_names_the_towers(folder):
    line = check_model(str(folder))["text towers"]
    assert "text_model_int8.onnx" in line
    assert "text_model_quantized.onnx" in line
    assert line.endswith("; the first is used here")
    assert "-1.0000" not in line.partition(";")[0]


def test_a_tower_that_fails_when_it_runs_is_skipped(folder):
    def fail(*_):
        raise ModelError("no finite vector")

    def load(files):
        encoder = TextEncoder.load_exactly(files)
        if files.layout.text_graph == INT8:
            encoder.embed_ids = fail
        return encoder

    found = measure_variants(ModelFiles.in_folder("m", folder), TEXTS, load)
    assert sorted(variant.graph for variant in found) == [PLAIN, QUANTIZED]
