"""snapseek.library.indexing.import_vectors: imports of ready vectors, and libraries of several shards."""

import shutil
import subprocess
import sys
import tarfile
import time
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from snapseek.errors import InputError, ItemNotFoundError, ModelMismatchError, StorageError
from snapseek.library import Library
from snapseek.library.indexing import import_vectors as module
from snapseek.models import Encoder
from snapseek.server.images.originals import find_original
from tests.conftest import PICTURES, write_pictures
from tests.support.embedding_files import WEBP, write_embeddings
from tests.support.tiny_model import write_tiny_model
from tests.support.vector_rows import unit_rows

ROWS = 700


@pytest.fixture
def lists(monkeypatch):
    """Hundreds of rows are many enough for inverted lists."""
    monkeypatch.setattr("snapseek.vectors.index.FLAT_ROWS", 300)


def imported(tmp_path, encoder, *parts, **columns):
    folder = write_embeddings(tmp_path / "laion", *parts, **columns)
    return Library.import_vectors(folder, tmp_path / "l", encoder=encoder, threads=1)


def check_answers(library, encoder, vectors):
    """Every word finds its nearest vectors, each with the record that came with it."""
    for word in ("red", "green", "blue"):
        query = encoder.embed_texts([word])[0]
        hits = library.search(word, 20, exact=True)
        best = np.sort(vectors.astype(np.float32) @ query)[::-1][:20]
        np.testing.assert_allclose([hit.score for hit in hits], best, atol=0.02)
        for hit in hits:
            row = int(hit.uri.rpartition("-")[2].removesuffix(".jpg"))
            assert hit.score == pytest.approx(float(vectors[row] @ query), abs=0.02)
            assert hit.caption == f"caption 0-{row}"
            assert library[hit.id].uri == hit.uri


def test_a_flat_import(tmp_path, encoder):
    vectors = unit_rows(50, dim=3).astype(np.float16)
    library = imported(tmp_path, encoder, vectors)
    assert len(library) == 50
    check_answers(library, encoder, vectors)
    (hit,) = library.search("red", 1)
    assert (hit.width, hit.height, hit.preview) == (640, 480, WEBP)
    assert hit.meta["taken"] == "2020-01-02"
    assert not list((tmp_path / "l" / "shards").glob("*.tmp"))


def test_an_import_builds_an_ivf_index(tmp_path, encoder, lists):
    vectors = unit_rows(ROWS, dim=3).astype(np.float16)
    library = imported(tmp_path, encoder, vectors)
    assert library.snapshot()._shards.parts[0].shard.index.info().kind == "ivf"
    check_answers(library, encoder, vectors)
    assert [hit.id for hit in library.browse(ROWS)] == list(range(1, ROWS + 1))
    assert library.browse(2, offset=5)[0].uri.endswith("/0-5.jpg")
    found = {hit.id for hit in library.search("red", 10)}
    assert len(found & {hit.id for hit in library.search("red", 10, exact=True)}) >= 8


def test_a_page_goes_on_where_the_last_one_ended(tmp_path, encoder, lists):
    library = imported(tmp_path, encoder, unit_rows(3000, dim=3).astype(np.float16))
    for word in ("red", "green", "blue", "a photo"):
        deep = library.search(word, 900)
        assert library.search(word, 60) == deep[:60]
        assert library.search(word, 60, offset=500) == deep[500:560]


def test_indexed_pictures_build_an_ivf_index(tmp_path, encoder, monkeypatch):
    monkeypatch.setattr("snapseek.vectors.index.FLAT_ROWS", 3)
    library = Library.build(write_pictures(tmp_path / "p"), tmp_path / "l", encoder=encoder)
    assert library.snapshot()._shards.parts[0].shard.index.info().kind == "ivf"
    for color in ("red", "green", "blue"):
        assert library.search(color, 1)[0].meta["name"].startswith(color)
    assert len(library.search(color, 100)) == len(PICTURES)


def test_vectors_are_normalized_and_zero_vectors_skipped(tmp_path, encoder):
    vectors = 5 * unit_rows(6, dim=3)
    vectors[2], vectors[4] = 0, np.nan
    library = imported(tmp_path, encoder, vectors)
    assert (len(library), library.info().failed) == (4, 2)
    assert "skipped 2 rows" in library.failures()[0].reason
    assert [hit.meta["key"] for hit in library.browse()] == ["0-0", "0-1", "0-3", "0-5"]
    assert all(abs(hit.score) <= 1.01 for hit in library.search("red"))


def test_pictures_and_imports_in_one_library(tmp_path, encoder):
    Library.build(write_pictures(tmp_path / "p"), tmp_path / "l", encoder=encoder)
    library = imported(tmp_path, encoder, unit_rows(50, dim=3))
    assert len(library) == 50 + len(PICTURES)
    hits = library.search("red", 56)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert len({hit.id for hit in hits}) == 56
    assert library.search("red", 7) == hits[:7]
    assert library.browse(56)[6:] == library.browse(50, offset=6)
    (tmp_path / "p" / "red.jpg").unlink()
    assert len(Library.build(tmp_path / "p", tmp_path / "l", encoder=encoder)) == 55


def test_reimports_change_nothing_unless_files_changed(tmp_path, encoder):
    first = imported(tmp_path, encoder, unit_rows(9, dim=3)).info().version
    folder = tmp_path / "laion"
    assert Library.import_vectors(folder, tmp_path / "l", encoder=encoder).info().version == first
    library = imported(tmp_path, encoder, unit_rows(8, dim=3), unit_rows(2, dim=3))
    assert len(library) == 10
    assert min(hit.id for hit in library.browse()) == 10
    assert len(list((tmp_path / "l" / "shards").iterdir())) == 2


def test_an_address_never_names_a_file_of_this_machine(tmp_path, encoder):
    path = tmp_path / "secret.jpg"
    library = imported(
        tmp_path, encoder, unit_rows(2, dim=3), URL=[path.as_uri(), f"https://x.example{path}"]
    )
    assert path.as_uri() in [hit.uri for hit in library.browse()]
    for hit in library.browse():
        with pytest.raises(ItemNotFoundError, match="was imported") as caught:
            library.original_path(hit.id)
        assert ("--allow-root" in (caught.value.hint or "")) == (hit.uri == path.as_uri())


def test_another_dimension_is_refused(tmp_path, encoder):
    with pytest.raises(InputError) as caught:
        imported(tmp_path, encoder, unit_rows(4))
    assert caught.value.expected.startswith("vectors of dimension 3")
    assert not (tmp_path / "l").exists()


def test_another_model_is_refused_and_the_library_stays(tmp_path, encoder):
    imported(tmp_path, encoder, unit_rows(4, dim=3))
    other = write_tiny_model(tmp_path / "other", mean=(0.4,) * 3)
    with pytest.raises(ModelMismatchError, match="another source"):
        Library.build(write_pictures(tmp_path / "p"), tmp_path / "l", encoder=Encoder.load(other))
    assert len(Library.open(tmp_path / "l", encoder=encoder)) == 4


def test_an_import_does_not_start_on_a_full_disk(tmp_path, encoder, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 100})())
    with pytest.raises(StorageError) as caught:
        imported(tmp_path, encoder, unit_rows(4, dim=3))
    assert "free for" in caught.value.expected


@pytest.mark.parametrize("stage", ["read", "records"])
def test_a_stopped_import_leaves_the_old_library(tmp_path, encoder, stage):
    imported(tmp_path, encoder, unit_rows(4, dim=3))
    folder = write_embeddings(tmp_path / "more", unit_rows(5, dim=3))

    def stop(name, share):
        if name == stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Library.import_vectors(folder, tmp_path / "l", encoder=encoder, progress=stop)
    assert len(Library.open(tmp_path / "l", encoder=encoder)) == 4
    assert len(list((tmp_path / "l" / "shards").iterdir())) == 2


IMPORT = """
import sys
import snapseek.vectors
from snapseek import Encoder, Library
snapseek.vectors.index.FLAT_ROWS = 300
encoder = Encoder.load(sys.argv[1])
print("begun", flush=True)
Library.import_vectors(sys.argv[2], sys.argv[3], encoder=encoder)
print("done", flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("delay_s", [0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4])
def test_a_killed_import_leaves_the_old_library_or_the_new(tmp_path, tiny_model, encoder, delay_s):
    imported(tmp_path, encoder, unit_rows(4, dim=3))
    folder = write_embeddings(tmp_path / "more", unit_rows(5000, dim=3))
    command = [sys.executable, "-c", IMPORT, str(tiny_model), str(folder), str(tmp_path / "l")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "begun\n"
        time.sleep(delay_s)
        process.kill()
    assert len(Library.open(tmp_path / "l", encoder=encoder)) in (4, 5004)
    library = Library.import_vectors(folder, tmp_path / "l", encoder=encoder)
    assert sorted(hit.id for hit in library.browse(6000)) == list(range(1, 5005))
    assert len(list((tmp_path / "l" / "shards").iterdir())) == 4


def rewritten(path, array, **options):
    with path.open("wb") as file:
        np.lib.format.write_array(file, array, **options)


@pytest.mark.parametrize(
    ("change", "options"),
    [
        (np.asfortranarray, {}),
        (lambda rows: rows.astype(">f4"), {}),
        (lambda rows: rows.astype(">f2"), {}),
        (lambda rows: rows.astype("f8"), {}),
        (lambda rows: np.asfortranarray(rows.astype(">f8")), {}),
        (lambda rows: rows.astype("f8") * 1e100, {}),
        (lambda rows: rows * 3, {}),
        (lambda rows: rows, {"version": (2, 0)}),
        pytest.param(lambda rows: rows, {"version": (3, 0)}, marks=pytest.mark.filterwarnings("ignore")),
    ],
)
def test_vectors_as_programs_save_them(tmp_path, encoder, change, options):
    vectors = unit_rows(50, dim=3)
    folder = write_embeddings(tmp_path / "laion", vectors)
    rewritten(folder / "img_emb" / "img_emb_0.npy", change(vectors), **options)
    library = Library.import_vectors(folder, tmp_path / "l", encoder=encoder)
    check_answers(library, encoder, vectors)
    assert library.report.added == 50
    assert Library.import_vectors(folder, tmp_path / "l", encoder=encoder).report.unchanged == 50


def test_float64_is_converted_a_block_at_a_time(tmp_path, encoder, monkeypatch):
    monkeypatch.setattr("snapseek.sources.embeddings.BLOCK_ROWS", 64)
    sizes = []
    plain = module._normalized
    monkeypatch.setattr(module, "_normalized", lambda rows: sizes.append(len(rows)) or plain(rows))
    library = imported(tmp_path, encoder, unit_rows(200, dim=3).astype("f8"))
    assert (len(library), max(sizes), sum(sizes)) == (200, 64, 200)


@pytest.mark.parametrize("value", [0, np.nan, np.inf, 1e-9])
def test_a_row_without_a_direction_is_left_out_and_counted(tmp_path, encoder, value):
    vectors = unit_rows(20, dim=3).astype("f8")
    vectors[3] = value
    library = imported(tmp_path, encoder, vectors)
    assert (library.report.added, library.report.failed) == (19, 1)
    again = Library.import_vectors(tmp_path / "laion", library.info().path, encoder=encoder).report
    assert (again.unchanged, again.failed_before, again.failed) == (20, 1, 0)


def test_originals_of_imports_are_shown_below_a_root_of_this_run_only(tmp_path, encoder):
    (tmp_path / "shown").mkdir()
    red = tmp_path / "shown" / "red.png"
    Image.new("RGB", (8, 8), (255, 0, 0)).save(red)
    with tarfile.open(tmp_path / "shown" / "a.tar", "w") as archive:
        archive.add(red, "red.png")
    secret = tmp_path / "secret.png"
    shutil.copy(red, secret)
    (tmp_path / "shown" / "link.png").symlink_to(secret)
    member = (tmp_path / "shown" / "a.tar").as_uri().replace("file:", "tar:") + "!red.png"
    outside = (tmp_path / "shown" / ".." / "secret.png").as_uri()
    uris = [red.as_uri(), member, secret.as_uri(), (tmp_path / "shown" / "link.png").as_uri(), outside]
    imported(tmp_path, encoder, unit_rows(len(uris), dim=3), URL=uris)
    for roots, expected in (((), []), ((tmp_path / "shown",), uris[:2])):
        library = Library.open(tmp_path / "l", encoder=encoder, allow_roots=roots)
        found = []
        for hit in library.browse():
            with suppress(ItemNotFoundError):
                assert find_original(library, hit.id).media_type == "image/png"
                found.append(hit.uri)
        assert sorted(found) == sorted(expected)
        assert library.archive_uri(next(hit.id for hit in library.browse() if hit.uri == uris[2])) is None
