"""Names of places by coordinates, without a network: GeoNames' towns of 5,000 inhabitants and more."""

from snapseek.places.gazetteer import Gazetteer, Place, gazetteer, place_of

__all__ = ["Gazetteer", "Place", "gazetteer", "place_of"]
