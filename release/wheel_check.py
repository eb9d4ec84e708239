"""Check wheels: `python -m release.wheel_check WHEEL...`.

A wheel must have the tags, the contents and the exported symbol that it should, and its core must need
nothing that a system may lack.
"""

import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import lief

from release.targets import GLIBC, Target
from release.wheel_contents import content_problems, is_core, target_of

_MAX_MACOS = (14, 0)
_GLIBC_VERSION = re.compile(r"GLIBC_(\d+)\.(\d+)")
_ENTRY = "PyInit__core"


def problems(wheel: Path) -> list[str]:
    """Return everything that is wrong with a wheel."""
    target = target_of(wheel)
    if target is None:
        return [f"no target has the platform tag of {wheel.name}"]
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
        cores = [Path(archive.extract(name, folder)) for name in archive.namelist() if is_core(name)]
        found = [problem for core in cores for problem in _core_problems(core, target)]
    return [*content_problems(wheel), *found, *_audit(wheel)]


def _core_problems(core: Path, target: Target) -> Iterator[str]:
    lief.logging.disable()
    binary = lief.parse(core)
    check = {lief.ELF.Binary: _elf, lief.MachO.Binary: _macho, lief.PE.Binary: _pe}.get(type(binary))
    if check is None:
        yield f"{core.name} is no library of a known system"
        return
    yield from check(binary, target)


def _foreign(names: set[str], target: Target) -> Iterator[str]:
    for name in sorted(names - target.libraries):
        if not name.startswith("api-ms-win-"):
            yield f"the core needs {name}, which not every system has"


def _elf(binary: "lief.ELF.Binary", target: Target) -> Iterator[str]:
    yield from _foreign(set(map(str, binary.libraries)), target)
    needed = {
        version.name
        for entry in binary.symbols_version_requirement
        for version in entry.get_auxiliary_symbols()
    }
    for name in sorted(needed):
        match = _GLIBC_VERSION.match(name)
        if match and tuple(map(int, match.groups())) > GLIBC:
            yield f"the core needs {name}"
    if {str(symbol.name) for symbol in binary.exported_symbols} != {_ENTRY}:
        yield f"the core exports more than {_ENTRY}"


def _macho(binary: "lief.MachO.Binary", target: Target) -> Iterator[str]:
    loaded = [entry for entry in binary.libraries if entry.command != lief.MachO.LoadCommand.TYPE.ID_DYLIB]
    yield from _foreign({entry.name for entry in loaded}, target)
    if not binary.has_code_signature and target.triple.startswith("aarch64"):
        yield "the core has no signature, without which these processors load nothing"
    minimum = minimum_macos(binary)
    if minimum is None or minimum > _MAX_MACOS:
        yield f"the core needs macOS {minimum}"
    if f"_{_ENTRY}" not in {str(symbol.name) for symbol in binary.exported_symbols}:
        yield f"the core does not export {_ENTRY}"


def minimum_macos(binary: "lief.MachO.Binary") -> tuple[int, int] | None:
    """Return the oldest macOS that loads the library, as major and minor version."""
    command = binary.build_version if binary.has_build_version else binary.version_min
    if command is None:
        return None
    version = command.minos if binary.has_build_version else command.version
    return int(version[0]), int(version[1])


def _pe(binary: "lief.PE.Binary", target: Target) -> Iterator[str]:
    libraries = {entry.name.lower() for entry in binary.imports}
    yield from _foreign(libraries, target)
    if "python3.dll" not in libraries:
        yield "the core does not use the stable ABI (python3.dll)"
    if _ENTRY not in {entry.name for entry in binary.get_export().entries}:
        yield f"the core does not export {_ENTRY}"


def _audit(wheel: Path) -> list[str]:
    """Return what `abi3audit` and, for Linux, `auditwheel` find wrong."""
    folder, found = Path(sys.executable).parent, []
    commands = [[folder / "abi3audit", "--strict", wheel]]
    if "linux" in wheel.name:
        commands.append([folder / "auditwheel", "show", wheel])
    for command in commands:
        ran = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        if ran.returncode:
            found.append(f"{command[0].name} failed: {ran.stdout}{ran.stderr}")
        elif "linux" in wheel.name and command[1] == "show":
            tag = wheel.stem.rsplit("-", 1)[1].split(".")[0]
            if f'"{tag}"' not in ran.stdout:
                found.append(f"auditwheel does not confirm {tag}: {ran.stdout}")
    return found


def main() -> None:
    """Check the wheels that the command line names; exit with 1 if one is faulty."""
    faults = [f"{path}: {problem}" for path in sys.argv[1:] for problem in problems(Path(path))]
    print("\n".join(faults) or f"{len(sys.argv) - 1} wheels are sound")
    raise SystemExit(bool(faults))


if __name__ == "__main__":
    main()
