"""The endpoints of single pictures: entry, preview, original, resized original."""
