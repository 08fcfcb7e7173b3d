"""Which preset is for a model of ComfyUI: one by name, or that which fits the UNet."""

from __future__ import annotations

from typing import Any

from fouriscale import presets
from picturelab.bounds import shown

from .blocks import unet_config

AUTOMATIC = "automatic"
_TOY = "shapeworld"  # a model of ours, which ComfyUI does not load
_LARGE_SAMPLE, _SAMPLE = (
    96,
    64,
)  # what diffusers' configs say of Stable Diffusion 2.x at 768 px, and of the others


def choices() -> list[str]:
    """What can be asked for: "automatic", and the presets for UNets."""
    return [AUTOMATIC, *(name for name in presets.preset_names(presets.UNET) if name != _TOY)]


def preset_for(model: Any, choice: str) -> str:
    """The name of the preset that is asked for, or of that which fits the model's UNet.

    Of several that fit, the one that names most is taken.

    Raises:
        ValueError: there is no such preset, or none fits.
    """
    if choice not in choices():
        raise ValueError(f"preset={shown(choice)}: must be one of {', '.join(choices())}")
    if choice != AUTOMATIC:
        return choice
    config = _as_diffusers_says(model)
    marks: dict[str, dict[str, Any]] = {
        name: presets.read_yaml(presets.preset_file(name)).get("recognise") or {} for name in choices()[1:]
    }
    fitting = [name for name in marks if marks[name] and presets.fits(config, marks[name])]
    if not fitting:
        raise ValueError(
            f"no preset fits a UNet with block_out_channels={config['block_out_channels']} and "
            f"cross_attention_dim={config['cross_attention_dim']}; choose one of {', '.join(choices()[1:])}"
        )
    return max(fitting, key=lambda name: len(marks[name]))


def _as_diffusers_says(model: Any) -> dict[str, Any]:
    """What presets look for in a UNet's config, from what ComfyUI knows of it.

    ComfyUI does not know the training size. Stable Diffusion 2.x at 768 px is that which predicts v.
    """
    config = unet_config(model)
    width = config["model_channels"]
    predicts_v = model.model.model_type.name == "V_PREDICTION"
    return {
        "block_out_channels": [width * times for times in config["channel_mult"]],
        "cross_attention_dim": config["context_dim"],
        "addition_embed_type": "text_time" if config.get("adm_in_channels") else None,
        "sample_size": _LARGE_SAMPLE if predicts_v else _SAMPLE,
    }
