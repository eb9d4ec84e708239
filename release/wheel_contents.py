"""Check the tags and the files of a wheel. Needs only Python and git."""

import re
import subprocess
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from release.targets import TARGETS, Target

ROOT = Path(__file__).parents[1]
_MAX_BYTES = 40_000_000
_INFO = ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "sboms/snapseek.cyclonedx.json")
_LICENSES = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license-files"]


def target_of(wheel: Path) -> Target | None:
    """Return the target of a wheel by its platform tag."""
    tag = wheel.stem.rsplit("-", 1)[1]
    return next((target for target in TARGETS if re.fullmatch(target.platform_tag, tag)), None)


def is_core(name: str) -> bool:
    """Return whether a file of a wheel is the compiled core."""
    return name.startswith("snapseek/_core") and name.endswith((".so", ".pyd"))


def content_problems(wheel: Path) -> list[str]:
    """Return what is wrong with the tags and the files of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        cores = sum(map(is_core, archive.namelist()))
        found = [] if cores == 1 else [f"expected one core, got {cores}"]
        return [*found, *_tag_problems(wheel, archive), *_file_problems(wheel, archive)]


def _tag_problems(wheel: Path, archive: zipfile.ZipFile) -> Iterator[str]:
    name, version, python, abi, platform = wheel.stem.split("-")
    text = archive.read(f"{name}-{version}.dist-info/WHEEL").decode()
    expected = {f"{python}-{abi}-{tag}" for tag in platform.split(".")}
    if {line.removeprefix("Tag: ") for line in text.splitlines() if line.startswith("Tag: ")} != expected:
        yield "the tags in WHEEL are not those of the name"
    if (python, abi) != ("cp311", "abi3"):
        yield f"expected cp311-abi3, got {python}-{abi}"


def _file_problems(wheel: Path, archive: zipfile.ZipFile) -> Iterator[str]:
    info = "-".join(wheel.stem.split("-")[:2]) + ".dist-info"
    found = {name for name in archive.namelist() if not is_core(name)}
    page = {name for name in found if name.startswith("snapseek/server/static/")}
    expected = (
        tracked_files()
        | {f"{info}/{name}" for name in _INFO}
        | {f"{info}/licenses/{name}" for name in _LICENSES}
    )
    for name in sorted(found - page - expected):
        yield f"the wheel has {name}, which is not in the repository"
    for name in sorted(expected - found):
        yield f"the wheel has no {name}"
    if "snapseek/server/static/index.html" not in page:
        yield "the wheel has no page"
    if any(PurePosixPath(name).suffix == ".map" for name in page):
        yield "the page has source maps"
    if wheel.stat().st_size > _MAX_BYTES:
        yield f"the wheel has more than {_MAX_BYTES} bytes"
    if archive.testzip() is not None:
        yield "the archive is damaged"


def tracked_files() -> set[str]:
    """Return the files of the package in the repository, named as in a wheel."""
    command = ["git", "ls-files", "-z", "python/snapseek"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return {name.removeprefix("python/") for name in names.split("\0") if name}
