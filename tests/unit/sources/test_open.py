import io
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from starlette.testclient import TestClient

from snapseek.errors import InputError, ItemNotFoundError
from snapseek.library import Library
from snapseek.library.paths import find_library, library_of
from snapseek.server import create_app
from snapseek.sources import open_source, reopen
from snapseek.sources.archive_uri import is_member, member_uri, read_member
from tests.support.embedding_files import write_embeddings
from tests.support.picture_sources import picture, write_hugging_face, write_webdataset
from tests.support.vector_rows import unit_rows


def kind_at(path):
    source = open_source(path)
    assert reopen(source.kind, source.path).kind == source.kind
    return source.kind


def test_the_type_of_source_is_detected(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(picture())
    write_webdataset(tmp_path / "photos" / "backup.tar")
    for name in ("tars", "tables", "none"):
        (tmp_path / name).mkdir()
    write_webdataset(tmp_path / "tars" / "0.tar")
    write_hugging_face(tmp_path / "tables" / "0.parquet")
    pq.write_table(pa.table({"url": ["http://a.example"]}), tmp_path / "urls.parquet")
    (tmp_path / "urls.csv").write_text("url\n")
    assert kind_at(tmp_path / "photos") == "folder"
    assert kind_at(tmp_path / "none") == "folder"
    assert kind_at(tmp_path / "tars") == kind_at(tmp_path / "tars" / "0.tar") == "tar"
    assert kind_at(tmp_path / "tables") == kind_at(tmp_path / "tables" / "0.parquet") == "parquet"
    assert kind_at(tmp_path / "urls.parquet") == kind_at(tmp_path / "urls.csv") == "urls"
    assert reopen("import", tmp_path) is None
    assert open_source(tmp_path / "none" / ".." / "tars").path == tmp_path / "tars"


@pytest.mark.parametrize("name", ["gone", "a.doc"])
def test_other_paths_are_not_sources(tmp_path, name):
    (tmp_path / "a.doc").write_bytes(b"x")
    with pytest.raises(InputError, match="expected a folder with pictures"):
        open_source(tmp_path / name)


@pytest.mark.parametrize("packed", ["tar", "parquet"])
def test_packed_pictures_are_found_and_shown(tmp_path, packed, encoder):
    path = tmp_path / f"café #1!.{packed}"
    (write_webdataset if packed == "tar" else write_hugging_face)(path)
    library = Library.build(path, tmp_path / "l", encoder=encoder)
    assert library.report.added == 4
    hit = next(iter(library.search("blue", limit=1)))
    assert hit.caption == "a blue card"
    assert is_member(hit.uri)
    assert read_member(hit.uri) == picture("blue", "JPEG" if packed == "tar" else "PNG")
    with pytest.raises(ItemNotFoundError, match="no file of its own"):
        library.original_path(hit.id)
    client = TestClient(create_app(library), base_url="http://127.0.0.1")
    sent = client.get(f"/api/image/{hit.id}")
    assert sent.content == read_member(hit.uri)
    assert sent.headers["content-type"] == ("image/jpeg" if packed == "tar" else "image/png")
    assert (
        client.get(f"/api/image/{hit.id}", headers={"if-none-match": sent.headers["etag"]}).status_code == 304
    )
    others = {client.get(f"/api/image/{one.id}").headers["etag"] for one in library.browse(4)}
    assert len(others) == 4
    smaller = client.get(f"/api/image/{hit.id}?w=20")
    assert Image.open(io.BytesIO(smaller.content)).width == 20
    assert library.sync().unchanged == 4
    path.unlink()
    assert client.get(f"/api/image/{hit.id}").status_code == 404
    assert library.sync().missing == (path,)
    with pytest.raises(ItemNotFoundError, match="use its preview"):
        read_member(hit.uri)


@pytest.mark.parametrize(
    "uri",
    [
        "tar:///etc/passwd!x",
        "tar:///nowhere.tar!x",
        "parquet:///etc/hosts!a/1",
        "tar://x",
        "file:///etc/passwd",
        "",
    ],
)
def test_a_uri_cannot_name_another_file(uri):
    with pytest.raises(ItemNotFoundError):
        read_member(uri)


def test_missing_members_are_an_error(tmp_path):
    write_webdataset(tmp_path / "a.tar")
    write_hugging_face(tmp_path / "a.parquet")
    with tarfile.open(tmp_path / "link.tar", "w") as archive:
        link = tarfile.TarInfo("x.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    members = [("tar", "a.tar", "no.jpg"), ("tar", "link.tar", "x.jpg"), ("parquet", "a.parquet", "text/0")]
    members += [("parquet", "a.parquet", name) for name in ("image/9", "image/-1", "image/x", "no/0")]
    for kind, file, member in members:
        with pytest.raises(ItemNotFoundError):
            read_member(member_uri(kind, tmp_path / file, member))


def test_an_imported_address_of_a_part_is_not_followed(tmp_path, encoder):
    """An imported table must not select files of this machine."""
    write_webdataset(tmp_path / "private.tar")
    uri = member_uri("tar", tmp_path / "private.tar", "000000000.jpg")
    folder = write_embeddings(tmp_path / "laion", unit_rows(1, dim=3), URL=pa.array([uri]))
    library = Library.import_vectors(folder, tmp_path / "l", encoder=encoder)
    (hit,) = library.browse(1)
    assert hit.uri == uri
    assert library.archive_uri(hit.id) is None
    client = TestClient(create_app(library), base_url="http://127.0.0.1")
    assert client.get(f"/api/image/{hit.id}").status_code == 404


def test_the_library_of_a_file_is_next_to_it(tmp_path, encoder):
    write_webdataset(tmp_path / "a.tar")
    path = library_of(tmp_path / "a.tar")
    assert path == tmp_path / "a.tar.snapseek"
    Library.build(tmp_path / "a.tar", path, encoder=encoder)
    assert find_library(tmp_path / "a.tar") == path


def test_a_single_picture_is_rejected_with_a_hint(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"got a single picture at .*snapseek add"):
        open_source(tmp_path / "a.jpg")
