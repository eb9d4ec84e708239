"""Libraries as a stranger may send them, and a watch over what is read outside of them."""

import io
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image
from starlette.testclient import TestClient

from snapseek.library import Library
from snapseek.models import Encoder
from snapseek.server import create_app

CANARY_COLOR = (11, 222, 133)
_opened: list[str] = []
_watching = False


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if _watching and event in ("open", "os.listdir", "os.scandir", "sqlite3.connect", "subprocess.Popen"):
        _opened.append(os.fsdecode(arguments[0]) if isinstance(arguments[0], str | bytes) else "")


sys.addaudithook(_hook)  # a hook cannot be removed, so it is added once and does nothing most of the time


@contextmanager
def nothing_read_below(folder: Path) -> Iterator[None]:
    """Fail if a file or folder below `folder` is opened or listed in the block, by whatever name."""
    global _watching
    _opened.clear()
    _watching = True
    try:
        yield
    finally:
        _watching = False
    real = folder.resolve()
    inside = [name for name in _opened if name and Path(os.path.realpath(name)).is_relative_to(real)]
    assert inside == [], inside


class Stranger:
    """A library that another user made of three pictures, sent with its folder, and then changed.

    Attributes
    ----------
    folder
        The folder that contains the library, and its pictures.
    outside
        A folder of this user, with a picture and a text that no library may show.
    """

    def __init__(self, tmp_path: Path, encoder: Encoder, patch: pytest.MonkeyPatch) -> None:
        made = tmp_path / "made" / "sent"
        for number, color in enumerate(((220, 20, 20), (20, 200, 30), (20, 30, 210))):
            path = made / "pictures" / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (60, 40), color).save(path)
        patch.setenv("SNAPSEEK_CONFIG", str(tmp_path / "config of the stranger"))
        Library.build(made / "pictures", made / "library", encoder=encoder)
        patch.setenv("SNAPSEEK_CONFIG", str(tmp_path / "config"))
        self.folder = tmp_path / "downloads" / "sent"
        self.folder.parent.mkdir()
        shutil.move(made, self.folder)
        self.pictures = self.folder / "pictures"
        self.path = self.folder / "library"
        self.outside = tmp_path / "private"
        self.outside.mkdir()
        self.canary = self.outside / "canary.jpg"
        Image.new("RGB", (60, 40), CANARY_COLOR).save(self.canary)
        (self.outside / "secret.txt").write_text("a secret sentence")
        self.set_source(self.pictures)

    def set_uris(self, *uris: str) -> None:
        """Give the three pictures these addresses."""
        (path,) = (self.path / "shards").glob("*.arrow")
        self._rewrite(path, lambda old: [*uris, *old[len(uris) :]])

    def set_source(self, path: Path | bytes, kind: str = "folder") -> None:
        """Let the library name another source."""
        self.execute("UPDATE sources SET place = ?, kind = ?", os.fsencode(path), kind)

    def set_setting(self, name: str, value: str) -> None:
        self.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", name, value)

    def execute(self, statement: str, *values: object) -> None:
        with closing(sqlite3.connect(self.path / "library.db")) as connection, connection:
            connection.execute(statement, values)

    def _rewrite(self, path: Path, change: Callable[[list[str]], Sequence[str]]) -> None:
        with pa.memory_map(str(path)) as mapped:
            table = pa.ipc.open_file(mapped).read_all()
        column = table.schema.get_field_index("uri")
        uris = change(table.column("uri").to_pylist())
        changed = table.set_column(column, table.schema.field("uri"), pa.array(uris, table["uri"].type))
        path.unlink()
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(changed)
        self.execute("UPDATE shards SET records_crc = NULL")


def opened(stranger: Stranger, encoder: Encoder | None, **options: object) -> Library:
    return Library.open(stranger.path, encoder=encoder, **options)


def client_of(library: Library) -> TestClient:
    return TestClient(create_app(library), base_url="http://127.0.0.1")


def is_canary(data: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(data)) as image:
            pixel = image.convert("RGB").getpixel((5, 5))
    except OSError:
        return False
    return all(abs(one - other) < 16 for one, other in zip(pixel, CANARY_COLOR, strict=True))
