"""The preset files that come with the package: their names, their notes, and reading one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from picturelab import textfiles
from picturelab.failures import told_as
from picturelab.files import configs_folder

_LARGEST = 1_000_000  # bytes
_NOTES = ("description", "checked_with", "example")
BESIDE_SETTINGS = (*_NOTES, "recognise")  # what a preset file says besides the settings


def preset_names() -> list[str]:
    """The names that `FouriScaleConfig.preset` takes, sorted."""
    return sorted(file.stem for file in presets_folder().glob("*.yaml"))


def preset_notes(name: str) -> dict[str, str]:
    """A preset's `description`, the result it was checked with, `checked_with`, and an `example` of such a model.

    "" stands for what its file leaves out.

    Raises:
        ValueError: no preset has this name.
    """
    values = read_yaml(preset_file(name))
    return {key: " ".join(str(values.get(key, "")).split()) for key in _NOTES}


def preset_settings(name: str) -> dict[str, Any]:
    """What a preset's file sets, as it stands there; the other settings are as usual.

    Raises:
        ValueError: no preset has this name.
    """
    return {key: value for key, value in read_yaml(preset_file(name)).items() if key not in BESIDE_SETTINGS}


def presets_folder() -> Path:
    """Where the preset files lie, one `NAME.yaml` each."""
    return configs_folder() / "presets"


def preset_file(name: str) -> Path:
    """A preset's file.

    Raises:
        ValueError: no preset has this name; the sentence lists them.
    """
    if name not in preset_names():
        raise ValueError(f"unknown preset {name!r}; presets are {', '.join(preset_names())}")
    return presets_folder() / f"{name}.yaml"


def read_yaml(path: Path) -> dict[str, Any]:
    """A file of settings as plain values.

    Raises:
        ValueError: it cannot be read, or is no mapping.
    """
    with told_as(f"{path}: cannot be read as YAML", OSError, ValueError):  # a name may hold a zero byte
        size = path.stat().st_size
    if not path.is_file():  # a pipe could be waited for without end
        raise ValueError(f"{path}: cannot be read as YAML (it is no file)")
    if size > _LARGEST:
        raise ValueError(f"{path}: is larger than a file of settings can be, {_LARGEST:,} bytes")
    values = textfiles.read_yaml(path)
    if not isinstance(values, dict):
        raise ValueError(f"{path}: must hold settings as 'name: value' lines")
    return values
