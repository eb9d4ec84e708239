"""Build, check and try the wheels."""
