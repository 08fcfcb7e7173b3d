"""The tab "Shapeworld"."""
