"""The code that does what `explain` has explained, ready to be pasted."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from picturelab.worlds import USUAL

from ..config_kinds import Config
from ..loading.configs import TransformerParts
from ..presets import preset_names, preset_notes
from ..sampling.conditioning import size_conditioning
from ..sampling.transformers import TRUE_GUIDANCE
from .explain import Explanation
from .explain_positions import PositionsExplanation

_OWN = "# with a pipeline of your own, from here on"


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
    names, applying = _applying("FouriScaleConfig", preset, settings)
    lines = [*_loading(model, dtype, xl=explanation.told), *_placing(switches, place), applying]
    if explanation.told and explanation.cascade is None:  # which `cascade` does by itself
        lines.append("# the sizes are (height, width): SDXL is told that it draws at its training size")
        call += "".join(f", {k}={v}" for k, v in size_conditioning(explanation.config, height, width).items())
    if explanation.cascade is None:
        return [f"from fouriscale import {names}", *lines, f'image = pipe("{prompt}", {call}).images[0]']
    parts = f"strength={explanation.cascade.strength:g}, upsampling={explanation.cascade.upsampling!r}"
    size = f"height={height}, width={width}, steps={explanation.steps}"
    return [
        f"from fouriscale import {names}, cascade",
        *lines,
        f'image = cascade(pipe, "{prompt}", {size}, {parts})[0].image',
    ]


def transformer_code(
    explanation: PositionsExplanation,
    configs: TransformerParts,
    *,
    prompt: str,
    model: str,
    own: Config,
    preset: str | None,
    dtype: str,
    switches: Collection[str],
    place: str,
) -> list[str]:
    """The same for a model with a transformer.

    Args:
        configs: what was explained, of which the folder may name arguments of the call.
    """
    height, width = explanation.size
    given = {**configs.call, "height": height, "width": width, "num_inference_steps": explanation.steps}
    if explanation.argument == TRUE_GUIDANCE and explanation.estimates > 1:
        given.setdefault("negative_prompt", "")  # without one such a call has no guidance
    call = ", ".join(f"{name}={value!r}" for name, value in given.items())
    names, applying = _applying("PositionConfig", preset, _changes(explanation.config, own))
    if explanation.cascade is not None:
        size = f"height={height}, width={width}, steps={explanation.steps}"
        return [
            f"from fouriscale import {names}, cascade",
            *_loading(model, dtype, xl=False),
            *_placing(switches, place),
            applying,
            f'image = cascade(pipe, "{prompt}", {size}, strength={explanation.cascade.strength:g})[0].image',
        ]
    return [
        f"from fouriscale import {names}",
        *_loading(model, dtype, xl=False),
        *_placing(switches, place),
        applying,
        f'image = pipe("{prompt}", {call}).images[0]',
    ]


def _applying(kind: str, preset: str | None, settings: dict[str, Any]) -> tuple[str, str]:
    """What to import, and the line that applies settings of this kind."""
    given = "".join(f", {name}={value!r}" for name, value in settings.items())
    if preset is None:
        return "apply_fouriscale", f"apply_fouriscale(pipe{given})"
    return f"{kind}, apply_fouriscale", f"apply_fouriscale(pipe, {kind}.named({preset!r}){given})"


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
            _OWN,
        ]
    return [
        "import torch",
        "from diffusers import DiffusionPipeline",
        "",
        f"pipe = DiffusionPipeline.from_pretrained({model!r}, dtype=torch.{dtype})",
        _OWN,
    ]


def _placing(switches: Collection[str], place: str) -> list[str]:
    lines = ["pipe.vae.enable_tiling()"] if "tiles" in switches else []
    if "model offload" in switches:
        return [*lines, "pipe.enable_model_cpu_offload()"]
    if "sequential offload" in switches:
        return [*lines, "pipe.enable_sequential_cpu_offload()"]
    return lines if place == "cpu" else [f'pipe.to("{place}")', *lines]


def _changes(config: Config, own: Config) -> dict[str, Any]:
    """The settings that are others than the denoiser's own preset has them."""
    return {
        name: getattr(config, name)
        for name in type(config).model_fields
        if getattr(config, name) != getattr(own, name)
    }
