"""A library from a stranger reads and runs nothing outside the folder that contains it.

Each test is one trick. A canary lies outside; an audit hook sees every file that Python opens, and no answer
may hold anything of it.
"""

import io
import os
import shutil
import tarfile
import threading
from pathlib import Path

import pytest
from PIL import Image

from snapseek.errors import FormatError, InputError, ItemNotFoundError, ModelError, StorageError
from snapseek.library import Library
from snapseek.library.watch import watch
from tests.support.loopback import Loopback
from tests.support.stranger_library import Stranger, client_of, is_canary, nothing_read_below, opened
from tests.support.students import static_weights, write_student
from tests.support.tiny_model import write_tiny_model

SENTENCE = "in the folder that contains the library, or in one that you have confirmed"


@pytest.fixture
def stranger(tmp_path, encoder, monkeypatch) -> Stranger:
    return Stranger(tmp_path, encoder, monkeypatch)


def outside_uris(stranger: Stranger) -> dict[str, str]:
    """Addresses that name the canary, by trick."""
    inside, canary = stranger.pictures.as_uri(), stranger.canary
    up = os.path.relpath(canary, stranger.pictures)
    (stranger.pictures / "link.jpg").symlink_to(canary)
    (stranger.pictures / "linked").symlink_to(stranger.outside)
    (stranger.folder / "chain").symlink_to("pictures/linked")
    return {
        "its path": canary.as_uri(),
        "..": f"{inside}/{up}",
        "escaped ..": f"{inside}/{up.replace('.', '%2e', 4).replace('/', '%2f')}",
        "a link": f"{inside}/link.jpg",
        "a linked folder": f"{inside}/linked/canary.jpg",
        "a chain of links": f"{stranger.folder.as_uri()}/chain/canary.jpg",
        "the root of this process": f"file:///proc/self/root{canary}",
        "the folder of this process": f"file:///proc/self/cwd/{os.path.relpath(canary, Path.cwd())}",
        "doubled slashes": f"file:////{canary}",
        "localhost": f"file://localhost{canary}",
        "capital letters": canary.as_uri().replace("file", "FILE"),
    }


TRICKS = [
    "its path",
    "..",
    "escaped ..",
    "a link",
    "a linked folder",
    "a chain of links",
    "the root of this process",
    "the folder of this process",
    "doubled slashes",
    "localhost",
    "capital letters",
]


@pytest.mark.parametrize("trick", TRICKS)
def test_no_address_shows_a_file_outside(stranger, encoder, trick):
    stranger.set_uris(outside_uris(stranger)[trick])
    library = opened(stranger, encoder)
    with client_of(library) as client, nothing_read_below(stranger.outside):
        for query in ("", "?w=32"):
            reply = client.get(f"/api/image/1{query}")
            assert (reply.status_code, is_canary(reply.content)) == (404, False)
            if trick != "capital letters":  # which is no path of ours
                assert SENTENCE in reply.json()["detail"]
                assert "snapseek add FOLDER --library L" in reply.json()["hint"]
            assert str(stranger.outside) not in reply.text
        assert client.get("/api/image/2").status_code == 404  # its old path is gone, too
    with pytest.raises(ItemNotFoundError):
        library.original_path(1)


@pytest.mark.parametrize(
    "uri",
    ["file://[", "file:///a%00b", "file://server/share/a.jpg", "file:relative.jpg", "file://", "", "x:/"],
)
def test_an_address_that_is_no_path_is_a_404(stranger, encoder, uri):
    stranger.set_uris(uri)
    with client_of(opened(stranger, encoder)) as client:
        assert client.get("/api/image/1").status_code == 404
        assert client.get("/api/items/1").status_code == 200


def test_a_picture_in_the_folder_of_the_library_is_shown(stranger, encoder):
    stranger.set_uris((stranger.pictures / "0.jpg").as_uri())
    with client_of(opened(stranger, encoder)) as client:
        assert client.get("/api/image/1").content == (stranger.pictures / "0.jpg").read_bytes()


def test_a_hidden_file_in_that_folder_is_not_shown(stranger, encoder):
    hidden = stranger.folder / ".keys" / "a.jpg"
    hidden.parent.mkdir()
    shutil.copy(stranger.canary, hidden)
    stranger.set_uris(hidden.as_uri())
    with client_of(opened(stranger, encoder)) as client, nothing_read_below(hidden.parent):
        assert client.get("/api/image/1").status_code == 404


@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_no_archive_outside_is_opened(stranger, encoder, kind):
    archive = stranger.outside / f"a.{kind}"
    with tarfile.open(archive, "w") as tar:
        tar.add(stranger.canary, "canary.jpg")
    (stranger.pictures / archive.name).symlink_to(archive)
    library = None
    for archive_path in (archive, stranger.pictures / archive.name):
        stranger.set_uris(f"{kind}://{archive_path}!canary.jpg")
        library = opened(stranger, encoder)
        with client_of(library) as client, nothing_read_below(stranger.outside):
            reply = client.get("/api/image/1")
            assert (reply.status_code, SENTENCE in reply.text) == (404, True)


def test_a_search_prints_addresses_and_opens_nothing(stranger, encoder, capsys):
    stranger.set_uris(stranger.canary.as_uri())
    stranger.set_setting("model", "starter")
    library = opened(stranger, encoder)
    with nothing_read_below(stranger.outside):
        hits = library.search("red", limit=3)
        assert len(hits) == 3
        out = stranger.folder / "out.csv"
        library.export(out)
    assert "a secret sentence" not in out.read_text()


def test_sync_does_not_follow_a_source_outside(stranger, encoder, capsys):
    stranger.set_source(stranger.outside)
    library = opened(stranger, encoder)
    with nothing_read_below(stranger.outside):
        report = library.sync()
    assert report.unconfirmed == (stranger.outside,)
    assert (report.added, report.removed, len(library)) == (0, 0, 3)
    assert library.unconfirmed() == (stranger.outside,)


@pytest.mark.parametrize("kind", ["files", "tar", "parquet", "urls"])
def test_sync_follows_no_source_of_any_kind_outside(stranger, encoder, kind):
    stranger.set_source(stranger.outside, kind)
    library = opened(stranger, encoder)
    with nothing_read_below(stranger.outside):
        report = library.sync()
    assert (report.unconfirmed, len(library)) == ((stranger.outside,), 3)


def test_a_source_that_is_a_link_is_not_followed(stranger, encoder):
    (stranger.folder / "linked").symlink_to(stranger.outside)
    for source in (stranger.folder / "linked", Path(f"/proc/self/root{stranger.outside}")):
        stranger.set_source(source)
        with nothing_read_below(stranger.outside):
            assert opened(stranger, encoder).sync().unconfirmed == (source,)


def test_a_source_with_dots_is_refused_when_the_library_is_opened(stranger, encoder):
    stranger.set_source(stranger.pictures / ".." / ".." / ".." / "private")
    with pytest.raises(FormatError, match=r"a path without \.\. as the path of a source"):
        opened(stranger, encoder)


def test_sync_reads_no_picture_and_no_sidecar_through_a_link(stranger, encoder):
    (stranger.pictures / "new.jpg").symlink_to(stranger.canary)
    (stranger.pictures / "own.png").write_bytes(_png())
    (stranger.pictures / "own.txt").symlink_to(stranger.outside / "secret.txt")
    (stranger.pictures / "0.txt").symlink_to(stranger.outside / "secret.txt")
    library = opened(stranger, encoder)
    with nothing_read_below(stranger.outside):
        report = library.sync()
    assert report.unconfirmed == ()
    assert [hit.caption for hit in library.browse(100) if hit.caption] == []
    assert "new.jpg" not in [hit.meta["name"] for hit in library.browse(100)]
    (failure,) = [failure for failure in library.failures() if failure.path.name == "new.jpg"]
    assert "outside the folders that you have confirmed" in failure.reason
    assert any("own.txt was skipped: it is a link" in note for note in report.notes)


def _png() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (30, 20), (90, 90, 10)).save(stream, "PNG")
    return stream.getvalue()


def test_sync_opens_no_archive_through_a_link(stranger, encoder):
    with tarfile.open(stranger.outside / "a.tar", "w") as tar:
        tar.add(stranger.canary, "canary.jpg")
    archives = stranger.folder / "archives"
    archives.mkdir()
    (archives / "a.tar").symlink_to(stranger.outside / "a.tar")
    stranger.set_source(archives, "tar")
    library = opened(stranger, encoder)
    with nothing_read_below(stranger.outside):
        assert library.sync().unconfirmed == (archives,)


def test_single_files_lead_nowhere(stranger, encoder):
    stranger.set_source(stranger.pictures, "files")
    up = os.path.relpath(stranger.canary, stranger.pictures)
    stranger.execute("UPDATE files SET within = ?, size_bytes = 1 WHERE item = 1", up.encode())
    library = opened(stranger, encoder)
    with nothing_read_below(stranger.outside):
        library.sync()
    assert len(library) == 3


def test_watch_does_not_watch_a_folder_outside(stranger, encoder):
    stranger.execute("INSERT INTO sources (kind, place) VALUES ('folder', ?)", os.fsencode(stranger.outside))
    watched: list[Path] = []
    stop = threading.Event()
    library = opened(stranger, encoder)
    with nothing_read_below(stranger.outside):
        watch(library, on_start=watched.extend, on_sync=lambda report: stop.set(), stop=stop)
    assert watched == [stranger.pictures]


def test_watch_says_how_to_confirm_if_nothing_else_is_left(stranger, encoder):
    stranger.set_source(stranger.outside)
    with nothing_read_below(stranger.outside), pytest.raises(InputError, match="snapseek add FOLDER"):
        watch(opened(stranger, encoder))


def test_no_url_is_fetched_shown_or_linked(stranger, encoder):
    with Loopback() as server:
        base = server.url("")
        stranger.set_uris(*[f"{base}{number}.jpg" for number in range(3)])
        (stranger.folder / "list.txt").write_text(f"{base}0.jpg\n")
        stranger.set_source(stranger.folder / "list.txt", "urls")
        library = opened(stranger, encoder)
        assert library.sync().unconfirmed == (stranger.folder / "list.txt",)
        report = library.previews()
        assert (report.made, report.failed) == (0, 0)
        with client_of(library) as client:
            answer = client.get("/api/items")
            assert [result["url"].partition("?")[0] for result in answer.json()["results"]] == [
                f"/api/image/{number}" for number in (1, 2, 3)
            ]
            assert "http:" not in answer.headers["content-security-policy"]
        assert not server.request_counts
        allowed = opened(stranger, encoder, allow_urls=True)
        with client_of(allowed) as client:
            assert client.get("/api/items/1").json()["url"] == f"{base}0.jpg"


def test_no_model_is_fetched(stranger, monkeypatch):
    from snapseek.models.hub import resolve

    def fetch(*_: object, **__: object) -> None:
        raise AssertionError("nothing is fetched")

    monkeypatch.setattr(resolve, "pull", fetch)
    for model in ("stranger/clip", "openclip-vit-b-32", "stranger/clip@main:b32"):
        stranger.set_setting("model", model)
        library = opened(stranger, None)
        assert len(library.browse(3)) == 3
        with pytest.raises(ModelError, match=f"which the library names.*snapseek models pull {model}"):
            library.search("red")


@pytest.mark.parametrize("inside", [True, False])
def test_no_model_is_loaded_from_a_folder(stranger, inside, tmp_path):
    folder = write_tiny_model((stranger.path if inside else tmp_path / "elsewhere") / "model")
    for name in (str(folder), os.path.relpath(folder)):
        stranger.set_setting("model", name)
        with pytest.raises(ModelError, match="you have named or loaded before"):
            _search_without_reading(opened(stranger, None), folder)


def _search_without_reading(library: Library, folder: Path) -> None:
    with nothing_read_below(folder):
        library.search("red")


def test_a_folder_named_like_a_model_of_the_hub_is_not_loaded(stranger, monkeypatch):
    write_tiny_model(stranger.folder / "stranger" / "clip")
    monkeypatch.chdir(stranger.folder)
    stranger.set_setting("model", "stranger/clip")
    with pytest.raises(ModelError, match="which the library names"):
        _search_without_reading(opened(stranger, None), stranger.folder / "stranger")


def test_a_student_of_a_stranger_is_not_loaded(stranger, encoder, monkeypatch, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNAPSEEK_CONFIG", str(tmp_path / "config of the stranger"))
        write_student(stranger.path / "student", static_weights(5), encoder, {})
    library = opened(stranger, encoder)
    assert library.fast_encoder is None
    assert library.encoders.has_unknown_student()
    scores = [hit.score for hit in library.search("red", model="fast")]
    assert scores == [hit.score for hit in library.search("red", model="full")]


def test_a_student_that_was_made_here_is_loaded_until_a_file_changes(stranger, encoder):
    write_student(stranger.path / "student", static_weights(5), encoder, {})
    assert opened(stranger, encoder).fast_encoder is not None
    with (stranger.path / "student" / "onnx" / "text_model.onnx").open("ab") as file:
        file.write(b"\0")
    assert opened(stranger, encoder).fast_encoder is None


def test_a_student_with_a_further_file_or_a_link_is_unknown(stranger, encoder):
    student = stranger.path / "student"
    write_student(student, static_weights(5), encoder, {})
    (student / "snapseek.json").write_text("{}")
    assert opened(stranger, encoder).fast_encoder is None
    (student / "snapseek.json").unlink()
    shutil.move(student / "config.json", stranger.folder / "config.json")
    (student / "config.json").symlink_to(stranger.folder / "config.json")
    assert opened(stranger, encoder).fast_encoder is None


@pytest.mark.parametrize("stem", ["../../private/canary", "/etc/passwd", "0123456789abcdeF", "a" * 17, ""])
def test_a_stem_that_is_a_path_is_refused(stranger, encoder, stem):
    stranger.execute("UPDATE shards SET stem = ?", stem)
    with nothing_read_below(stranger.outside), pytest.raises(FormatError, match="16 hexadecimal digits"):
        opened(stranger, encoder)


@pytest.mark.parametrize("suffix", [".arrow", ".snap"])
def test_a_shard_that_is_a_link_is_refused(stranger, encoder, suffix):
    (path,) = (stranger.path / "shards").glob(f"*{suffix}")
    shutil.move(path, stranger.outside / path.name)
    path.symlink_to(stranger.outside / path.name)
    with (
        nothing_read_below(stranger.outside),
        pytest.raises(FormatError, match="a link that leads out of it"),
    ):
        opened(stranger, encoder)


def test_shards_and_database_that_are_links_are_refused(stranger, encoder):
    shutil.move(stranger.path / "shards", stranger.outside / "shards")
    (stranger.path / "shards").symlink_to(stranger.outside / "shards")
    with nothing_read_below(stranger.outside), pytest.raises(StorageError, match="a link to"):
        opened(stranger, encoder)
    shutil.move(stranger.path / "library.db", stranger.outside / "library.db")
    (stranger.path / "library.db").symlink_to(stranger.outside / "library.db")
    with nothing_read_below(stranger.outside), pytest.raises(FormatError, match="a link that leads out"):
        opened(stranger, encoder)


@pytest.mark.parametrize("library_id", ["../../x", "A" * 32, "", "0" * 31])
def test_an_id_that_is_a_path_is_refused(stranger, encoder, library_id):
    stranger.set_setting("id", library_id)
    with pytest.raises(FormatError, match="32 hexadecimal digits as id"):
        opened(stranger, encoder)


def test_the_root_of_a_disk_is_not_the_folder_of_a_library(tmp_path):
    from snapseek.library.storage.trust import Trust

    trust = Trust(Path("/library"), None)
    assert not trust.permits(tmp_path)
    assert not trust.permits(Path("/etc/hostname"))
