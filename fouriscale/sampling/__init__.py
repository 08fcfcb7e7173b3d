"""Pictures from a loaded pipeline: its own call, a generator and a recipe each."""
