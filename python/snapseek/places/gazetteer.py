"""The town of a coordinate, from a table of GeoNames.

A town of p inhabitants covers a disc of radius r = sqrt(p / (pi * 5000)) km, at the density of a large
European city. The town of a point is the one with the smallest d - r, where d is the great-circle distance to
its centre: so Montmartre is in Paris, and Versailles is not. A point with d - r above 100 km has no town.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

TABLE = Path(__file__).with_name("cities.parquet")
MAX_KM = 100.0
"""Farther from the edge of every town, a point has no place."""

_EARTH_KM = 6371.0088
_DENSITY_KM2 = 5000.0
_CELL_DEGREES = 1.0
_REACH_KM = 200.0
"""Towns beyond cannot be the place of a point: the largest radius is 40 km."""
_DECIMALS = 2
"""Coordinates are rounded to 0.01 degrees, 1.1 km, before the look-up: photographs of a spot share one."""

PER_DEGREE = 1000
"""The table has whole thousandths of a degree."""

_CACHED_CELLS = 1024

Texts = Any  # the stubs of pyarrow have no type for an array of texts
Degrees = NDArray[np.float64]
Towns = NDArray[np.int32]


@dataclass(frozen=True)
class Place:
    """A town and its country."""

    name: str
    country: str


def radius_km(population: NDArray[Any]) -> NDArray[np.float64]:
    """Return the radius of the discs that towns of these populations cover."""
    return np.asarray(np.sqrt(population.astype(np.float64) / (np.pi * _DENSITY_KM2)))


class Gazetteer:
    """Towns with their countries. Safe to use from many threads.

    Parameters
    ----------
    names, countries
        (n,) texts.
    latitudes, longitudes
        (n,) degrees, latitudes in ascending order.
    radii_km
        (n,) radii of the discs that the towns cover.
    """

    def __init__(
        self,
        names: Texts,
        countries: Texts,
        latitudes: Degrees,
        longitudes: Degrees,
        radii_km: NDArray[np.float64],
    ) -> None:
        self.names = names
        self.countries = countries
        self._points = _unit_vectors(latitudes, longitudes)
        self.radii_km = radii_km
        """Of the discs that the towns cover."""
        self._latitudes = latitudes
        self._near_cell = lru_cache(_CACHED_CELLS)(self._towns_near)
        self._other_names: tuple[list[str], list[str]] = ([], [])

    @classmethod
    def of(cls, table: Any) -> Self:
        """Return the gazetteer of a table with the columns of `cities.parquet`."""
        latitude, longitude = (table[name].to_numpy() / PER_DEGREE for name in ("latitude", "longitude"))
        names, countries = table["name"].combine_chunks(), table["country"].combine_chunks()
        radii = radius_km(table["population"].to_numpy())
        found = cls(names, countries.dictionary_decode(), latitude, longitude, radii)
        found._other_names = (table["other_names"].to_pylist(), table["country_names"].to_pylist())
        return found

    def nearest(self, latitudes: Degrees, longitudes: Degrees) -> Towns:
        """Return the number of the town of each point, (n,) int32; -1 for none, or for no coordinate."""
        found = np.full(len(latitudes), -1, np.int32)
        known = np.flatnonzero((np.abs(latitudes) <= 90) & (np.abs(longitudes) <= 180))
        points = np.stack([latitudes[known], longitudes[known]], 1)
        rounded = np.asarray(np.round(points, _DECIMALS), np.float64)
        spots, spot_of = np.unique(rounded, axis=0, return_inverse=True)
        found[known] = self._of_spots(spots)[spot_of.reshape(-1)]
        return found

    def _of_spots(self, spots: NDArray[np.float64]) -> Towns:
        """Return the town of each of many points, which are compared with those near their cell only."""
        found = np.full(len(spots), -1, np.int32)
        if not len(spots):
            return found
        cells = np.floor(spots / _CELL_DEGREES).astype(np.int64)
        keys = cells[:, 0] * 1000 + cells[:, 1]
        order = np.argsort(keys, kind="stable")
        starts = np.flatnonzero(np.diff(keys[order], prepend=keys[order[0]] - 1))
        for rows in np.split(order, starts[1:]):
            towns = self._near_cell(*cells[rows[0]].tolist())
            if len(towns):
                points = _unit_vectors(spots[rows, 0], spots[rows, 1])
                distances = _EARTH_KM * np.arccos(np.clip(points @ self._points[towns].T, -1, 1))
                reach = distances - self.radii_km[towns]
                best = reach.argmin(1)
                is_near = reach[np.arange(len(rows)), best] <= MAX_KM
                found[rows[is_near]] = towns[best[is_near]]
        return found

    def _towns_near(self, latitude: int, longitude: int) -> NDArray[np.int64]:
        """Return the towns that may be the place of a point of a cell of the grid."""
        center = (np.array([latitude, longitude]) + 0.5) * _CELL_DEGREES
        margin = np.degrees(_REACH_KM / _EARTH_KM) + _CELL_DEGREES
        first, last = np.searchsorted(self._latitudes, [center[0] - margin, center[0] + margin])
        (here,) = _unit_vectors(center[:1], center[1:])
        near = self._points[first:last] @ here >= np.cos(np.radians(margin))
        return np.asarray(np.flatnonzero(near) + first)

    def distances_km(self, latitude: float, longitude: float) -> NDArray[np.float64]:
        """Return the great-circle distance of a point to the centre of each town, (towns,)."""
        (here,) = _unit_vectors(np.array([latitude]), np.array([longitude]))
        return np.asarray(_EARTH_KM * np.arccos(np.clip(self._points @ here, -1, 1)))

    @cached_property
    def _names_by_other(self) -> tuple[Mapping[str, frozenset[str]], Mapping[str, frozenset[str]]]:
        return (
            _by_other_name(self.names, self._other_names[0]),
            _by_other_name(self.countries, self._other_names[1]),
        )

    def towns_called(self, name: str) -> frozenset[str]:
        """Return the names here of towns that people also call so: Cologne is Köln."""
        return self._names_by_other[0].get(name.casefold(), frozenset())

    def countries_called(self, name: str) -> frozenset[str]:
        """Return the names here of countries that people also call so, or that have this ISO code."""
        return self._names_by_other[1].get(name.casefold(), frozenset())


def _by_other_name(names: Texts, others: list[str]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for name, entry in zip(names.to_pylist(), others, strict=True):
        for other in filter(None, entry.split("|")):
            found[other.casefold()].add(name)
    return {other: frozenset(here) for other, here in found.items()}


@cache
def gazetteer() -> Gazetteer:
    """Return the towns that come with the package."""
    import pyarrow.parquet as pq  # here, because it takes 10 ms to import

    return Gazetteer.of(cast("Any", pq).read_table(TABLE))


@lru_cache(65_536)
def _place_at(latitude: float, longitude: float) -> Place | None:
    towns = gazetteer()
    (town,) = towns.nearest(np.array([latitude]), np.array([longitude])).tolist()
    return None if town < 0 else Place(towns.names[town].as_py(), towns.countries[town].as_py())


def place_of(latitude: float, longitude: float) -> Place | None:
    """Return the town of a coordinate in degrees; None far from all towns."""
    return _place_at(round(latitude, _DECIMALS), round(longitude, _DECIMALS))


def _unit_vectors(latitudes: NDArray[np.floating[Any]], longitudes: NDArray[np.floating[Any]]) -> Any:
    """Return points of the unit sphere, (n, 3) float64."""
    latitude, longitude = np.radians(latitudes), np.radians(longitudes)
    across = np.cos(latitude)
    return np.stack([across * np.cos(longitude), across * np.sin(longitude), np.sin(latitude)], 1)
