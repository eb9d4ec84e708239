"""Hundreds of broken inputs among good ones: each failure is reported by name, none is fatal, none lost.

`pytest -s tests/robustness/test_hostile_files.py` prints how many there were.
"""

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from snapseek.errors import InputError
from snapseek.library import Library
from snapseek.library.storage.database import Database
from snapseek.sources import FetchLimits
from snapseek.sources.http import fetch, url_policy
from tests.support.hostile_files import (
    BAD,
    BROKEN_SIDECARS,
    EITHER,
    GOOD,
    GOOD_IMPORT,
    IMPORTS,
    bad_archives,
    bad_tables,
    hostile_files,
    list_rows,
    write_list,
)
from tests.support.loopback import Loopback, answer
from tests.support.picture_sources import COLORS, picture, write_hugging_face, write_webdataset
from tests.unit.sources.http.test_fetch import FAILURES

QUICK = FetchLimits(pause_s=0.01, timeout_s=1.0, deadline_s=6.0, max_bytes=1 << 20, attempts=2)
MOST_MEMORY_BYTES = 3 << 30


@dataclass
class Tally:
    """Pictures found and failures reported, by name within their source."""

    failed: dict[str, str] = field(default_factory=dict)
    found: set[str] = field(default_factory=set)

    def of(self, library: Library, source) -> "Tally":
        """Add the pictures and failures that a library holds of a source."""
        with Database.open(library.info().path) as database:
            for row in database.files.all():
                if row.folder == source and row.reason is not None:
                    self.failed[row.within] = row.reason
                elif row.folder == source:
                    self.found.add(row.within)
        return self

    def check(self, fates: dict[str, str]) -> None:
        """Check that each input has its expected outcome, and that every reason is one readable line."""
        assert not self.failed.keys() & self.found
        wrong = {
            name: (fate, self.failed.get(name))
            for name, fate in fates.items()
            if (fate == BAD and name not in self.failed)
            or (fate == GOOD and name not in self.found)
            or (fate == EITHER and name not in self.failed.keys() | self.found)
        }
        assert wrong == {}
        for name, reason in self.failed.items():
            assert reason, name
            assert "\n" not in reason, name
            assert "Traceback" not in reason, name


@pytest.fixture(scope="module")
def counted():
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here on (proc(5))
    before = memory_bytes("VmRSS")
    counts: dict[str, int] = {}
    yield counts
    if len(counts) == 6:
        sys.stdout.write(f"\n{sum(counts.values())} hostile or broken inputs: {counts}\n")
        assert sum(counts.values()) >= 500
        assert memory_bytes("VmHWM") - before < MOST_MEMORY_BYTES


def memory_bytes(name):
    """Return a size of this process from /proc/self/status."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)[1])


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_broken_files_are_reported(tmp_path, encoder, counted):
    source = tmp_path / "pictures"
    source.mkdir()
    inputs = hostile_files()
    for item in inputs:
        item.write(source / item.name)
    good = {f"good-{number:03}.jpg": GOOD for number in range(40)}
    for number, name in enumerate(good):
        (source / name).write_bytes(picture(list(COLORS)[number % 4]))
    library = Library.build(source, tmp_path / "l", encoder=encoder)
    assert library.report.added + library.report.failed >= len(inputs) + len(good)
    Tally().of(library, source).check({item.name: item.fate for item in inputs} | good)
    assert len(library.search("red", limit=10)) == 10
    again = library.sync()
    assert (again.added, again.updated, again.removed) == (0, 0, 0)
    counted["files"] = len(inputs)


def test_broken_sidecars_are_reported(tmp_path, encoder, counted):
    source = tmp_path / "pictures"
    source.mkdir()
    for name, data in BROKEN_SIDECARS.items():
        (source / name).write_bytes(data)
        (source / name).with_suffix(f".{name[-3:]}.jpg").write_bytes(b"no picture")
        (source / f"{name}.jpg").write_bytes(picture())
        (source / f"{name}.jpg{name[name.index('.') :]}").write_bytes(data)
    library = Library.build(source, tmp_path / "l", encoder=encoder)
    Tally().of(library, source).check({f"{name}.jpg": GOOD for name in BROKEN_SIDECARS})
    for name in BROKEN_SIDECARS:
        assert any(note.startswith(f"{name}.jpg: ") for note in library.report.notes), name
    counted["sidecars"] = len(BROKEN_SIDECARS)


def test_broken_tables_are_reported(tmp_path, encoder, counted):
    source = tmp_path / "tables"
    source.mkdir()
    inputs = list(bad_tables())
    for item in inputs:
        item.write(source / item.name)
    for name in ("a-first", "m-middle", "z-last"):
        write_hugging_face(source / f"{name}.parquet")
    library = Library.build(source, tmp_path / "l", encoder=encoder)
    tally = Tally().of(library, source)
    rows = {f"{name}.parquet/{row}": GOOD for name in ("a-first", "m-middle", "z-last") for row in range(4)}
    tally.check(rows)
    for item in inputs:
        failed = any(name.partition("/")[0] == item.name for name in tally.failed)
        found = any(name.partition("/")[0] == item.name for name in tally.found)
        assert failed if item.fate == BAD else failed or found, item.name
    counted["tables"] = len(inputs)


def test_broken_archives_are_reported(tmp_path, encoder, counted):
    source = tmp_path / "archives"
    source.mkdir()
    inputs = list(bad_archives())
    for item in inputs:
        item.write(source / item.name)
    for name in ("a-first", "m-middle", "z-last"):
        write_webdataset(source / f"{name}.tar")
    library = Library.build(source, tmp_path / "l", encoder=encoder)
    tally = Tally().of(library, source)
    names = ("a-first", "m-middle", "z-last")
    tally.check({f"{name}.tar/{number:09}.jpg": GOOD for name in names for number in range(4)})
    for item in inputs:
        failed = any(name.partition("/")[0] == item.name for name in tally.failed)
        found = any(name.partition("/")[0] == item.name for name in tally.found)
        fates = {BAD: failed, GOOD: found and not failed, EITHER: failed or found}
        assert fates[item.fate], (item.name, tally.failed)
    assert not list(tmp_path.rglob("*pwned*"))
    counted["archives"] = len(inputs)


@pytest.mark.slow
def test_broken_url_lists_are_reported(tmp_path, encoder, counted, monkeypatch):
    """Only the one loopback server may be fetched from, and only by its address."""
    real = url_policy.is_public
    for module in (url_policy, fetch):
        monkeypatch.setattr(module, "is_public", lambda address: address == "127.0.0.1" or real(address))
    routes = {f"{color}.jpg": answer(body=picture(color)) for color in COLORS}
    routes |= {name.replace(" ", "-"): behaviour for name, (behaviour, _, _) in FAILURES.items()}
    inside = {
        f"to-{host}": answer(302, Location=f"http://{host}/x") for host in ("169.254.169.254", "10.0.0.1")
    }
    with Loopback(routes | inside) as web:
        urls = [value for value, _ in list_rows()]
        bad = [
            web.url(name) for name in [*routes, *inside, "unknown"] if name.removesuffix(".jpg") not in COLORS
        ]
        good = [web.url(f"{color}.jpg") for color in COLORS]
        path = tmp_path / "list.jsonl"
        write_list(path, [*good[:2], *urls, *bad, *good[2:]])
        library = Library.build(path, tmp_path / "l", encoder=encoder, limits=QUICK)
    tally = Tally().of(library, path)
    tally.check(dict.fromkeys(good, GOOD) | dict.fromkeys(bad, BAD))
    assert tally.found == set(good)
    broken = 7
    texts = {value.strip() for value in urls if isinstance(value, str)}
    unnamed = sum(not isinstance(value, str) or not value.strip() for value in urls)
    assert len(tally.failed) == len(bad) + len(texts - {""}) + unnamed + broken
    counted["lists"] = len(bad) + len(urls) + broken


def test_broken_embeddings_are_refused(tmp_path, encoder, counted):
    """An import with a broken file is refused as a whole: the error names the file, and the library is
    unchanged.
    """
    good = put(tmp_path / "good", GOOD_IMPORT)
    library = Library.import_vectors(good, tmp_path / "l", encoder=encoder)
    for name, files in IMPORTS.items():
        source = put(tmp_path / name, GOOD_IMPORT | files)
        with pytest.raises(InputError) as caught:
            Library.import_vectors(source, tmp_path / "l", encoder=encoder)
        message = str(caught.value)
        assert any(path.name in message for path in source.rglob("*.*")), (name, message)
        assert "\n" not in message, name
    assert library.verify() == []
    assert len(Library.open(tmp_path / "l", encoder=encoder)) == 6
    counted["vectors"] = len(IMPORTS)


def put(source, files):
    for name, data in files.items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return source
