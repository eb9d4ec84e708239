"""Pictures from the web: which addresses are allowed, how they are fetched, and when to stop."""
