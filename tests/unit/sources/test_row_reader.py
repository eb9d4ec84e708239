import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from snapseek.errors import InputError
from snapseek.sources import list_text
from snapseek.sources import row_reader as module
from snapseek.sources.row_reader import Row, read_rows

A, B = "http://a.example/1.jpg", "http://b.example/2.jpg"


def read(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_rows(path))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_url_a_line(tmp_path, end):
    found = read(tmp_path, "l.txt", end.join(["# pictures", A, "", f"  {B} "]))
    assert found == [Row(2, {"url": A}), Row(4, {"url": B})]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_csv_with_a_head(tmp_path, encoding):
    text = f'url,caption,rating\n{A},"a, ""quoted""\n tür",3\n\n{B},,\n'
    found = read(tmp_path, "l.csv", text.encode(encoding))
    assert found == [
        Row(2, {"url": A, "caption": 'a, "quoted"\n tür', "rating": "3"}),
        Row(4, {"url": B, "caption": "", "rating": ""}),
    ]


@pytest.mark.parametrize(
    ("name", "between"), [("l.csv", ";"), ("l.tsv", "\t"), ("l.csv", "\t"), ("l.csv", ",")]
)
def test_csv_delimiters(tmp_path, name, between):
    found = read(tmp_path, name, f"caption{between}url\na{between}{A}\n")
    assert found == [Row(2, {"caption": "a", "url": A})]


def test_csv_without_a_head(tmp_path):
    assert read(tmp_path, "l.csv", f"{A},one\n{B},two\n") == [
        Row(1, {"url": A, "caption": "one"}),
        Row(2, {"url": B, "caption": "two"}),
    ]
    (row,) = read(tmp_path, "l.csv", f"5,{A},x\n")
    assert row.values == {"column_1": "5", "url": A, "column_3": "x"}


def test_a_damaged_row_is_skipped(tmp_path):
    found = read(tmp_path, "l.csv", f"url,n\n{A},1\n{B}\n{A},1,2\n{B},2\n")
    assert [row.problem is None for row in found] == [True, False, False, True]
    assert found[1].problem == "row 3 has 1 cells, and the header has 2"


def test_a_quote_that_is_never_closed(tmp_path):
    lines = "".join(f"{B},{n}\n" for n in range(20_000))
    found = read(tmp_path, "l.csv", f'url,n\n{A},1\n"{A},1\n{lines}')
    assert found[0].values == {"url": A, "n": "1"}
    assert any("cannot be read" in (row.problem or "") for row in found)
    assert found[-1].values == {"url": B, "n": "19999"}


def test_a_line_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_LINE", 1000)
    monkeypatch.setattr(list_text, "MAX_LINE", 1000)
    for name, wrap in (("l.txt", str), ("l.jsonl", json.dumps)):
        found = read(tmp_path, name, "\n".join([wrap(A), wrap("x" * 10_000), wrap(B)]))
        assert [row.values.get("url") for row in found] == [A, None, B]
        assert "more than 1000 characters" in found[1].problem


def test_jsonl(tmp_path):
    lines = [json.dumps({"url": A, "n": 1}), json.dumps(B), "", "{", "[1]", "[" * 5000, "\0"]
    found = read(tmp_path, "l.jsonl", "\n".join(lines))
    assert found[:2] == [Row(1, {"url": A, "n": 1}), Row(2, {"url": B})]
    assert [row.number for row in found[2:]] == [4, 5, 6, 7]
    assert all(row.problem for row in found[2:])


def test_parquet_without_bytes(tmp_path):
    table = pa.table({"url": [A, B], "raw": [b"x", b"y"], "n": pa.array([1, None], pa.int8())})
    pq.write_table(table, tmp_path / "l.parquet")
    assert list(read_rows(tmp_path / "l.parquet")) == [
        Row(1, {"url": A, "n": 1}),
        Row(2, {"url": B, "n": None}),
    ]


def test_a_text_that_is_not_utf8_is_decoded_and_a_late_date_becomes_null(tmp_path):
    bad = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0"), pa.py_buffer(b"a\xff")]
    )
    times = pa.array([2**62, 1], pa.timestamp("us"))
    pq.write_table(pa.table({"url": [A, B], "bad": bad, "at": times}), tmp_path / "l.parquet")
    first, second = read_rows(tmp_path / "l.parquet")
    assert first.values == {"url": A, "bad": "a", "at": None}
    assert second.values["bad"] == "ÿ"
    assert second.values["at"].year == 1970


def test_a_damaged_row_group_is_reported(tmp_path):
    path = tmp_path / "l.parquet"
    urls = [f"{A}{number}" for number in range(3000)]
    pq.write_table(
        pa.table({"url": urls}), path, row_group_size=1000, compression="none", use_dictionary=False
    )
    group = pq.ParquetFile(path).metadata.row_group(1).column(0)
    data = bytearray(path.read_bytes())
    data[group.data_page_offset : group.data_page_offset + 40] = b"\xff" * 40
    path.write_bytes(data)
    found = list(read_rows(path))
    assert sum(row.problem is None for row in found) == 2000
    (gap,) = [row for row in found if row.problem]
    assert gap.is_gap
    assert gap.problem.startswith("rows 1001 to 2000 cannot be read")


@pytest.mark.parametrize(
    ("name", "message"),
    [("l.doc", "expected a list"), ("gone.csv", "got nothing"), ("folder.csv", "no file")],
)
def test_other_files_are_not_lists(tmp_path, name, message):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match=message):
        list(read_rows(tmp_path / name))


def test_other_files_are_not_parquet(tmp_path):
    with pytest.raises(InputError, match="expected a parquet file"):
        read(tmp_path, "l.parquet", b"PAR1 nothing PAR1")
