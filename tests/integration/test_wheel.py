"""The built wheel in an empty environment, without a network: what `pip install` gives a new user."""

import email
import os
import re
import socket
import subprocess
import sys
import sysconfig
import time
import venv
import zipfile
from contextlib import contextmanager
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from PIL import Image

from tests.support.fake_hub import FakeHub
from tests.support.model_specimens import write_split
from tests.support.once import once

ROOT = Path(__file__).parents[2]
MAX_WHEEL_BYTES = 40_000_000
RUN_TIME = {
    *("numpy", "onnxruntime", "tokenizers", "pillow", "pillow-heif", "pyarrow", "starlette", "uvicorn"),
    *("rich", "cachetools", "ftfy", "pathspec"),
}
NO_NETWORK = """
import socket

_connect = socket.socket.connect


def connect(self, address):
    if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1"):
        raise OSError(f"no network in this test: {address}")
    return _connect(self, address)


socket.socket.connect = connect
"""

pytestmark = pytest.mark.wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel that `SNAPSEEK_WHEEL` names, or one that is built now."""
    if named := os.environ.get("SNAPSEEK_WHEEL"):
        return Path(named).resolve()

    def build(out: Path) -> None:
        command = [sys.executable, "-m", "maturin", "build", "--release", "--locked", "--out", str(out)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)

    (built,) = once(tmp_path_factory, "wheel", build).glob("*.whl")
    return built


def install_wheel(folder: Path, wheel: Path) -> Path:
    """Make an environment with the wheel and without a network; return its site-packages."""
    venv.create(folder, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python"]
    subprocess.run([*pip, "install", "--quiet", "--no-index", "--no-deps", wheel], check=True)
    (site,) = folder.glob("lib/python3.*/site-packages")
    (site / "sitecustomize.py").write_text(NO_NETWORK)
    return site


@pytest.fixture(scope="module")
def snapseek(wheel, tmp_path_factory) -> Path:
    """The command in an environment that holds the wheel, and the pinned dependencies."""

    def install(folder: Path) -> None:
        site = install_wheel(folder, wheel)
        # Appended to the path: the installed wheel comes before anything of the development environment.
        (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")

    return once(tmp_path_factory, "environment", install) / "bin" / "snapseek"


def test_what_is_inside(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for needed in (
        "snapseek/_core.pyi",
        "snapseek/py.typed",
        "snapseek/models/starter/onnx/text_model.onnx",
        "snapseek/models/starter/NOTICE.md",
        "snapseek/models/catalogue.json",
        "snapseek/models/text/NOTICE.md",
        "snapseek/models/text/foreign_words.txt.gz",
        "snapseek/server/static/index.html",
        "snapseek/demo/CREDITS.csv",
    ):
        assert needed in names
    assert any(name.startswith("snapseek/_core") and name.endswith((".so", ".pyd")) for name in names)
    assert not [name for name in names if "__pycache__" in name or name.startswith(("tests", "demo/"))]
    assert wheel.stat().st_size < MAX_WHEEL_BYTES


def test_direct_dependencies(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(path))
    needed = {
        line.split(">")[0].strip() for line in metadata.get_all("Requires-Dist", []) if "extra" not in line
    }
    assert needed == RUN_TIME
    assert len(needed) <= 12


def test_demo_finds_pictures(snapseek, tmp_path):
    library_option = ["--library", str(tmp_path / "demo")]
    made = subprocess.run(
        [snapseek, "demo", "--no-serve", *library_option],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    assert "pictures" in made.stderr
    found = subprocess.run(
        [snapseek, "search", "a flower", "-k", "3", "--paths", *library_option],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    paths = [Path(line) for line in found.stdout.splitlines()]
    assert len(paths) == 3
    assert all(path.is_file() and snapseek.parents[1] in path.parents for path in paths)


NOT_NEEDED = {"huggingface_hub"}
"""Installed with `tokenizers`, and left out here: downloads do not need it."""


def run_time_distributions():
    """Return what pip installs with the wheel: its dependencies and theirs, without extras."""
    found: dict[str, Distribution] = {}
    waiting = [*RUN_TIME]
    while waiting:
        name = waiting.pop().lower().replace("-", "_")
        if name in found or name in NOT_NEEDED:
            continue
        found[name] = distribution(name)
        needed = [Requirement(line) for line in found[name].requires or ()]
        waiting += [one.name for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    return found


@pytest.fixture(scope="module")
def bare(wheel, tmp_path_factory) -> Path:
    """The command in an environment of the wheel and what it depends on: nothing else can be imported."""

    def install(folder: Path) -> None:
        site = install_wheel(folder, wheel)
        for found in run_time_distributions().values():
            tops = {Path(file.parts[0]) for file in found.files or () if ".." not in file.parts}
            for top in tops - {Path("__pycache__")}:
                if not (site / top).exists():
                    (site / top).symlink_to(Path(str(found.locate_file(top))))

    return once(tmp_path_factory, "bare", install) / "bin" / "snapseek"


@pytest.fixture
def run(bare, tmp_path):
    """Run the command of the bare environment; return its output on stderr and the seconds that it took."""

    def run(*arguments, code=0, **variables):
        own = {"SNAPSEEK_CACHE": str(tmp_path / "cache"), "SNAPSEEK_CONFIG": str(tmp_path / "config")}
        proxies = {name: "" for name in os.environ if name.lower().endswith("_proxy")}
        start_s = time.monotonic()
        done = subprocess.run(
            [bare, *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
            env=os.environ | proxies | own | variables,
        )
        assert done.returncode == code, done.stderr
        return done, time.monotonic() - start_s

    return run


@pytest.fixture
def library(run, tmp_path) -> str:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(5):
        Image.new("RGB", (40, 30), (50 * number, 200 - 40 * number, 60)).save(folder / f"{number}.png")
    run("index", str(folder), "--library", "library")
    return "library"


def test_bare_upgrade_from_a_hub(run, library, tmp_path):
    write_split(tmp_path / "repo")
    hub = FakeHub()
    hub.add("maker/clip", tmp_path / "repo")
    with hub.served():
        done, seconds = run("upgrade", "maker/clip", "--yes", "--library", library, HF_ENDPOINT=hub.url)
    assert "the library has the model maker/clip now" in done.stderr
    found, _ = run("search", "red", "--paths", "--library", library)
    assert len(found.stdout.splitlines()) == 5
    sys.stdout.write(
        f"\nupgrade from a hub on this machine, in an environment of the wheel alone: {seconds:.1f} s\n"
    )


@contextmanager
def refusing():
    """Yield the URL of a port that nothing listens to."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    yield f"http://127.0.0.1:{port}"


@contextmanager
def silent():
    """Yield the URL of a server that accepts a connection and never replies."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_bare_upgrade_without_a_network(run, library):
    with refusing() as url:
        _, at_once_s = run("upgrade", "small", "--yes", "--library", library, HF_ENDPOINT=url, code=1)
    for hub in (refusing, silent):
        with hub() as url:
            done, seconds = run("upgrade", "small", "--yes", "--library", library, HF_ENDPOINT=url, code=1)
        sentence = " ".join(line for line in done.stderr.splitlines() if "cannot be downloaded" in line)
        hint = next(line for line in done.stderr.splitlines() if line.startswith("hint: "))
        lost_s = max(0.0, seconds - at_once_s)
        assert "the hub cannot be reached" in sentence
        assert re.search(r"onnx/model_quantized\.onnx \(24 MB\)", hint)
        assert lost_s < 7, "5 seconds, and what a busy machine adds"
        sys.stdout.write(f"\n{hub.__name__} hub, {lost_s:.1f} s lost: {sentence}\n{hint}\n")
    found, _ = run("search", "red", "--paths", "--library", library)
    assert len(found.stdout.splitlines()) == 5
