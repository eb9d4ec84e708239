"""Models of a hostile author: refused with one sentence, in bounded time and memory."""

import re
import shutil
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from snapseek.errors import SnapseekError
from snapseek.models import Encoder
from snapseek.models.hub import dry_run
from tests.support.hostile_graphs import GRAPHS
from tests.support.hostile_settings import HARMLESS, SETTINGS

if sys.platform != "linux":
    pytest.skip("needs limits of the address space, and /proc", allow_module_level=True)

MAX_S = 60.0
"""A trial may take `WALL_FACTOR` times its processor time on a busy machine."""

MAX_GROWTH_MB = 300
"""Of this process, which reads files of up to 64 MB; the trial has a limit of its own."""


@pytest.fixture
def model(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(dry_run, "CPU_S", 4)
    monkeypatch.setattr(dry_run, "MEMORY_BYTES", 1 << 30)
    shutil.copytree(tiny_model, tmp_path / "model")
    return tmp_path / "model"


def peak_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1e3


def use(model: Path) -> None:
    encoder = Encoder.load(model)
    encoder.embed_texts(["red", "a photo"])
    encoder.embed_images([Image.new("RGB", (40, 30), "red")])


def refused(model: Path) -> str:
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before_mb, began_s = peak_mb(), time.monotonic()
    with pytest.raises(SnapseekError) as error:
        use(model)
    assert time.monotonic() - began_s < MAX_S
    assert peak_mb() - before_mb < MAX_GROWTH_MB
    message = str(error.value)
    assert "\n" not in message
    assert len(message) < 1000
    assert "Traceback" not in message
    return message


def assert_matches(reason: str, message: str) -> None:
    assert re.search(reason, message), message


@pytest.mark.parametrize(("edit", "reason"), GRAPHS.values(), ids=GRAPHS)
def test_a_hostile_graph_is_refused(model, edit, reason):
    edit(model)
    assert_matches(reason, refused(model))


@pytest.mark.parametrize(("edit", "reason"), SETTINGS.values(), ids=SETTINGS)
def test_hostile_settings_are_refused(model, edit, reason):
    edit(model)
    assert_matches(reason, refused(model))


@pytest.mark.parametrize("edit", HARMLESS.values(), ids=HARMLESS)
def test_settings_that_say_nothing_are_ignored(model, edit):
    edit(model)
    use(model)
    assert set(Encoder.load(model).examples) <= {"a"}


def test_the_trial_imports_nothing_of_the_current_directory(model, tmp_path, monkeypatch):
    for name in ("json", "numpy", "onnxruntime", "snapseek", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nraise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    tokenizer = model / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text() + " ")  # a content that was never tried
    use(model)
    assert not (tmp_path / "ran").exists()


def test_a_trial_runs_once_for_each_content(model, tmp_path, monkeypatch):
    runs = []
    run = dry_run._run
    monkeypatch.setattr(dry_run, "_run", lambda *arguments: runs.append(arguments[1]) or run(*arguments))
    (model / "config.json").write_text('{"text_config": {"max_position_embeddings": 6}, "own": 1}')
    use(model)
    assert runs[:1] == ["text"]
    tried = len(runs)
    shutil.copytree(model, tmp_path / "copy")
    use(model)
    use(tmp_path / "copy")
    assert len(runs) == tried
    (model / "config.json").write_text('{"text_config": {"max_position_embeddings": 6}, "own": 2}')
    use(model)
    assert runs[tried:] == ["text"]


def test_a_refusal_is_remembered(model, monkeypatch):
    runs = []
    monkeypatch.setattr(dry_run, "_run", lambda *_: runs.append(1) or "more memory than there is")
    (model / "config.json").write_text('{"text_config": {"max_position_embeddings": 6}, "own": 3}')
    for _ in range(2):
        assert "more memory than there is, in a trial" in refused(model)
    assert len(runs) == 1
