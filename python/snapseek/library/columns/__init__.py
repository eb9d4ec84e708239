"""Column indexes: what filters read."""
