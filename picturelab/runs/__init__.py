"""Long work: a folder that outlives a kill, and processes side by side."""
