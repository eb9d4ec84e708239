"""A library whose files another program truncates while it is open: an error, and the process goes on."""

import io
import os
import shutil

import pytest

from snapseek import Library
from snapseek.errors import FormatError, UnknownChoiceError
from snapseek.library.columns import column_store

READS = {
    "search": lambda library: library.search("red"),
    "filter": lambda library: library.search(where="kind:jpeg"),
    "by id": lambda library: library.search(1),
    "words": lambda library: library.search("red", mode="words"),
    "browse": lambda library: library.browse(),
    "sort": lambda library: library.browse(sort="newest"),
    "item": lambda library: library[1],
    "many": lambda library: library.get_many([1, 2]),
    "vector": lambda library: library.vector(1),
    "path": lambda library: library.original_path(1),
    "warm": lambda library: library.warm(),
    "export": lambda library: library.export(io.BytesIO(), "csv"),
}


@pytest.fixture
def opened(library, tmp_path, monkeypatch):
    """Open libraries whose column indexes are in files, of which some are in use."""
    monkeypatch.setattr(column_store, "KEPT_ROWS", 1)
    path = shutil.copytree(library.info().path, tmp_path / "library")

    def open_(load="map"):
        for _ in range(2):  # the first one writes the indexes that the second one maps
            again = Library.open(path, encoder=library.encoder, load=load, allow_roots=library.info().folders)
            for read in READS.values():
                read(again)
        return again

    return open_


def truncate(library, pattern):
    paths = list((library.info().path / "shards").glob(pattern))
    assert paths
    for path in paths:
        os.truncate(path, 10)


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
@pytest.mark.parametrize("pattern", ["*.arrow", "*.facet", "*"])
def test_reading_truncated_files_is_a_format_error(opened, read, pattern):
    library = opened()
    truncate(library, pattern)
    with pytest.raises(FormatError, match="truncated"):
        read(library)


@pytest.mark.parametrize("name", ["search", "by id", "vector", "warm"])
def test_reading_truncated_vectors_is_a_format_error(opened, name):
    library = opened()
    truncate(library, "*.snap")
    with pytest.raises(FormatError, match="truncated"):
        READS[name](library)
    library.browse()  # needs no vectors


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
def test_a_library_in_ram_does_not_need_its_files(opened, read):
    library = opened("ram")
    read(library)
    truncate(library, "*")
    read(library)


def test_a_library_is_mapped_or_in_ram(library):
    with pytest.raises(UnknownChoiceError) as caught:
        Library.open(library.info().path, load="disk")
    assert caught.value.got == "'disk'"
