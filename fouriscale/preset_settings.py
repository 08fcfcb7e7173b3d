"""What settings for UNets and settings for transformers have in common: files, presets, recipes, changed copies."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from picturelab.bounds import shown
from picturelab.settings import Settings

from . import presets


class PresetSettings(Settings):
    """Settings for one kind of denoiser, as presets, files of one's own and recipes hold them.

    A file or recipe for transformers says so, `denoiser: transformer`; one that does not say is for UNets.
    """

    DENOISER: ClassVar[str]  # what a file's `denoiser` says

    training_sizes: tuple[tuple[int, int], ...]
    """(height, width) in pixels, one or many."""

    def resolved(self) -> Self:
        """The same settings with nothing left to a mode."""
        return self

    def scaled_size(self, scale: float) -> tuple[int, int]:
        """(height, width): the training size nearest to a square times `scale`, to the next multiple of 8."""
        height, width = min(self.training_sizes, key=lambda size: abs(math.log(size[0] / size[1])))
        return 8 * round(height * scale / 8), 8 * round(width * scale / 8)

    def replace(self, **changes: Any) -> Self:
        """A copy with some settings changed.

        Raises:
            ValueError: a name is no setting, or a value is out of range.
            TypeError: a value has the wrong type.
        """
        return self.from_dict(self.to_dict() | changes)

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain values, ready for JSON or YAML."""
        return {name: _as_lists(getattr(self, name)) for name in type(self).model_fields}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Settings from plain values, such as a recipe's.

        Raises:
            ValueError: a key is unknown or missing, a value is out of range, or they are for another kind of denoiser.
            TypeError: a value has the wrong type.
        """
        denoiser = values.get(presets.DENOISER_KEY, presets.UNET)
        if denoiser != cls.DENOISER:
            raise ValueError(
                f"{presets.DENOISER_KEY}={shown(denoiser)}: a {cls.__name__} is for a {cls.DENOISER}; the presets for "
                f"those are {', '.join(presets.preset_names(cls.DENOISER))}"
            )
        settings = {str(name): value for name, value in values.items() if name != presets.DENOISER_KEY}
        unknown = {name: settings[name] for name in sorted(settings.keys() - set(cls.model_fields))}
        if unknown:
            raise ValueError(cls._unknown(unknown))
        required = [name for name, field in cls.model_fields.items() if field.is_required()]
        missing = [name for name in required if name not in settings]
        if missing:
            raise ValueError(f"{' and '.join(missing)} must be given")
        return cls(**settings)

    @classmethod
    def _unknown(cls, values: Mapping[str, Any]) -> str:
        """What to say of names that are none of the settings."""
        raise NotImplementedError

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Settings from a YAML file, which may also hold `description`, `checked_with` and `recognise`.

        Raises:
            ValueError: the file cannot be read, is no mapping, or holds a wrong key or value.
            TypeError: a value has the wrong type.
        """
        values = presets.read_yaml(Path(path))
        try:
            return cls.from_dict({k: v for k, v in values.items() if k not in presets.BESIDE_SETTINGS})
        except (ValueError, TypeError) as error:
            raise type(error)(f"{path}: {error}") from None

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """A preset, with some settings changed: `preset("sd15", stop=0.7)`.

        Raises:
            ValueError: no preset has this name, it is for another kind of denoiser, a setting is unknown, or a value
                is out of range.
            TypeError: a value has the wrong type.
        """
        return cls.load(presets.preset_file(name)).replace(**changes)

    @classmethod
    def named(cls, name: str, **changes: Any) -> Self:
        """What people type: a preset's name or a YAML file, with some settings changed.

        Raises:
            ValueError, TypeError: see `preset` and `load`.
        """
        if presets.is_file_name(name):
            return cls.load(name).replace(**changes)
        return cls.preset(name, **changes)

    @classmethod
    def setting_docs(cls) -> dict[str, str]:
        """{setting: what it does, a sentence}, in the order of the fields."""
        return {name: " ".join((field.description or "").split()) for name, field in cls.model_fields.items()}


def _as_lists(value: Any) -> Any:
    return [_as_lists(entry) for entry in value] if isinstance(value, tuple) else value
