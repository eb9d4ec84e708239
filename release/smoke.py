"""Install a wheel in an empty environment and use it: `python -m release.smoke WHEEL [PIP_OPTION...]`.

The commands run with nothing on the PATH but the environment: no Rust, Node or git. Prints the seconds of
each step. `SNAPSEEK_SMOKE_PYTHON` is the interpreter of the environment, such as one of another processor.
"""

import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_QUERY = "a flower"
_TOP = 3


def run(name: str, command: list[str | Path], folder: Path, variables: dict[str, str]) -> str:
    """Run a step, print its seconds, and return its standard output. Raises SystemExit if it fails."""
    began_s = time.perf_counter()
    ran = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    print(f"{name}: {time.perf_counter() - began_s:.1f} s", flush=True)
    if ran.returncode:
        raise SystemExit(f"{name} failed with {ran.returncode}:\n{ran.stdout}{ran.stderr}")
    return ran.stdout


def variables_of(scripts: Path, folder: Path) -> dict[str, str]:
    """Return the environment of the commands: only the scripts of the environment are on the PATH."""
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "TEMP", "PIP_INDEX_URL") if name in os.environ}
    homes = dict.fromkeys(("HOME", "USERPROFILE", "LOCALAPPDATA"), str(folder))
    return kept | homes | {"PATH": str(scripts), "NO_COLOR": "1"}


def main() -> None:
    """Install, index the demo pictures, search, and verify."""
    wheel, *options = sys.argv[1:]
    python = shlex.split(os.environ.get("SNAPSEEK_SMOKE_PYTHON", "")) or [sys.executable]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        variables = variables_of(folder / "env" / ("Scripts" if os.name == "nt" else "bin"), folder)
        run("environment", [*python, "-m", "venv", folder / "env"], folder, variables)
        own = [*python[:-1], Path(variables["PATH"]) / ("python.exe" if os.name == "nt" else "python")]
        pip = [*own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        run("install", [*pip, *options, Path(wheel).absolute()], folder, os.environ | variables)
        snapseek = [*own, "-m", "snapseek"]
        print(run("version", [*snapseek, "--version"], folder, variables).strip())
        library = ["--library", folder / "demo.snapseek"]
        run("demo --no-serve", [*snapseek, "demo", "--no-serve", *library], folder, variables)
        search = [*snapseek, "search", _QUERY, "-k", str(_TOP), "--paths", *library]
        found = run("search", search, folder, variables).splitlines()
        if len(found) != _TOP or not all(Path(path).is_file() for path in found):
            raise SystemExit(f"expected {_TOP} pictures, got {found}")
        print(*(Path(path).stem for path in found), sep=", ")
        run("verify", [*snapseek, "verify", folder / "demo.snapseek"], folder, variables)


if __name__ == "__main__":
    main()
