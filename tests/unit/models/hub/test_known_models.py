"""snapseek.models.hub.known_models."""

import os
import shutil
import time

import pytest

from snapseek.models import Encoder
from snapseek.models.hub.known_models import is_known_student, remember_student, was_loaded_here
from tests.support.tiny_model import write_tiny_model


@pytest.fixture
def student(tmp_path):
    """A student that no other test has remembered."""
    folder = tmp_path / "student"
    folder.mkdir()
    (folder / "student.json").write_text("{}")
    (folder / "a.onnx").write_bytes(str(tmp_path).encode())
    return folder


def test_a_student_is_known_by_its_content_wherever_it_is(student, tmp_path):
    assert not is_known_student(student)
    remember_student(student)
    assert is_known_student(student)
    shutil.move(student, tmp_path / "moved")
    assert is_known_student(tmp_path / "moved")


def test_a_changed_student_is_unknown_also_with_the_same_size_and_time(student):
    remember_student(student)
    path = student / "a.onnx"
    before = path.stat()
    path.write_bytes(path.read_bytes().swapcase())
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not is_known_student(student)


@pytest.mark.parametrize("change", ["another file", "a renamed file", "a link", "an empty folder"])
def test_another_set_of_files_is_unknown(student, tmp_path, change):
    remember_student(student)
    if change == "another file":
        (student / "b.onnx").write_bytes(b"")
    elif change == "a renamed file":
        (student / "a.onnx").rename(student / "b.onnx")
    elif change == "a link":
        shutil.move(student / "a.onnx", tmp_path / "a.onnx")
        (student / "a.onnx").symlink_to(tmp_path / "a.onnx")
    else:
        shutil.rmtree(student)
        student.mkdir()
    assert not is_known_student(student)


def test_a_folder_is_known_once_its_graphs_were_loaded(tmp_path, monkeypatch):
    monkeypatch.setenv("SNAPSEEK_CACHE", str(tmp_path / "cache"))
    folder = write_tiny_model(tmp_path / "model")
    for path in folder.rglob("*"):  # the cache does not keep what was written just now
        os.utime(path, (time.time() - 60, time.time() - 60))
    assert not was_loaded_here(folder)
    _ = Encoder.load(folder).fingerprint
    assert was_loaded_here(folder)
    for path in folder.rglob("*.onnx"):
        path.write_bytes(path.read_bytes() + b"\0")
    assert not was_loaded_here(folder)
    assert not was_loaded_here(tmp_path / "nowhere")
