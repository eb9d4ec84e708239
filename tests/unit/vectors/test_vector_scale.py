"""Vectors and queries of any scale, and unit vectors: the order and the range of scores."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snapseek import VectorIndex
from snapseek.errors import InputError
from tests.support.vector_rows import LISTS, unit_rows

SCALES = (1e-33, 1e-30, 1e-25, 1e-20, 1e-12, 1e12, 1e25, 1e30)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Ids for unit rows, by kind of index."""
    home = tmp_path_factory.mktemp("unit")
    return {
        kind: VectorIndex.build(unit_rows(2000), unit_rows(200, seed=1), path=home / kind, **settings).search(
            unit_rows(30, seed=2), 10, exact=True
        )[0]
        for kind, settings in (("flat", {}), ("lists", LISTS))
    }


@pytest.mark.parametrize(("kind", "settings"), [("flat", {}), ("lists", LISTS)])
@pytest.mark.parametrize("scale", SCALES)
def test_a_scale_changes_no_order(
    kind: str, settings: Any, scale: float, found: dict[str, Any], tmp_path: Path
) -> None:
    rows, samples = (array * np.float32(scale) for array in (unit_rows(2000), unit_rows(200, seed=1)))
    index = VectorIndex.build(rows, samples, path=tmp_path / "a", **settings)
    queries = unit_rows(30, seed=2)
    for factor in (1, scale, 1 / scale, 1e-38, 1e37):
        ids, scores = index.search((queries * np.float64(factor)).astype(np.float32), 10, exact=True)
        same = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(ids, found[kind], strict=True)])
        assert same > 0.97, factor
        assert not np.isnan(scores).any()
    probed = index.search(queries * np.float32(scale), 10)[0]
    assert np.mean([len(set(a) & set(b)) / 10 for a, b in zip(probed, found[kind], strict=True)]) > 0.8
    stored = index.vectors(np.argsort(index.ids()))
    np.testing.assert_allclose(stored / np.float32(scale), unit_rows(2000), atol=0.02)


@pytest.mark.parametrize(("settings", "scale"), [({}, 1e-38), (LISTS, 1e-38), (LISTS, 1e36)])
def test_rows_that_float32_cannot_hold_are_refused(settings: Any, scale: float, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="multiply all vectors by the same constant"):
        VectorIndex.build((unit_rows(300) * scale).astype(np.float32), path=tmp_path / "a", **settings)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dim", [2, 3, 16, 200])
@pytest.mark.parametrize("settings", [{}, *({**LISTS, "refine": name} for name in ("int8", "int4", "tcq2"))])
def test_unit_vectors_score_at_most_one(settings: Any, dim: int, tmp_path: Path) -> None:
    rows = np.random.default_rng(dim).normal(size=(1500, dim)).astype(np.float32)
    rows[::2] *= -1
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    options = {**settings, "m": None} if settings else {}
    index = VectorIndex.build(rows, path=tmp_path / "a", **options)
    ids, scores = index.search(rows, 3, exact=True)
    assert np.abs(scores).max() <= 1
    assert np.mean(scores[:, 0] > 0.9) > 0.99
    assert np.all(np.diff(scores, axis=1) <= 0)
    assert len(ids) == 1500


@pytest.mark.parametrize("settings", [{}, LISTS])
def test_longer_rows_keep_scores_past_one(settings: Any, tmp_path: Path) -> None:
    rows = unit_rows(1500) * np.float32(1.2)
    index = VectorIndex.build(rows, path=tmp_path / "a", **settings)
    unit = unit_rows(1500)
    across = np.roll(unit, 1, axis=0)
    across -= np.sum(across * unit, axis=1, keepdims=True) * unit
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    queries = (0.8375 * unit + np.sqrt(1 - 0.8375**2) * across).astype(np.float32)
    scores = index.search(queries, 3, exact=True)[1]
    assert np.mean((scores > 1.001) & (scores < 1.009)) > 0.2
