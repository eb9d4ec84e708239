"""release.wheel_contents: what a wheel has that it should not, and lacks that it should have."""

import subprocess
import zipfile
from pathlib import Path

import pytest

from release import wheel_contents
from release.wheel_contents import content_problems, target_of

ROOT = Path(__file__).parents[2]
NAME = "snapseek-0.1.0-cp311-abi3-win_amd64.whl"
INFO = "snapseek-0.1.0.dist-info"
TAGS = "Wheel-Version: 1.0\nTag: cp311-abi3-win_amd64\n"
NOTICE = f"{INFO}/licenses/python/snapseek/demo/NOTICE.md"
PAGE = "snapseek/server/static/index.html"


@pytest.fixture
def files(monkeypatch) -> dict[str, str]:
    """The files of a sound wheel by name."""
    tracked = {"snapseek/__init__.py", "snapseek/models/starter/onnx/text_model.onnx"}
    monkeypatch.setattr(wheel_contents, "tracked_files", lambda: set(tracked))
    info = {f"{INFO}/{name}": "" for name in wheel_contents._INFO}
    licenses = {f"{INFO}/licenses/{name}": "" for name in wheel_contents._LICENSES}
    core = {"snapseek/_core.pyd": "", PAGE: "", "snapseek/server/static/assets/a.js": ""}
    return dict.fromkeys(tracked, "") | info | licenses | core | {f"{INFO}/WHEEL": TAGS}


def wheel(folder: Path, files: dict[str, str], name: str = NAME) -> Path:
    with zipfile.ZipFile(folder / name, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return folder / name


def test_a_sound_wheel_has_no_problem(tmp_path, files):
    assert content_problems(wheel(tmp_path, files)) == []


@pytest.mark.parametrize(
    "name",
    ["snapseek/__pycache__/a.pyc", "tests/a.py", "snapseek/notes.txt", f"{INFO}/licenses/NOTES", ".env"],
)
def test_a_stray_file_is_found(tmp_path, files, name):
    found = content_problems(wheel(tmp_path, files | {name: ""}))
    assert found == [f"the wheel has {name}, which is not in the repository"]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("snapseek/models/starter/onnx/text_model.onnx", "the wheel has no snapseek/models/starter"),
        (NOTICE, f"the wheel has no {NOTICE}"),
        (PAGE, "the wheel has no page"),
        ("snapseek/_core.pyd", "expected one core, got 0"),
    ],
)
def test_a_missing_file_is_found(tmp_path, files, name, problem):
    del files[name]
    (found,) = content_problems(wheel(tmp_path, files))
    assert found.startswith(problem)


def test_a_second_core_is_found(tmp_path, files):
    assert content_problems(wheel(tmp_path, files | {"snapseek/_core.abi3.so": ""})) == [
        "expected one core, got 2"
    ]


def test_a_source_map_is_found(tmp_path, files):
    found = content_problems(wheel(tmp_path, files | {"snapseek/server/static/assets/a.js.map": ""}))
    assert found == ["the page has source maps"]


def test_tags_that_differ_from_the_name_are_found(tmp_path, files):
    files[f"{INFO}/WHEEL"] = "Tag: cp311-abi3-win_arm64\n"
    assert content_problems(wheel(tmp_path, files)) == ["the tags in WHEEL are not those of the name"]


def test_a_wheel_of_one_python_only_is_found(tmp_path, files):
    files[f"{INFO}/WHEEL"] = "Tag: cp312-cp312-win_amd64\n"
    found = content_problems(wheel(tmp_path, files, "snapseek-0.1.0-cp312-cp312-win_amd64.whl"))
    assert found == ["expected cp311-abi3, got cp312-cp312"]


@pytest.mark.parametrize(
    ("tag", "triple"),
    [
        ("manylinux_2_28_x86_64", "x86_64-unknown-linux-gnu"),
        ("manylinux_2_17_aarch64.manylinux2014_aarch64", "aarch64-unknown-linux-gnu"),
        ("macosx_11_0_arm64", "aarch64-apple-darwin"),
        ("macosx_10_12_x86_64", "x86_64-apple-darwin"),
        ("win_amd64", "x86_64-pc-windows-gnu"),
        ("manylinux_2_35_x86_64", None),
        ("linux_x86_64", None),
        ("macosx_15_0_arm64", None),
    ],
)
def test_a_target_is_found_by_the_tag(tag, triple):
    target = target_of(Path(f"snapseek-0.1.0-cp311-abi3-{tag}.whl"))
    assert (target and target.triple) == triple


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout")
def test_the_files_of_the_package_are_those_of_the_repository():
    tracked = wheel_contents.tracked_files()
    assert {"snapseek/__init__.py", "snapseek/py.typed", "snapseek/models/starter/NOTICE.md"} <= tracked
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert len(tracked) == sum(line.startswith("python/snapseek/") for line in listed.splitlines())
