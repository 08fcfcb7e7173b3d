"""Finished studies, each with its date: their results stand in docs, and here is how they were got."""
