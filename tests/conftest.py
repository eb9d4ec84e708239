"""Fixtures of all tests: a tiny model, a folder of coloured pictures, a library of them."""

import os
import signal
import sys
from pathlib import Path

# Tests run on all cores already. Threads of BLAS that wait for one another in a spin take minutes of that.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from hypothesis import settings
from PIL import Image

from snapseek.library import Library
from snapseek.library.indexing import sync
from snapseek.models import Encoder
from tests.support.once import common_folder
from tests.support.tiny_model import write_tiny_model

# No example of a property fails because the machine was busy with something else.
settings.register_profile("patient", deadline=None, derandomize="SNAPSEEK_RANDOM" not in os.environ)
settings.load_profile("patient")

# A shell ignores Ctrl-C in what it starts in the background; child processes of the tests inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests of killed processes and of limits need functions of Linux: LD_PRELOAD, /proc and setrlimit.
collect_ignore_glob = [] if sys.platform == "linux" else ["robustness/*"]


def pytest_collection_modifyitems(items):
    """Run a browser test that failed once more: the summary names it, and a second failure stands.

    The machine may stall a browser of three processes for longer than a test waits.
    """
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=1))


PICTURES = {
    "red.jpg": (220, 20, 20),
    "green.png": (20, 200, 30),
    "deep/blue.webp": (20, 30, 210),
    "deep/er/yellow.gif": (220, 220, 20),
    "white.bmp": (250, 250, 250),
    "black.tif": (10, 10, 10),
}


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Keep the caches, configuration and tokens of the user out of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNAPSEEK_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("SNAPSEEK_CONFIG", str(common_folder(tmp_path_factory) / "config"))
        patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("hub")))
        patch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
        patch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        patch.delenv("HF_TOKEN", raising=False)
        yield


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    folder = write_tiny_model(tmp_path_factory.mktemp("tiny"))
    for path in folder.rglob("*"):  # what is known of a file that was just written is not kept
        os.utime(path, (path.stat().st_mtime - 60,) * 2)
    return folder


@pytest.fixture(scope="session")
def encoder(tiny_model) -> Encoder:
    return Encoder.load(tiny_model)


def write_pictures(folder: Path) -> Path:
    for name, color in PICTURES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (60, 40), color).save(path)
    return folder


@pytest.fixture
def folder(tmp_path) -> Path:
    return write_pictures(tmp_path / "pictures")


@pytest.fixture(scope="session")
def library(tmp_path_factory, encoder) -> Library:
    """A library that no test changes."""
    directory = tmp_path_factory.mktemp("shared")
    return Library.build(
        write_pictures(directory / "pictures"), directory / "colors.snapseek", encoder=encoder
    )


@pytest.fixture
def embedded(monkeypatch):
    """The names of the pictures that are embedded."""
    names = []
    inner = sync.embed_pictures

    def spy(pictures, *arguments):
        def noted():
            for picture in pictures:
                names.append(picture.within)
                yield picture

        return inner(noted(), *arguments)

    monkeypatch.setattr(sync, "embed_pictures", spy)
    return names
