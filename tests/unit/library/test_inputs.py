"""`Library.build` from files, PIL pictures and tables in memory."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from snapseek import Library
from snapseek.errors import InputError, MissingArgumentError, StorageError
from snapseek.sources.archive_uri import read_member
from tests.conftest import PICTURES, write_pictures

COLORS = {"red": (220, 20, 20), "green": (20, 200, 30), "blue": (20, 30, 210)}


def pictures() -> list[Image.Image]:
    return [Image.new("RGB", (60, 40), color) for color in COLORS.values()]


def best(library: Library, query: str):
    return library.search(query, limit=1)[0]


def test_a_single_folder_gets_its_library_inside(folder, encoder):
    library = Library.build(folder, encoder=encoder)
    assert library.snapshot().path == folder / ".snapseek"
    assert len(library) == len(PICTURES)


@pytest.mark.parametrize("form", [list, tuple, iter, lambda paths: (str(path) for path in paths)])
def test_files_are_indexed_one_by_one(folder, tmp_path, encoder, form):
    files = [folder / "red.jpg", folder / "deep" / "blue.webp"]
    library = Library.build(form(files), tmp_path / "l", encoder=encoder)
    assert sorted(hit.path for hit in library) == sorted(files)
    assert library.report.added == 2


def test_files_and_folders_can_be_mixed(folder, tmp_path, encoder):
    other = write_pictures(tmp_path / "other") / "red.jpg"
    library = Library.build([folder, other], tmp_path / "l", encoder=encoder)
    assert library.report.added == len(library) == len(PICTURES) + 1


def test_a_missing_file_is_refused(folder, tmp_path, encoder):
    with pytest.raises(InputError, match="expected a picture, got nothing at"):
        Library.build([folder / "none.jpg"], tmp_path / "l", encoder=encoder)
    assert not (tmp_path / "l").exists()


def test_pictures_are_indexed_by_their_position(tmp_path, encoder):
    library = Library.build(pictures(), tmp_path / "l", encoder=encoder)
    for position, name in enumerate(COLORS):
        hit = best(library, name)
        assert (hit.meta["position"], hit.meta["name"]) == (position, f"{position}.png")
        assert (hit.width, hit.height) == (60, 40)
        assert hit.path is None


def test_the_original_of_a_picture_is_kept_without_loss(tmp_path, encoder):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8))
    library = Library.build(noise, tmp_path / "l", encoder=encoder)
    (hit,) = library
    kept = Image.open(io.BytesIO(read_member(library.archive_uri(hit.id))))
    assert np.array_equal(np.asarray(kept), np.asarray(noise))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "HSV", "I;16", "I", "F"])
def test_pictures_of_every_mode_are_indexed(tmp_path, encoder, mode):
    base = Image.new("RGB", (60, 40), "white")
    picture = Image.new(mode, (60, 40)) if mode in ("I;16", "I", "F") else base.convert(mode)
    library = Library.build([picture], tmp_path / "l", encoder=encoder)
    assert (len(library), library.failures()) == (1, [])


def test_a_rotated_picture_is_upright_and_keeps_its_date(tmp_path, encoder):
    exif = Image.Exif()
    exif[274] = 6  # rotated by 90 degrees
    exif.get_ifd(0x8769)[36867] = "2019:05:06 07:08:09"
    Image.new("RGB", (60, 40), "red").save(tmp_path / "a.jpg", exif=exif)
    with Image.open(tmp_path / "a.jpg") as picture:
        (hit,) = Library.build([picture], tmp_path / "l", encoder=encoder)
    assert (hit.width, hit.height) == (40, 60)
    assert hit.meta["taken"].startswith("2019-05-06T07:08:09")


def test_a_broken_picture_is_reported_and_stops_nothing(tmp_path, encoder):
    path = tmp_path / "a.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with Image.open(path) as broken:
        library = Library.build(
            [broken, *pictures(), Image.new("RGB", (0, 0))], tmp_path / "l", encoder=encoder
        )
    assert [hit.meta["position"] for hit in library] == [1, 2, 3]
    assert len(library.failures()) == 2


def test_the_same_pictures_are_not_embedded_again(tmp_path, encoder, embedded):
    Library.build(pictures(), tmp_path / "l", encoder=encoder)
    assert len(embedded) == 3
    assert Library.build(pictures(), tmp_path / "l", encoder=encoder).report.unchanged == 3
    assert len(embedded) == 3


def test_other_pictures_replace_those_before(tmp_path, encoder):
    Library.build(pictures(), tmp_path / "l", encoder=encoder)
    library = Library.build(pictures()[:2], tmp_path / "l", encoder=encoder)
    assert [hit.meta["position"] for hit in library] == [0, 1]


def test_pictures_from_memory_survive_a_sync_and_join_a_folder(folder, tmp_path, encoder):
    Library.build(folder, tmp_path / "l", encoder=encoder)
    library = Library.build(pictures(), tmp_path / "l", encoder=encoder)
    assert len(library) == len(PICTURES) + 3
    report = library.sync()
    assert (report.removed, report.unconfirmed) == (0, ())
    assert library.verify() == []


def test_a_table_of_relative_paths_is_that_of_the_working_directory(folder, tmp_path, encoder, monkeypatch):
    monkeypatch.chdir(folder)
    table = pa.table({"path": ["red.jpg", "deep/blue.webp", None], "label": ["a", "b", "c"]})
    library = Library.build(table, tmp_path / "l", encoder=encoder)
    assert {hit.path: hit.meta["label"] for hit in library} == {
        folder / "red.jpg": "a",
        folder / "deep" / "blue.webp": "b",
    }
    assert library.search("red", where="label:a", limit=5)[0].path == folder / "red.jpg"
    assert len(library.failures()) == 1


def test_a_table_of_encoded_pictures_is_indexed(folder, tmp_path, encoder):
    contents = [(folder / name).read_bytes() for name in ("red.jpg", "green.png")]
    library = Library.build(pa.table({"image": contents, "n": [1, 2]}), tmp_path / "l", encoder=encoder)
    assert best(library, "green").meta["n"] == 2


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.list_(pa.float64()), pa.list_(pa.float32(), 8)])
def test_a_table_of_vectors_is_imported(tmp_path, encoder, kind):
    vectors = encoder.embed_images(pictures())
    kind = pa.list_(pa.float32(), encoder.dim) if pa.types.is_fixed_size_list(kind) else kind
    table = pa.table(
        {"embedding": pa.array(vectors.tolist(), kind), "path": ["/a/red.jpg", "/a/green.jpg", "/a/b.jpg"]}
    )
    library = Library.build(table, tmp_path / "l", encoder=encoder)
    hit = best(library, "green")
    assert (hit.uri, hit.meta["path"], hit.path) == ("file:///a/green.jpg", "/a/green.jpg", None)
    assert hit.score == pytest.approx(1, abs=0.1)


def test_vectors_alone_are_imported(tmp_path, encoder):
    table = pa.table({"x": encoder.embed_images(pictures()).tolist()})
    assert len(Library.build(table, tmp_path / "l", encoder=encoder)) == 3


def test_vectors_need_their_model(tmp_path, encoder):
    table = pa.table({"embedding": encoder.embed_images(pictures()).tolist()})
    with pytest.raises(MissingArgumentError, match="expected the model that made the vectors"):
        Library.build(table, tmp_path / "l")
    assert not (tmp_path / "l").exists()


@pytest.mark.parametrize(
    ("values", "got"),
    [
        ([[1.0, 2.0], [1.0]], "lengths 1, 2"),
        ([[1.0, 2.0], None], "none in row 1"),
        ([[1.0, None]] * 2, "missing"),
    ],
)
def test_vectors_of_several_lengths_are_refused(tmp_path, encoder, values, got):
    table = pa.table({"embedding": pa.array(values, pa.list_(pa.float32()))})
    with pytest.raises(InputError, match=got):
        Library.build(table, tmp_path / "l", encoder=encoder)
    assert not (tmp_path / "l").exists()


def test_a_data_frame_takes_paths_and_pictures(folder, tmp_path, encoder):
    pandas = pytest.importorskip("pandas")
    paths = [folder / "red.jpg", None, folder / "green.png"]
    library = Library.build(
        pandas.DataFrame({"path": paths, "n": [1, 2, 3]}), tmp_path / "a", encoder=encoder
    )
    assert best(library, "green").meta["n"] == 3
    frame = pandas.DataFrame({"picture": pictures(), "n": [1, 2, 3]}, index=[7, 8, 9])
    library = Library.build(frame, tmp_path / "b", encoder=encoder)
    assert best(library, "blue").meta["n"] == 3
    vectors = pandas.DataFrame({"vector": [*encoder.embed_images(pictures())]})
    assert len(Library.build(vectors, tmp_path / "c", encoder=encoder)) == 3


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (3, "expected paths, PIL pictures or a table"),
        (b"a", "expected paths, PIL pictures or a table"),
        ([3], "expected paths, PIL pictures or a table"),
        (["a", Image.new("RGB", (2, 2))], "expected paths, PIL pictures or a table"),
        ([Image.new("RGB", (2, 2)), "a"], "expected only PIL pictures in the list, got str"),
        (pa.table({"n": [1]}), "expected a column with URLs"),
        (pa.table({"url": pa.array([], pa.string())}), "expected a table with rows"),
    ],
)
def test_what_cannot_be_indexed_is_refused_and_leaves_nothing(tmp_path, encoder, items, message):
    with pytest.raises(InputError, match=message):
        Library.build(items, tmp_path / "l", encoder=encoder)
    assert not (tmp_path / "l").exists()


@pytest.mark.parametrize("path", [None, "", 3])
def test_pictures_in_memory_need_the_path_of_a_library(encoder, path):
    with pytest.raises(MissingArgumentError, match="expected the path of the library"):
        Library.build(pictures(), path, encoder=encoder)


def test_only_build_takes_pictures_in_memory(folder, tmp_path, encoder):
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    for method in (library.add, library.sync):
        with pytest.raises(InputError, match=r"expected paths, got pictures .* Library.build"):
            method(pictures())


def test_a_foreign_file_in_the_place_of_a_table_stays(tmp_path, encoder):
    Library.build(pictures(), tmp_path / "l", encoder=encoder)
    target = tmp_path / "l" / "tables" / "pictures.parquet"
    for content in (b"mine", b""):
        target.write_bytes(content)
        with pytest.raises(StorageError, match="a file of another program has that name"):
            Library.build(pictures(), tmp_path / "l", encoder=encoder)
        assert target.read_bytes() == content
    target.unlink()
    pq.write_table(pa.table({"mine": [1]}), target)
    with pytest.raises(StorageError, match="a file of another program"):
        Library.build(pictures(), tmp_path / "l", encoder=encoder)
    assert pq.read_table(target).column_names == ["mine"]


def test_a_foreign_file_in_the_place_of_vectors_stays(tmp_path, encoder):
    table = pa.table({"embedding": encoder.embed_images(pictures()).tolist()})
    target = tmp_path / "l" / "tables" / "vectors" / "table_emb_0.npy"
    Library.build(table, tmp_path / "l", encoder=encoder)
    (target.parent / "metadata_0.parquet").unlink()
    target.write_bytes(b"mine")
    with pytest.raises(StorageError, match="a file of another program"):
        Library.build(table, tmp_path / "l", encoder=encoder)
    assert target.read_bytes() == b"mine"


def test_a_link_in_the_place_of_the_tables_is_not_followed(folder, tmp_path, encoder):
    Library.build(folder, tmp_path / "l", encoder=encoder)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "l" / "tables").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError):
        Library.build(pictures(), tmp_path / "l", encoder=encoder)
    assert [*(tmp_path / "elsewhere").iterdir()] == []


def test_a_folder_with_other_files_is_no_place_for_a_new_library(tmp_path, encoder):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="expected an empty or missing folder"):
        Library.build(pictures(), tmp_path, encoder=encoder)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
