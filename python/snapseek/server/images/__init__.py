"""The endpoints for pictures: entries, previews, originals."""
