"""The page: what it runs, and soon all of it."""
