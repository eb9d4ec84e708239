"""The memory of an index: pictures and tables that are small on the disk and large in memory."""

import io
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from snapseek.models import Encoder
from tests.support.peak_memory import run_measured
from tests.support.picture_sources import add, picture

if sys.platform != "linux":
    pytest.skip("reads the peak of the resident memory in /proc", allow_module_level=True)

pytestmark = pytest.mark.slow

BASE_MB = 350  # pyarrow imports pandas where it is installed
"""A process with the library and the tiny model, before the first picture."""

BOMB_SIDE = 6_000  # 36 megapixels: 288 MB while it is decoded
BOMBS = 4
VALUE_MB = 50

INDEX = """
import sys
from snapseek import Library
from snapseek.models import Encoder
library = Library.build(sys.argv[1], sys.argv[2], encoder=Encoder.load(sys.argv[3]), threads=4)
print(len(library), *(failure.reason for failure in library.failures()), sep="\\n")
"""
IMPORT = """
import sys
from snapseek import Library
from snapseek.errors import InputError
from snapseek.models import Encoder
try:
    library = Library.import_vectors(sys.argv[1], sys.argv[2], encoder=Encoder.load(sys.argv[3]))
except InputError as error:
    print(error)
else:
    print(len(library))
"""


def bomb(mode: str = "RGB") -> bytes:
    stream = io.BytesIO()
    Image.new(mode, (BOMB_SIDE, BOMB_SIDE), "red").save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def as_folder(path: Path, data: bytes) -> Path:
    path.mkdir()
    for number in range(BOMBS):
        (path / f"{number}.png").write_bytes(data)
    return path


def as_tar(path: Path, data: bytes) -> Path:
    with tarfile.open(path.with_suffix(".tar"), "w") as archive:
        for number in range(BOMBS):
            add(archive, f"{number}.png", data)
    return path.with_suffix(".tar")


def as_table(path: Path, data: bytes) -> Path:
    pq.write_table(pa.table({"image": [data] * BOMBS}), path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


@pytest.mark.parametrize(
    ("write", "mode"),
    [(as_folder, "RGB"), (as_tar, "RGBA"), (as_table, "RGB")],
    ids=["folder", "tar", "parquet"],
)
def test_picture_bombs_are_decoded_one_at_a_time(
    tmp_path: Path, tiny_model: Path, write: Callable[[Path, bytes], Path], mode: str
) -> None:
    source = write(tmp_path / "bombs", bomb(mode))
    peak, printed = run_measured(INDEX, source, tmp_path / "library", tiny_model)
    assert printed.split()[0] == str(BOMBS)
    one = BOMB_SIDE**2 * 8 >> 20
    assert peak < BASE_MB + one * 1.3  # four at a time take 1.1 GB


def test_a_batch_of_large_members_is_read_in_parts(tmp_path: Path, tiny_model: Path) -> None:
    """A picture with much after its end is read whole; there are 48 batches of such pictures ahead."""
    data = picture() + bytes(60 << 20)
    with tarfile.open(tmp_path / "large.tar", "w") as archive:
        for number in range(12):
            add(archive, f"{number}.jpg", data)
    peak, printed = run_measured(INDEX, tmp_path / "large.tar", tmp_path / "library", tiny_model)
    assert printed.split()[0] == "12"
    assert peak < BASE_MB + 5 * 60  # all together have 720 MB


def write_repeated(
    path: Path, value: str | bytes, rows: int, name: str, kind: str, **others: pa.Array
) -> None:
    """Write a small table in which all rows have one large value, in an encoding."""
    column = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([value]))
    encodings: dict[str, Any] = {
        "dictionary": {"dictionary_pagesize_limit": 1 << 30},
        "plain": {"use_dictionary": False},
        "prefixes": {"use_dictionary": False, "column_encoding": {name: "DELTA_BYTE_ARRAY"}},
    }
    table = pa.table({name: column if kind == "dictionary" else column.dictionary_decode(), **others})
    pq.write_table(table, path, compression="zstd", store_schema=False, **encodings[kind])
    assert path.stat().st_size < 100_000


@pytest.mark.parametrize(("kind", "rows"), [("dictionary", 24), ("plain", 16), ("prefixes", 12)])
def test_a_small_table_of_large_pictures_takes_bounded_memory(
    tmp_path: Path, tiny_model: Path, kind: str, rows: int
) -> None:
    path = tmp_path / "pictures.parquet"
    write_repeated(path, picture() + bytes(VALUE_MB << 20), rows, "image", kind)
    peak, printed = run_measured(INDEX, path, tmp_path / "library", tiny_model)
    assert "would take" in printed if kind == "plain" else printed.split()[0] == str(rows)
    assert peak < BASE_MB + 8 * VALUE_MB


def test_an_import_of_a_small_table_of_large_texts_takes_bounded_memory(
    tmp_path: Path, tiny_model: Path
) -> None:
    folder = tmp_path / "import"
    (folder / "img_emb").mkdir(parents=True)
    (folder / "metadata").mkdir()
    dim = Encoder.load(tiny_model).dim
    np.save(folder / "img_emb" / "img_emb_0.npy", np.ones((16, dim), np.float16))
    urls = pa.array(["https://x.example/a.jpg"] * 16)
    path = folder / "metadata" / "metadata_0.parquet"
    write_repeated(path, "a" * (VALUE_MB << 20), 16, "text", "plain", url=urls)
    peak, printed = run_measured(IMPORT, folder, tmp_path / "library", tiny_model)
    assert "would take" in printed
    assert peak < BASE_MB + 5 * VALUE_MB


def test_a_list_with_a_few_large_values_takes_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "urls.parquet"
    urls = pa.array(["https://x.example/a.jpg"] * 24)
    write_repeated(path, "a" * (VALUE_MB << 20), 24, "note", "dictionary", url=urls)
    code = """
import sys
from pathlib import Path
from snapseek.sources.row_reader import read_rows
print(sum(len(row.values["note"]) for row in read_rows(Path(sys.argv[1]))))
"""
    peak, printed = run_measured(code, path)
    assert int(printed) == 24 * (VALUE_MB << 20)
    assert peak < BASE_MB + 8 * VALUE_MB
