import io
import shutil
import sqlite3
import threading
from contextlib import closing

import numpy as np
import pytest
from PIL import Image

from snapseek.errors import (
    FormatError,
    InputError,
    ItemNotFoundError,
    LibraryNotFoundError,
    ModelMismatchError,
    OutOfRangeError,
    PictureError,
    StorageError,
)
from snapseek.library import Library, Term
from snapseek.library.indexing import embed
from snapseek.library.paths import find_library, library_of
from snapseek.library.storage.database import Database
from snapseek.models import Encoder
from tests.conftest import PICTURES, write_pictures
from tests.support.tiny_model import write_tiny_model


def names(hits):
    return [hit.meta["name"] for hit in hits]


def state(directory):
    """Every file of a library but SQLite's own, with its bytes; of the database everything that it holds."""
    files = (
        path for path in directory.rglob("*") if path.is_file() and not path.name.endswith(("-shm", "-wal"))
    )
    found = {path.relative_to(directory).as_posix(): path.read_bytes() for path in files}
    uri = f"{(directory / 'library.db').as_uri()}?immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        return found | {"library.db": list(connection.iterdump())}


@pytest.mark.parametrize("color", ["red", "green", "blue", "yellow", "white", "black"])
def test_words_find_pictures(library, color):
    assert names(library.search(f"a {color} photo", limit=1))[0].startswith(color)


def test_a_hit_knows_its_picture(library):
    (hit,) = library.search("blue", limit=1)
    assert (hit.width, hit.height) == (60, 40)
    assert hit.score == pytest.approx(1, abs=0.1)
    assert hit.uri.endswith("/pictures/deep/blue.webp")
    assert library.original_path(hit.id).name == "blue.webp"
    assert (hit.meta["folder"], hit.meta["name"]) == ("deep", "blue.webp")
    assert len(hit.preview) <= 500
    red, green, blue = Image.open(io.BytesIO(hit.preview)).resize((1, 1)).getpixel((0, 0))
    assert blue > 150 > max(red, green)


def test_scores_fall_and_a_short_answer_is_the_start_of_a_long_one(library):
    whole = library.search("red", limit=100)
    assert len(whole) == whole.total == len(PICTURES)
    scores = [hit.score for hit in whole]
    assert scores == sorted(scores, reverse=True)
    for k in range(1, len(whole) + 1):
        assert library.search("red", limit=k) == whole[:k]
        assert library.search("red", limit=2, offset=k) == whole[k : k + 2]


def test_scores_are_cosines(library, encoder):
    images = {hit.meta["name"]: hit.score for hit in library.search("red", limit=100)}
    text = encoder.embed_texts(["red"])[0]
    for name, color in PICTURES.items():
        vector = encoder.embed_images([Image.new("RGB", (60, 40), color)])[0]
        assert images[name.rpartition("/")[2]] == pytest.approx(float(text @ vector), abs=0.02)


def test_browse_shows_what_is_stored_in_its_order(library):
    everything = library.browse(100)
    assert len(everything) == everything.total == len(PICTURES)
    assert all(hit.score is None for hit in everything)
    assert library.browse(2, offset=3) == everything[3:5]
    assert library.browse(2, offset=50) == []


def test_an_item_is_found_by_id(library):
    for hit in library.browse(100):
        assert library[hit.id] == hit
    for nobody in (0, -1, 7_000, 2**62):
        with pytest.raises(ItemNotFoundError, match=str(nobody)):
            library[nobody]


def test_took_adds_up(library):
    words = "red blue red red photo"  # of no other test: the encoder is shared, and caches
    took = library.search(words).took
    assert took.embed_ms + took.search_ms + took.fetch_ms == pytest.approx(took.total_ms, abs=1e-6)
    assert min(took.embed_ms, took.search_ms, took.fetch_ms) > 0
    assert 0 < took.tokenize_ms < took.embed_ms
    assert library.search(words).took.tokenize_ms == 0  # cached


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "enter at least one word"),
        (" \n\t", "enter at least one word"),
        ("x" * 10_000, "at most 1000 characters, got 10000"),
        ("🐶", "knows no word"),
    ],
    ids=["empty", "blank", "long", "emoji"],
)
def test_a_query_of_no_use(library, query, message):
    with pytest.raises(InputError, match=message):
        library.search(query)


def test_terms_are_added_and_taken_away(library):
    assert names(library.search("red + green + white", limit=1)) == ["yellow.gif"]
    assert names(library.search("white - 2:yellow", limit=1)) == ["blue.webp"]
    assert names(library.search("-white", limit=1)) == ["black.tif"]
    scores = {hit.meta["name"]: hit.score for hit in library.search("2:red - 0.5:blue", limit=9)}
    assert scores["red.jpg"] == max(scores.values())


def test_more_like_a_picture_of_the_library(library):
    ids = {hit.meta["name"]: hit.id for hit in library.browse(9)}
    hits = library.search(f"id:{ids['yellow.gif']}", limit=9)
    assert len(hits) == hits.total == len(PICTURES) - 1
    assert "yellow.gif" not in names(hits)
    assert set(names(hits)[:3]) == {"red.jpg", "green.png", "white.bmp"}
    both = f"id:{ids['red.jpg']} + id:{ids['green.png']} + white"
    assert names(library.search(both, limit=1)) == ["yellow.gif"]
    assert library.search(both, limit=9).total == len(PICTURES) - 2


def test_what_is_left_out_leaves_no_gap_between_pages(library):
    item = library.browse(1, offset=2)[0].id
    whole = library.search([Term("red"), Term(item, 0.1)], limit=9)
    assert item not in [hit.id for hit in whole]
    pages = [library.search([Term("red"), Term(item, 0.1)], limit=2, offset=offset) for offset in (0, 2, 4)]
    assert [hit for page in pages for hit in page] == whole


def test_more_like_a_picture_from_elsewhere(library, folder):
    assert names(library.search(folder / "green.png", limit=1)) == ["green.png"]
    assert names(library.search(f'image:"{folder}/green.png" + red + white', limit=1)) == ["yellow.gif"]
    assert names(library.search(Image.new("RGB", (9, 9), "blue"), limit=1)) == ["blue.webp"]


def test_a_query_by_id_needs_no_model(library):
    alone = Library.open(library.info().path)
    alone.search(library.browse(1)[0].id)
    assert alone.info().provider == "not loaded"


def test_an_unknown_id_is_an_error(library):
    with pytest.raises(ItemNotFoundError, match="7000"):
        library.search("red + id:7000")


def test_vectors_are_those_of_the_pictures(library, encoder):
    for hit in library.browse(9):
        vector = library.vector(hit.id)
        with Image.open(library.original_path(hit.id)) as picture:
            expected = encoder.embed_images([picture.convert("RGB")])[0]
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)
        np.testing.assert_allclose(vector, expected, atol=0.01)
    with pytest.raises(ItemNotFoundError, match="7000"):
        library.vector(7000)


def test_a_repeated_query_is_not_embedded_again(folder, tmp_path):
    model = write_tiny_model(tmp_path / "model")
    library = Library.build(folder, tmp_path / "l", encoder=Encoder.load(model))
    first = library.search("a red photo")
    again = min(library.search("a red photo").took.embed_ms for _ in range(20))
    assert again < first.took.embed_ms
    assert library.search("a red photo") == first


@pytest.mark.parametrize(("k", "offset"), [(0, 0), (-1, 0), (1, -1)])
def test_a_page_of_no_use(library, k, offset):
    with pytest.raises(InputError, match="or more"):
        library.search("red", k, offset=offset)
    with pytest.raises(InputError, match="or more"):
        library.browse(k, offset=offset)


def test_info(library, encoder):
    info = library.info()
    assert (info.count, info.failed, info.dim, info.name) == (6, 0, 3, "colors")
    assert info.fingerprint == encoder.fingerprint
    assert info.size_bytes > 1000
    assert [folder.name for folder in info.folders] == ["pictures"]


def test_a_notebook_shows_a_row_of_pictures(library):
    page = library.search("red", limit=3)._repr_html_()
    assert page.count("<img") == page.count('src="data:image/webp;base64,') == 3
    assert 'height="120"' in page
    assert 'width="180"' in page


def test_a_name_cannot_break_out_of_the_notebook(tmp_path, encoder):
    picture = tmp_path / "p" / '"><script>alert(1)<.png'
    picture.parent.mkdir()
    Image.new("RGB", (9, 9), "red").save(picture)
    assert (
        "<script" not in Library.build(tmp_path / "p", tmp_path / "l", encoder=encoder).browse()._repr_html_()
    )


def test_open_finds_what_build_made(folder, tmp_path, encoder):
    built = Library.build(folder, tmp_path / "l", encoder=encoder)
    opened = Library.open(tmp_path / "l")  # the model comes from the library's own record
    assert opened.search("red", limit=6) == built.search("red", limit=6)
    assert opened.encoder.fingerprint == encoder.fingerprint


def test_several_folders_in_one_library(tmp_path, encoder):
    folders = [write_pictures(tmp_path / name) for name in ("a", "b")]
    library = Library.build(folders, tmp_path / "l", encoder=encoder)
    assert len(library) == 2 * len(PICTURES)
    assert list(library.info().folders) == folders


@pytest.mark.parametrize("folders", ["", [], [""]])
def test_no_folder_is_not_the_current_one(folders, tmp_path, encoder):
    with pytest.raises(InputError, match="expected the path of a folder, got"):
        Library.build(folders, tmp_path / "l", encoder=encoder)
    assert not (tmp_path / "l").exists()


def test_no_threads_are_refused(folder, tmp_path, encoder):
    with pytest.raises(OutOfRangeError):
        Library.build(folder, tmp_path / "l", encoder=encoder, threads=0)


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_threads_change_nothing(folder, tmp_path, encoder, library, threads):
    built = Library.build(folder, tmp_path / "l", encoder=encoder, threads=threads)
    assert [(h.id, h.score) for h in built.search("red", 6)] == [
        (h.id, h.score) for h in library.search("red", 6)
    ]


def test_an_index_of_what_is_there_already_changes_nothing(folder, tmp_path, encoder):
    Library.build(folder, tmp_path / "l", encoder=encoder)
    before = state(tmp_path / "l")
    seen = []
    Library.build(folder, tmp_path / "l", encoder=encoder, progress=seen.append)
    assert seen == []
    assert state(tmp_path / "l") == before


def test_a_changed_folder_keeps_the_ids_of_what_stays(folder, tmp_path, encoder):
    before = {h.uri: h.id for h in Library.build(folder, tmp_path / "l", encoder=encoder).browse(100)}
    (folder / "green.png").unlink()
    Image.new("RGB", (30, 30), "cyan").save(folder / "aaa.png")
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    after = {h.uri: h.id for h in library.browse(100)}
    assert len(after) == len(PICTURES)
    assert {uri: before[uri] for uri in after if uri in before} == {u: after[u] for u in after if u in before}
    (new,) = set(after) - set(before)
    assert after[new] not in before.values()
    assert len(list((tmp_path / "l" / "shards").iterdir())) == 2


def test_progress_counts_to_the_end(folder, tmp_path, encoder):
    (folder / "broken.jpg").write_bytes(b"no picture")
    seen = []
    Library.build(folder, tmp_path / "l", encoder=encoder, progress=seen.append)
    assert [p.done for p in seen] == list(range(1, len(PICTURES) + 2))
    assert (seen[-1].total, seen[-1].failed) == (len(PICTURES) + 1, 1)


def test_a_stopped_index_leaves_the_old_library(folder, tmp_path, encoder):
    Library.build(folder, tmp_path / "l", encoder=encoder)
    before = state(tmp_path / "l")
    for number in range(5):
        Image.new("RGB", (9, 9), "red").save(folder / f"more{number}.png")

    def stop(progress):
        if progress.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Library.build(folder, tmp_path / "l", encoder=encoder, progress=stop)
    assert state(tmp_path / "l") == before
    assert len(Library.open(tmp_path / "l", encoder=encoder)) == len(PICTURES)


def test_a_stopped_first_index_leaves_no_searchable_half(folder, tmp_path, encoder):
    def stop(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Library.build(folder, tmp_path / "l", encoder=encoder, progress=stop)
    with pytest.raises(LibraryNotFoundError):
        Library.open(tmp_path / "l")
    assert not list(tmp_path.glob("l/shards/*"))


def test_files_of_a_killed_index_are_removed_and_no_others(folder, tmp_path, encoder):
    Library.build(folder, tmp_path / "l", encoder=encoder)
    ours, foreign = (tmp_path / "l/shards" / f"{stem}.arrow" for stem in ("0123456789abcdef", "f" * 16))
    for path in (ours, foreign):
        path.write_bytes(b"half")
    with Database.open_for_writing(tmp_path / "l") as database:
        database.owned_files.add_stem(ours.stem)
        database.owned_files.add_files(ours.stem, {ours.name: (ours.stat().st_ino, None, None)})
    (folder / "red.jpg").unlink()
    Library.build(folder, tmp_path / "l", encoder=encoder)
    assert not ours.exists()
    assert foreign.read_bytes() == b"half"


def test_a_full_disk_leaves_the_old_library(folder, tmp_path, encoder, monkeypatch):
    Library.build(folder, tmp_path / "l", encoder=encoder)
    before = state(tmp_path / "l")
    Image.new("RGB", (9, 9), "red").save(folder / "more.png")

    def full(self, record):
        raise StorageError("no space left on device")

    monkeypatch.setattr("snapseek.library.storage.spool.RecordWriter.append", full)
    with pytest.raises(StorageError, match="no space"):
        Library.build(folder, tmp_path / "l", encoder=encoder)
    assert state(tmp_path / "l") == before


def test_no_library_to_open(tmp_path):
    with pytest.raises(LibraryNotFoundError, match="got none"):
        Library.open(tmp_path / "nowhere")


def test_a_folder_without_pictures(tmp_path, encoder):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "notes.txt").write_text("x")
    with pytest.raises(InputError, match="got none"):
        Library.build(tmp_path / "p", tmp_path / "l", encoder=encoder)
    assert not (tmp_path / "l").exists()


def test_a_folder_of_broken_pictures_makes_a_library_that_says_so(tmp_path, encoder):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "a.jpg").write_bytes(b"x")
    library = Library.build(tmp_path / "p", tmp_path / "l", encoder=encoder)
    assert len(library) == 0
    assert library.search("red") == []
    assert [failure.path.name for failure in library.failures()] == ["a.jpg"]


def test_another_model_is_refused(library, tmp_path):
    other = write_tiny_model(tmp_path / "other")
    config = other / "preprocessor_config.json"
    config.write_text(config.read_text().replace("0.5", "0.4"))
    with pytest.raises(ModelMismatchError, match=r"tiny.*, which made the library .* index the folder again"):
        Library.open(library.info().path, encoder=Encoder.load(other))


def test_a_changed_model_is_rejected_by_the_first_search(folder, tmp_path):
    model = write_tiny_model(tmp_path / "model")
    Library.build(folder, tmp_path / "l", encoder=Encoder.load(model))
    config = model / "preprocessor_config.json"
    config.write_text(config.read_text().replace("0.5", "0.4"))
    with pytest.raises(ModelMismatchError):
        Library.open(tmp_path / "l").search("red")


@pytest.mark.parametrize("suffix", [".snap", ".arrow"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "swapped"])
def test_a_damaged_shard_is_refused(folder, tmp_path, encoder, suffix, damage):
    Library.build(folder, tmp_path / "l", encoder=encoder)
    (path,) = (tmp_path / "l" / "shards").glob(f"*{suffix}")
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:-40])
    else:
        (folder / "red.jpg").unlink()
        Library.build(folder, tmp_path / "other", encoder=encoder)
        (other,) = (tmp_path / "other" / "shards").glob(f"*{suffix}")
        shutil.copy(other, path)
    with pytest.raises(FormatError, match=f"{path.stem}.*snapseek repair"):
        Library.open(tmp_path / "l", encoder=encoder)


def test_many_threads_ask_one_library(library):
    expected = {color: names(library.search(color, limit=6)) for color in ("red", "green", "blue", "black")}
    wrong = []

    def ask(color):
        answers = [names(library.search(color, limit=6)) for _ in range(50)]
        wrong.extend(answer for answer in answers if answer != expected[color])

    threads = [threading.Thread(target=ask, args=(color,)) for color in expected for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_library_is_found_by_its_folder_too(folder, encoder):
    Library.build(folder, library_of(folder), encoder=encoder)
    assert find_library(folder) == find_library(library_of(folder)) == library_of(folder)
    assert len(Library.build(folder, library_of(folder), encoder=encoder)) == len(PICTURES)
    with pytest.raises(LibraryNotFoundError, match="snapseek index"):
        find_library(folder / "deep")


def test_one_picture_that_fails_in_an_unforeseen_place_stops_nothing(folder, tmp_path, encoder, monkeypatch):
    make_preview = embed.make_preview
    monkeypatch.setattr(embed, "make_preview", lambda image: _refuse_red(image, make_preview))
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    assert [(f.path.name, f.reason) for f in library.failures()] == [("red.jpg", "too red")]
    assert np.array_equal(
        sorted(names(library.browse(9))), sorted(n.rpartition("/")[2] for n in PICTURES if n != "red.jpg")
    )


def _refuse_red(image, make_preview):
    if image.getpixel((5, 5))[0] > 200 and image.getpixel((5, 5))[1] < 100:
        raise PictureError("too red")
    return make_preview(image)


@pytest.mark.parametrize(("memory_share", "is_read"), [(2, True), (1.9, False)])
def test_a_library_is_read_into_memory_if_it_fits_there_twice(library, monkeypatch, memory_share, is_read):
    read = []
    monkeypatch.setattr("snapseek.library.storage.shards.Shard.warm", lambda shard: read.append(shard.stem))
    memory = int(memory_share * library.info().size_bytes)
    monkeypatch.setattr("snapseek.library.snapshot.memory_bytes", lambda: memory)
    library.warm()
    assert bool(read) == is_read


def test_a_warm_library_answers_as_before(library):
    before = library.search("red", 9)
    library.warm()
    assert library.search("red", 9) == before


def test_iterating_lists_every_picture_in_the_order_of_browse(library):
    assert list(library) == list(library.snapshot()) == library.browse(100)
    assert [hit.score for hit in library] == [None] * len(PICTURES)
