"""The code that does what `explain` has explained, ready to be pasted."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from picturelab.worlds import USUAL

from ..config import FouriScaleConfig
from ..config_kinds import Config
from ..presets import preset_names, preset_notes
from .explain import Explanation


def code(
    explanation: Explanation,
    *,
    prompt: str,
    model: str,
    own: Config,
    preset: str | None,
    dtype: str,
    switches: Collection[str],
    place: str,
) -> list[str]:
    """Python lines that load the model, switch on what is needed, apply the settings and draw.

    Args:
        prompt: what to draw.
        model: a hub id, folder or shipped model.
        own: the settings without changes: the preset's, or those that `apply_fouriscale(pipe)` finds for the UNet.
        preset: a name or YAML file that `--preset` gave; None: found by the UNet.
        dtype: such as "float16".
        switches: names of `card.SWITCHES` that are on.
        place: of the pipeline: "cuda", "mps" or "cpu".
    """
    height, width = explanation.size
    settings = _changes(explanation.config, own) | ({"split_rows": True} if "split" in switches else {})
    call = f"height={height}, width={width}, num_inference_steps={explanation.steps}"
    given = "".join(f", {name}={value!r}" for name, value in settings.items())
    names = "apply_fouriscale"
    if preset is not None:
        names, given = f"FouriScaleConfig, {names}", f", FouriScaleConfig.named({preset!r}){given}"
    lines = [
        *_loading(model, dtype, xl=explanation.told),
        *_placing(switches, place),
        f"apply_fouriscale(pipe{given})",
    ]
    if explanation.cascade is None:
        return [f"from fouriscale import {names}", *lines, f'image = pipe("{prompt}", {call}).images[0]']
    parts = f"strength={explanation.cascade.strength:g}, upsampling={explanation.cascade.upsampling!r}"
    size = f"height={height}, width={width}, steps={explanation.steps}"
    return [
        f"from fouriscale import {names}, cascade",
        *lines,
        f'image = cascade(pipe, "{prompt}", {size}, {parts})[0].image',
    ]


def loadable(model: str, family: str | None) -> str:
    """What stands for a model in code: the model, or of a preset's name a model of its family."""
    if model not in preset_names():
        return model
    return preset_notes(model)["example"] or f"path/to/{family or model}"


def _loading(model: str, dtype: str, *, xl: bool) -> list[str]:
    world, slash, name = model.partition("/")
    if slash and world == USUAL:
        return [f"import {USUAL}", "", f'pipe = {USUAL}.load_pipeline("{name}")']
    if model.endswith(".safetensors"):
        kind = f"StableDiffusion{'XL' if xl else ''}Pipeline"
        return [
            "import torch",
            f"from diffusers import {kind}",
            "",
            f"pipe = {kind}.from_single_file({model!r}, dtype=torch.{dtype})",
        ]
    return [
        "import torch",
        "from diffusers import DiffusionPipeline",
        "",
        f"pipe = DiffusionPipeline.from_pretrained({model!r}, dtype=torch.{dtype})",
    ]


def _placing(switches: Collection[str], place: str) -> list[str]:
    lines = ["pipe.vae.enable_tiling()"] if "tiles" in switches else []
    if "model offload" in switches:
        return [*lines, "pipe.enable_model_cpu_offload()"]
    if "sequential offload" in switches:
        return [*lines, "pipe.enable_sequential_cpu_offload()"]
    return lines if place == "cpu" else [f'pipe.to("{place}")', *lines]


def _changes(config: FouriScaleConfig, own: Config) -> dict[str, Any]:
    """The settings that are others than the UNet's own preset has them."""
    return {
        name: getattr(config, name)
        for name in type(config).model_fields
        if getattr(config, name) != getattr(own, name)
    }
