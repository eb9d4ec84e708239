"""The systems that get a wheel, and how a Linux machine builds it."""

from dataclasses import dataclass, field
from pathlib import Path

GLIBC = (2, 28)
"""The newest glibc whose symbols a wheel may need: RHEL 8, Debian 10, Ubuntu 20.04."""

_LINUX = frozenset({"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "libgcc_s.so.1"})
_MACOS = frozenset({"/usr/lib/libSystem.B.dylib", "/usr/lib/libiconv.2.dylib", "/usr/lib/libcharset.1.dylib"})
_WINDOWS = frozenset(
    {"python3.dll", "kernel32.dll", "ntdll.dll", "msvcrt.dll", "userenv.dll", "ws2_32.dll", "bcrypt.dll"}
    | {"bcryptprimitives.dll", "advapi32.dll", "vcruntime140.dll"}
)


@dataclass(frozen=True)
class Target:
    """A system and processor.

    Attributes
    ----------
    triple
        The name of the target in Rust.
    platform_tag
        A regular expression for the platform tag of the wheel.
    libraries
        The system libraries that the core may need; names of Windows in lower case.
    linker
        A command without which the target cannot be built here; empty for zig, which pip installs.
    options
        Further options of maturin.
    """

    triple: str
    platform_tag: str
    libraries: frozenset[str]
    linker: str = ""
    options: tuple[str, ...] = field(default=())

    def command(self, maturin: Path, out: Path) -> list[str]:
        """Return the command that builds the wheel into the folder `out`."""
        zig = () if self.linker else ("--zig",)
        options = ("--release", "--locked", "--target", self.triple, *zig, *self.options)
        return [str(maturin), "build", *options, "--out", str(out)]


TARGETS = (
    Target(
        "x86_64-unknown-linux-gnu",
        r"manylinux_2_(17|28)_x86_64(\..*)?",
        _LINUX | {"ld-linux-x86-64.so.2"},
        options=("--compatibility", "manylinux_2_28"),
    ),
    Target(
        "aarch64-unknown-linux-gnu",
        r"manylinux_2_(17|28)_aarch64(\..*)?",
        _LINUX | {"ld-linux-aarch64.so.1"},
        options=("--compatibility", "manylinux_2_28"),
    ),
    Target("aarch64-apple-darwin", r"macosx_1[1-4]_0_arm64", _MACOS),
    Target("x86_64-apple-darwin", r"macosx_1[0-4]_\d+_x86_64", _MACOS),
    # With zig, maturin 1.16 asks the linker for `PyInit_snapseek._core`, which no module in a package has.
    Target("x86_64-pc-windows-gnu", r"win_amd64", _WINDOWS, linker="x86_64-w64-mingw32-gcc"),
)
