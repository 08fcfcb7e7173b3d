"""Hooks on others' modules, set and removed by `with` blocks: the only room of this package that touches them."""
