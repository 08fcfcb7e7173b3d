"""Swap, mask, trim, replace, look: what a caller asks for by name."""
