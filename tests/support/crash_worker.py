"""Run jobs on libraries, each in a child process that a faulty disk may kill.

It reads one line of JSON for each job: {"job", "library", "folder", "log", "kill_at", "space", "settings"},
and for some "cache", the folder of the user's cache, and "swap" with "target": see `foreign_files`. The exit
status goes out, or minus the signal. Run with faulty_disk.c loaded; the model is loaded once, for all.
"""

import ctypes
import json
import os
import sys
import threading
import traceback
from pathlib import Path

from snapseek.errors import SnapseekError, StorageError
from snapseek.library import Library, repair, verify
from snapseek.library.columns import column_store
from snapseek.library.indexing import batch_writer, change_records, compact
from snapseek.library.watch import watch
from snapseek.models import Encoder
from tests.support.foreign_files import swap_after_check
from tests.support.students import static_weights, write_student

STORAGE = 3
"""The exit status when the disk refused and that was said."""
REFUSED = 4
"""The exit status when something else was refused in a sentence."""


def index(library: Path, folder: Path, encoder: Encoder) -> None:
    """Index a folder, or resume."""
    Library.build(folder, library, encoder=encoder, threads=1)


def sync(library: Path, folder: Path, encoder: Encoder) -> None:
    """Sync a changed folder."""
    Library.open(library, encoder=encoder).sync(folder, threads=1)


def compaction(library: Path, folder: Path, encoder: Encoder) -> None:
    """Merge all shards."""
    Library.open(library, encoder=encoder).compact(threads=1)


def remove(library: Path, folder: Path, encoder: Encoder) -> None:
    """Remove pictures by id and by folder, if they are there."""
    opened = Library.open(library, encoder=encoder)
    if any(hit.id == 2 for hit in opened.browse(999)):
        opened.remove([2, 3, folder / "b"])
    else:
        opened.repair()


def take_in(library: Path, folder: Path, encoder: Encoder) -> None:
    """Import the vectors next to the folder."""
    Library.import_vectors(folder.with_name("vectors"), library, encoder=encoder, threads=1)


def mend(library: Path, folder: Path, encoder: Encoder) -> None:
    """Repair the library."""
    repair(library)


def upgrade(library: Path, folder: Path, encoder: Encoder) -> None:
    """Embed all pictures with the model next to the folder."""
    Library.open(library).upgrade(Encoder.load(folder.with_name("second model")), threads=1)


def check(library: Path, folder: Path, encoder: Encoder) -> None:
    """Verify the library."""
    verify(library)


def export(library: Path, folder: Path, encoder: Encoder) -> None:
    """Write all records next to the library."""
    Library.open(library, encoder=encoder).export(library.with_name("all.csv"))


def previews(library: Path, folder: Path, encoder: Encoder) -> None:
    """Make the previews of imported rows, from files of the folder."""
    Library.open(library, encoder=encoder).previews(root=folder, threads=1)


def follow(library: Path, folder: Path, encoder: Encoder) -> None:
    """One step of a watch."""
    stop = threading.Event()
    watch(
        Library.open(library, encoder=encoder),
        [folder],
        threads=1,
        on_sync=lambda report: stop.set(),
        on_problem=lambda sentence: stop.set(),
        stop=stop,
    )


def search(library: Path, folder: Path, encoder: Encoder) -> None:
    """Search with filters, whose column indexes are cached in files."""
    Library.open(library, encoder=encoder).search("red width:>2 name:png", 5)


def teach(library: Path, folder: Path, encoder: Encoder) -> None:
    """Teach a word, move two of its marks and give it another name."""
    opened = Library.open(library, encoder=encoder)
    if all(concept.name != "bella" for concept in opened.concepts()):
        opened.teach("rex", [4, 5], [1], unmark=[2])
        opened.rename_concept("rex", "bella")


def distil(library: Path, folder: Path, encoder: Encoder) -> None:
    """Put a student of the model into the library."""
    write_student(library / "student", static_weights(), encoder, {"kind": "static"})


JOBS = {
    "import": take_in,
    "index": index,
    "sync": sync,
    "compact": compaction,
    "remove": remove,
    "repair": mend,
    "upgrade": upgrade,
    "verify": check,
    "export": export,
    "previews": previews,
    "watch": follow,
    "search": search,
    "distil": distil,
    "teach": teach,
}


def configure(settings: dict[str, float]) -> None:
    """Let small libraries behave as large ones: names of settings, and what they are to be."""
    modules = {
        "batch_writer": batch_writer,
        "change_records": change_records,
        "compact": compact,
        "core": compact.core,
        "column_store": column_store,
    }
    modules |= {"watch": sys.modules[watch.__module__]}
    for name, value in settings.items():
        module, _, attribute = name.partition(".")
        setattr(modules[module], attribute, value)


def work(request: dict, encoder: Encoder) -> None:
    """Do a job and end the process."""
    status = 1
    try:
        configure(request["settings"])
        if "cache" in request:
            os.environ["SNAPSEEK_CACHE"] = request["cache"]
        if request.get("swap"):
            swap_after_check(request["swap"], Path(request["target"]))
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
    except SnapseekError:
        status = REFUSED
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
