"""Public names that are imported when they are first asked for: `fouriscale --help` needs no torch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from .extras import brings, extra_of


def attach(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """A package's `__getattr__` and `__dir__` (PEP 562).

    Args:
        package: its `__name__`.
        homes: {public name: the module within the package where it lives}.
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            value = getattr(import_module(f".{homes[name]}", package), name)
        except ModuleNotFoundError as error:
            extra = extra_of(error.name)
            if extra is None:
                raise
            sentence = f"{package}.{name} needs {error.name}: {brings(extra)}"
            raise ModuleNotFoundError(sentence, name=error.name) from None
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return get, names
