"""The command `fouriscale presets`."""

from __future__ import annotations

from typing import Any

from picturelab.cli.run import say


def presets() -> None:
    """List the presets in two lines each: their settings, and the results that they were checked with."""
    from ..presets import preset_names, preset_notes, preset_settings

    for name in preset_names():
        settings = preset_settings(name)
        say(f"{name}: {', '.join(f'{key} {_value(key, value)}' for key, value in settings.items())}")
        say(f"  checked with: {preset_notes(name)['checked_with']}")


def _value(key: str, value: Any) -> str:
    """A setting's value as people write it; sizes as WIDTHxHEIGHT, of many the first and the last."""
    if key == "training_sizes":
        sizes = value if isinstance(value[0], list) else [value]
        first, last = (f"{size[1]}x{size[0]}" for size in (sizes[0], sizes[-1]))
        return first if len(sizes) == 1 else f"{first} to {last} ({len(sizes)} sizes)"
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "as the mode says" if value is None else str(value)
