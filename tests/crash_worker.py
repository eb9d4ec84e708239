"""Does one thing after another to libraries, each in a process of its own that a faulty disk may kill.

A line of JSON comes in for each: {"job", "library", "folder", "log", "kill_at", "space", "settings"}; the
exit status goes out, or minus the signal. Run with faulty_disk.c loaded; the model is loaded once, for all.
"""

import ctypes
import json
import os
import sys
import traceback
from pathlib import Path

from snapseek.errors import StorageError
from snapseek.library import Library
from snapseek.library.changes import compact, pieces
from snapseek.models import Encoder

STORAGE = 3
"""The exit status when the disk refused and that was said."""


def index(library: Path, folder: Path, encoder: Encoder) -> None:
    """A first index, or one that goes on."""
    Library.build(folder, library, encoder=encoder, threads=1)


def sync(library: Path, folder: Path, encoder: Encoder) -> None:
    """Take up a changed folder."""
    Library.open(library, encoder=encoder).sync(folder, threads=1)


def compaction(library: Path, folder: Path, encoder: Encoder) -> None:
    """All shards into one."""
    Library.open(library, encoder=encoder).compact(threads=1)


def remove(library: Path, folder: Path, encoder: Encoder) -> None:
    """Take out some pictures by id and some by folder, if they are there."""
    opened = Library.open(library, encoder=encoder)
    if any(hit.id == 2 for hit in opened.browse(999)):
        opened.remove([2, 3, folder / "b"])
    else:
        opened.repair()


def take_in(library: Path, folder: Path, encoder: Encoder) -> None:
    """Import the vectors that lie beside the folder."""
    Library.import_vectors(folder.with_name("vectors"), library, encoder=encoder, threads=1)


JOBS = {"import": take_in, "index": index, "sync": sync, "compact": compaction, "remove": remove}


def configure(settings: dict[str, float]) -> None:
    """Let small libraries behave as large ones: names of settings, and what they are to be."""
    modules = {"pieces": pieces, "compact": compact, "core": compact.core}
    for name, value in settings.items():
        module, _, attribute = name.partition(".")
        setattr(modules[module], attribute, value)


def work(request: dict, encoder: Encoder) -> None:
    """Do a job and end the process."""
    status = 1
    try:
        configure(request["settings"])
        disk = ctypes.CDLL(None)
        disk.faulty_disk_begin.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_long, ctypes.c_long]
        disk.faulty_disk_begin(
            os.fsencode(request["library"]), os.fsencode(request["log"]), request["kill_at"], request["space"]
        )
        JOBS[request["job"]](Path(request["library"]), Path(request["folder"]), encoder)
        Path(f"{request['log']}.events").write_text(str(disk.faulty_disk_events()))
        status = 0
    except StorageError:
        status = STORAGE
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def main() -> None:
    """Read requests until there are no more."""
    encoder = Encoder.load(sys.argv[1], threads=1)
    encoder.space  # noqa: B018  (all that is read lazily is read before the first fork)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            work(json.loads(line), encoder)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
