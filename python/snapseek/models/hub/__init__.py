"""Model files: names, layouts, downloads, checks."""
