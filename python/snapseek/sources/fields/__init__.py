"""Metadata of pictures in tables, JSON objects and sidecar files."""
