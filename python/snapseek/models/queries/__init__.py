"""Synthetic queries: texts as people type them, and their vectors."""
