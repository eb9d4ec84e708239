"""Build, check and try the wheels on one Linux machine: `python -m release.wheels [TRIPLE...]`.

Prints a Markdown table. Exits with 1 if a wheel is faulty, not if this machine lacks a linker.
"""

import os
import platform
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

from release.targets import TARGETS, Target
from release.wheel_check import problems
from release.wheel_contents import ROOT

_OUT = ROOT / "dist"
_PARTS = {
    "snapseek/models/starter/": "starter model",
    "snapseek/demo/": "demo pictures",
    "snapseek/places/": "places",
    "snapseek/_core": "core",
    "snapseek/server/static/": "page",
    "snapseek/models/queries/": "words for distillation",
    "snapseek/": "Python",
    "": "metadata and licences",
}


def build(target: Target) -> Path | str:
    """Build the wheel of a target. Return its path, or why it cannot be built here."""
    if target.linker and shutil.which(target.linker) is None:
        return f"no: {target.linker} is missing"
    out = _OUT / target.triple
    shutil.rmtree(out, ignore_errors=True)
    subprocess.run(["rustup", "target", "add", target.triple], check=True)
    scripts = Path(sys.executable).parent
    variables = os.environ | {
        "PATH": os.pathsep.join([str(scripts), os.environ["PATH"]])
    }  # maturin finds zig there
    if subprocess.run(
        target.command(scripts / "maturin", out), cwd=ROOT, env=variables, check=False
    ).returncode:
        return "no: maturin failed"
    (wheel,) = out.glob("*.whl")
    return wheel.rename(_OUT / wheel.name)


def smoke(wheel: Path) -> str:
    """Install and use the wheel if it is for this system and processor. Return what was run."""
    system = {"linux": "manylinux", "darwin": "macosx", "win32": "win"}[sys.platform]
    if system not in wheel.name or platform.machine().lower() not in wheel.name:
        return "nothing: another system"
    subprocess.run([sys.executable, "-m", "release.smoke", str(wheel)], cwd=ROOT, check=True)
    return "install, demo, search, verify"


def sizes(wheel: Path) -> list[tuple[str, int, int]]:
    """Return the parts of a wheel with their bytes, compressed and not, largest first."""
    packed, plain = Counter[str](), Counter[str]()
    for entry in zipfile.ZipFile(wheel).infolist():
        part = next(label for prefix, label in _PARTS.items() if entry.filename.startswith(prefix))
        packed[part] += entry.compress_size
        plain[part] += entry.file_size
    return [(part, size, plain[part]) for part, size in packed.most_common()]


def main() -> None:
    """Build the targets that the command line names, all by default."""
    targets = [target for target in TARGETS if not sys.argv[1:] or target.triple in sys.argv[1:]]
    rows, faults, last = [], [], None
    _OUT.mkdir(exist_ok=True)
    for target in targets:
        wheel = build(target)
        if isinstance(wheel, str):
            rows.append((target.triple, "", "", wheel, ""))
            continue
        faults += [f"{wheel.name}: {problem}" for problem in problems(wheel)]
        tags = "-".join(wheel.stem.split("-")[2:])
        rows.append((target.triple, tags, f"{wheel.stat().st_size / 1e6:.1f} MB", "yes", smoke(wheel)))
        last = wheel
    print("\n| target | tags | size | built here | what was run |\n|---|---|---|---|---|")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    if last is not None:
        print("\n| part of the wheel | packed, MB | unpacked, MB |\n|---|---|---|")
        for part, packed, plain in sizes(last):
            print(f"| {part} | {packed / 1e6:.2f} | {plain / 1e6:.2f} |")
    print("\n".join(faults))
    raise SystemExit(bool(faults))


if __name__ == "__main__":
    main()
