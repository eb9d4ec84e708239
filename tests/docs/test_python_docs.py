"""The examples of docs/PYTHON.md run, one after the other."""

import re
from pathlib import Path

import pyarrow as pa

from snapseek import Hit, Library
from snapseek.library.result_table import _TYPES
from tests.conftest import write_pictures

TEXT = (Path(__file__).parents[2] / "docs" / "PYTHON.md").read_text()


def test_the_examples_of_the_python_page_run(tmp_path, monkeypatch, tiny_model, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SNAPSEEK_MODEL", str(tiny_model))
    write_pictures(tmp_path / "holiday")
    names = {"table": pa.table({"path": ["holiday/red.jpg", "holiday/green.png"]})}
    for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL):
        exec(block, names)
    for picture in names["pictures"]:
        picture.close()
    assert [len(names[name]) for name in ("library", "chosen", "memory", "rows")] == [6, 1, 1, 2]
    assert [len(hits) for hits in names["answers"]] == [3, 3]
    assert names["table"].num_rows == 5
    assert "library_not_found a library at nothing-here none" in capsys.readouterr().out


def test_the_page_names_every_column_of_a_table_of_results():
    columns = " ".join(_TYPES)
    assert f"`{columns}`" in TEXT.replace("\n", " ")
    assert columns in " ".join((Library.search.__doc__ or "", Hit.__doc__ or "", TEXT.replace("\n", " ")))
