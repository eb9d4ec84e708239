"""The built wheel in an empty environment, without a network: what `pip install` gives a new user."""

import email
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

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
    def build(out: Path) -> None:
        command = [sys.executable, "-m", "maturin", "build", "--release", "--locked", "--out", str(out)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)

    (built,) = once(tmp_path_factory, "wheel", build).glob("*.whl")
    return built


@pytest.fixture(scope="module")
def snapseek(wheel, tmp_path_factory) -> Path:
    """The command in an environment that holds the wheel, and the pinned dependencies."""

    def install(library_option: Path) -> None:
        venv.create(library_option, symlinks=True)
        pip = [sys.executable, "-m", "pip", "--python", library_option / "bin" / "python"]
        subprocess.run([*pip, "install", "--quiet", "--no-index", "--no-deps", wheel], check=True)
        (site,) = library_option.glob("lib/python3.*/site-packages")
        # Appended to the path: the installed wheel comes before anything of the development environment.
        (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
        (site / "sitecustomize.py").write_text(NO_NETWORK)

    return once(tmp_path_factory, "environment", install) / "bin" / "snapseek"


def test_what_is_inside(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for needed in (
        "snapseek/_core.pyi",
        "snapseek/py.typed",
        "snapseek/models/starter/onnx/text_model.onnx",
        "snapseek/models/starter/NOTICE.md",
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
