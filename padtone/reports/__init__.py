"""An audit as a page, and grids of pictures."""
