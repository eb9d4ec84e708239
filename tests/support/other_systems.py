"""Run a library in this process as it would run on Windows or macOS: `python -m tests.support.other_systems`.

The functions, flags and modules that the system lacks are removed, and those that behave differently there
are replaced, before snapseek is imported. Other packages are imported first, because they have branches of
their own. Separators of paths stay those of this system.
"""

import errno
import importlib
import os
import sys
import types
from pathlib import Path

_POSIX_ONLY = (
    *("O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_TMPFILE", "O_CLOEXEC", "sched_getaffinity", "fork"),
    *("register_at_fork", "getuid", "geteuid", "mkfifo", "fchmod", "chown", "pread", "killpg"),
)
_LINUX_ONLY = ("O_TMPFILE", "sched_getaffinity")
_IMPORTED_FIRST = (
    *(
        "asyncio",
        "sqlite3",
        "tarfile",
        "tempfile",
        "webbrowser",
        "numpy",
        "onnxruntime",
        "PIL.Image",
        "rich.progress",
    ),
    *("pyarrow.compute", "pyarrow.parquet", "starlette.testclient", "tokenizers", "uvicorn"),
)
_POSIX_MODULES = ("fcntl", "resource", "pwd", "grp", "termios")


def emulate(system: str) -> list[int]:
    """Change this process to `win32` or `darwin`. Return the list of descriptors that get a full flush."""
    for name in _IMPORTED_FIRST:
        importlib.import_module(name)
    flushed: list[int] = []
    if system == "win32":
        _remove_posix()
    else:
        import fcntl

        real = fcntl.fcntl
        fcntl.F_FULLFSYNC = 51  # type: ignore[attr-defined]
        fcntl.fcntl = lambda fd, command, *arguments: (  # type: ignore[assignment]
            flushed.append(fd) if command == 51 else real(fd, command, *arguments)
        )
        for name in _LINUX_ONLY:
            vars(os).pop(name, None)
    sys.platform = system
    return flushed


def _remove_posix() -> None:
    import fcntl

    locking = types.ModuleType("msvcrt")
    locking.LK_NBLCK = 2  # type: ignore[attr-defined]
    locking.locking = lambda fd, _mode, _size: fcntl.flock(  # type: ignore[attr-defined]
        fd, fcntl.LOCK_EX | fcntl.LOCK_NB
    )
    sys.modules["msvcrt"] = locking
    get_flags = fcntl.fcntl
    for name in _POSIX_MODULES:
        sys.modules[name] = None  # type: ignore[assignment]
    for name in _POSIX_ONLY:
        vars(os).pop(name, None)
    os.O_BINARY = 0  # type: ignore[attr-defined]
    os.supports_dir_fd = set()
    os.supports_follow_symlinks = set()
    os.open = _open_of_files(os.open)
    for name in ("open", "unlink", "stat", "link"):
        setattr(os, name, _without_descriptors(getattr(os, name)))
    os.link = _without_following(os.link)
    os.fsync = _flush_of_writers(os.fsync, lambda fd: get_flags(fd, fcntl.F_GETFL))
    Path.replace = _replace_of_closed(Path.replace)
    Path.rename = _rename_to_new(Path.rename)


def _without_descriptors(function):
    def call(*arguments, dir_fd=None, src_dir_fd=None, dst_dir_fd=None, **options):
        if not (dir_fd is src_dir_fd is dst_dir_fd is None):
            raise NotImplementedError(f"{function.__name__}: dir_fd unavailable on this platform")
        return function(*arguments, **options)

    return call


def _without_following(link):
    def call(source, target, *, follow_symlinks=True):
        if not follow_symlinks:
            raise NotImplementedError("link: follow_symlinks unavailable on this platform")
        link(source, target)

    return call


def _flush_of_writers(fsync, flags_of):
    def call(descriptor):
        if flags_of(descriptor) & 3 == os.O_RDONLY:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        fsync(descriptor)

    return call


def _open_of_files(system_open):
    def call(path, flags, mode=0o777):
        if os.path.isdir(path):  # noqa: PTH112
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(path))
        return system_open(path, flags, mode)

    return call


def _mapped() -> str:
    return Path("/proc/self/maps").read_text("utf-8")


def _replace_of_closed(replace):
    def call(self, target):
        if f" {Path(target).absolute()}\n" in _mapped():
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))
        return replace(self, target)

    return call


def _rename_to_new(rename):
    def call(self, target):
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        return rename(self, target)

    return call


def run(system: str, folder: Path, library: Path, model: Path) -> None:
    """Index, search, change, verify, export and serve a library; print a line for each step."""
    flushed = emulate(system)
    from PIL import Image
    from starlette.testclient import TestClient

    from snapseek import Encoder, Library
    from snapseek.errors import LibraryBusyError
    from snapseek.library.storage import lock
    from snapseek.server.app import create_app
    from snapseek.server.run import _raise_file_limit

    _raise_file_limit()
    encoder = Encoder.load(model)
    opened = Library.build(folder, library, encoder=encoder)
    print("built", len(opened))
    print("found", opened.search("red", limit=1)[0].uri.rpartition("/")[2])
    try:
        with lock.writer_lock(library / "held.lock", 0), lock.writer_lock(library / "held.lock", 0):
            print("locked twice")
    except LibraryBusyError:
        print("locked once")
    (library / "held.lock").unlink()
    Image.new("RGB", (60, 40), (200, 10, 200)).save(folder / "pink.png")
    (folder / "black.tif").unlink()
    report = opened.sync()
    print("synced", report.added, report.removed)
    opened.compact()
    print("filtered", len(opened.search("red name:pink", limit=9)))
    print("sound", not opened.verify())
    opened.export(folder.parent / "list.csv")
    opened.export(folder.parent / "list.csv")
    print("exported", sum(1 for _ in (folder.parent / "list.csv").open(encoding="utf-8")) - 1)
    client = TestClient(create_app(opened), base_url="http://127.0.0.1")
    item = opened.search("red", limit=1)[0].id
    print("original", client.get(f"/api/image/{item}").status_code)
    print("flushed", bool(flushed))


if __name__ == "__main__":
    run(sys.argv[1], *map(Path, sys.argv[2:]))
