import numpy as np
import pytest

from snapseek.places import gazetteer, place_of
from snapseek.places.gazetteer import MAX_KM


@pytest.mark.parametrize(
    ("latitude", "longitude", "name", "country"),
    [
        (48.8584, 2.2945, "Paris", "France"),
        (48.8867, 2.3431, "Paris", "France"),
        (48.8049, 2.1204, "Versailles", "France"),
        (51.5137, -0.1341, "London", "United Kingdom"),
        (40.7061, -73.9969, "New York City", "United States"),
        (37.8716, -122.2727, "Berkeley", "United States"),
        (45.9237, 6.8694, "Chamonix-Mont-Blanc", "France"),
        (46.0207, 7.7491, "Zermatt", "Switzerland"),
        (-33.8568, 151.2153, "Sydney", "Australia"),
        (43.7384, 7.4246, "Monaco", "Monaco"),
        (35.6595, 139.7005, "Tokyo", "Japan"),
        (-16.8, 179.99, "Savusavu", "Fiji"),
        (64.1466, -21.9426, "Reykjavík", "Iceland"),
    ],
)
def test_a_coordinate_has_the_town_that_covers_it(latitude, longitude, name, country):
    town = place_of(latitude, longitude)
    assert (town.name, town.country) == (name, country)


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [(30, -40), (0, 0), (90, 0), (-90, 0), (91, 0), (0, 181), (np.nan, 0), (0, np.inf)],
)
def test_the_sea_and_impossible_coordinates_have_no_place(latitude, longitude):
    assert place_of(latitude, longitude) is None


def test_many_points_get_what_each_gets_alone():
    random = np.random.default_rng(3)
    latitudes, longitudes = random.uniform(-90, 90, 300), random.uniform(-180, 180, 300)
    together = gazetteer().nearest(latitudes, longitudes)
    alone = [
        gazetteer().nearest(latitudes[row : row + 1], longitudes[row : row + 1])[0] for row in range(300)
    ]
    assert together.tolist() == alone
    assert 0 < (together >= 0).mean() < 1


def test_the_cells_of_the_grid_do_not_change_the_town():
    """The obvious version compares every point with every town."""
    random = np.random.default_rng(5)
    latitudes, longitudes = random.uniform(-60, 75, 60).round(2), random.uniform(-180, 180, 60).round(2)
    here = gazetteer()
    found = here.nearest(latitudes, longitudes)
    for row, town in enumerate(found.tolist()):
        reach = here.distances_km(latitudes[row], longitudes[row]) - here.radii_km
        assert town == (int(reach.argmin()) if reach.min() <= MAX_KM else -1)


def test_other_names_lead_to_the_name_of_the_table():
    here = gazetteer()
    assert "Köln" in here.towns_called("Cologne")
    assert here.towns_called("münchen") == {"Munich"}
    assert here.countries_called("uk") == here.countries_called("GB") == {"United Kingdom"}
    assert here.countries_called("nowhere") == frozenset()
