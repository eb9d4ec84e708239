"""The review of near-duplicates: which pictures are in a library more than once, and what that costs."""
