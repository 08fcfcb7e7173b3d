"""How large a model's parts are, from their configs alone: they are built without values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import diffusers
import torch
import transformers

from .configs import part_config

_TEXT = ("text_encoder", "text_encoder_2", "text_encoder_3")


@dataclass(frozen=True)
class Sizes:
    """Of the parts beside the denoiser.

    Attributes:
        text: weights of all text encoders.
        vae: of values, to ask how it decodes; None where a folder holds none.
    """

    text: int
    vae: Any


def sizes_of(model: str, preset: str | None = None) -> Sizes:
    """The parts of a model; see `configs.part_config` for its name.

    Raises:
        ValueError: there is no such model, or a config cannot be read.
    """
    vae = part_config(model, "vae", preset)
    text = sum(text_weights(part_config(model, part, preset)) for part in _TEXT)
    with torch.device("meta"):
        kind = getattr(diffusers, str(vae.get("_class_name", "AutoencoderKL")))
        return Sizes(text, kind.from_config(vae) if vae else None)


def text_weights(config: dict[str, Any]) -> int:
    """Of a text encoder with this config; 0 where there is none."""
    if not config:
        return 0
    kind = getattr(transformers, config["architectures"][0])
    with torch.device("meta"):
        return int(sum(weight.numel() for weight in kind(kind.config_class(**config)).parameters()))
