"""The preset files that come with the package: their names, their notes, and reading one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from picturelab import textfiles
from picturelab.failures import told_as
from picturelab.files import configs_folder

_LARGEST = 1_000_000  # bytes
_NOTES = ("description", "checked_with", "example")
BESIDE_SETTINGS = (*_NOTES, "recognise")  # what a preset file says besides the settings
DENOISER_KEY = "denoiser"  # by which a file of settings says for which kind of denoiser they are
UNET, TRANSFORMER = "unet", "transformer"  # of which the first need not be said
DENOISERS = (UNET, TRANSFORMER)
CLASS_KEY = "class"  # what a transformer's preset names first under `recognise`; presets of UNets are all of one class
_SIZED = "text_time"  # the addition_embed_type of UNets that are also told sizes, as SDXL's


def preset_names(denoiser: str | None = None) -> list[str]:
    """The names of the presets, sorted.

    Args:
        denoiser: "unet" for those that `FouriScaleConfig.preset` takes, "transformer" for those that
            `PositionConfig.preset` takes; None: all.
    """
    names = sorted(file.stem for file in presets_folder().glob("*.yaml"))
    return [name for name in names if denoiser is None or _denoiser(name) == denoiser]


def _denoiser(name: str) -> Any:
    """Which kind of denoiser a preset is for; None where its file cannot be read."""
    try:
        return read_yaml(preset_file(name)).get(DENOISER_KEY, UNET)
    except ValueError:
        return None


def is_file_name(name: str) -> bool:
    """Whether what somebody typed names a file of settings, and no preset."""
    return Path(name).suffix in (".yaml", ".yml")


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


def fits(config: Mapping[str, Any], marks: Mapping[str, Any]) -> bool:
    """Whether a denoiser's config has what a preset names under `recognise`, whatever its class."""
    # Left out means "not told sizes", since a preset for one kind does not serve the other.
    sized = config.get("addition_embed_type") == _SIZED
    if sized and "addition_embed_type" not in marks:
        return False
    return all(_among(config.get(key), wanted) for key, wanted in marks.items() if key != CLASS_KEY)


def _among(value: Any, wanted: Any) -> bool:
    """Whether a config's value is the one wanted, or one of several."""
    value = list(value) if isinstance(value, tuple) else value
    return bool(value == wanted or (isinstance(wanted, list) and value in wanted))


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
