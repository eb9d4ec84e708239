"""The table of places, made from GeoNames."""
