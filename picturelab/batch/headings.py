"""The first row of a table: which keys of jobs its columns hold."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from .jobs import KEYS


def headings(names: Sequence[str], path: Path) -> list[str]:
    """The keys that columns hold; "Negative Prompt" is negative_prompt, and what is no key stays as it is.

    Raises:
        ValueError: two columns hold the same.
    """
    keys = [key(name) for name in names]
    for heading, times in Counter(filter(None, keys)).items():
        if times > 1:
            raise ValueError(f"{path} has {times} columns named {heading!r}; give each its own name")
    return keys


def key(name: str) -> str:
    """A column's name as the key that it means."""
    name = name.strip()
    usual = re.sub(r"[\s_-]+", "_", name.casefold())
    return usual if usual in KEYS else name
