"""The benchmarks import what exists, and the one of filters runs over a small library."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from benches import filter_figures
from tests.support.filtered_library import filtered_library
from tests.support.vector_rows import unit_rows

BENCHES = sorted(path.stem for path in (Path(__file__).parents[2] / "benches").glob("*_*.py"))
OPTIONAL = {"torch", "transformers"}


@pytest.mark.parametrize("name", [name for name in BENCHES if not name.startswith(("test_", "__"))])
def test_a_benchmark_is_importable(name):
    try:
        importlib.import_module(f"benches.{name}")
    except ModuleNotFoundError as error:
        if error.name not in OPTIONAL:
            raise
        pytest.skip(f"needs {error.name}")


def test_the_filter_benchmark_measures_every_filter(tmp_path, encoder, monkeypatch, capsys):
    library, _ = filtered_library(tmp_path, encoder)
    queries = tmp_path / "queries.npy"
    np.save(queries, unit_rows(3, dim=3))
    arguments = ["filter_figures", str(library.info().path), "--queries", str(queries), "--n", "3"]
    monkeypatch.setattr(sys, "argv", arguments)
    filter_figures.main()
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| `")]
    assert len(rows) == len(filter_figures.FILTERS)
    assert all(0 <= float(row.rsplit("|", 2)[1]) <= 1 for row in rows)
    assert any(float(row.rsplit("|", 2)[1]) == 1 for row in rows)
