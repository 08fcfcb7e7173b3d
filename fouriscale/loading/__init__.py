"""A model by name: its pipeline, or its configs alone."""
