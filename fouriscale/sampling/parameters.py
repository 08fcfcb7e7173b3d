"""A recipe in the words of A1111's parameters, for programs that read those and no recipes of ours."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from picturelab.foreign import a1111
from picturelab.foreign.samplers import in_a1111s_words

from .recipe import Recipe


def parameters_of(recipe: Recipe) -> str | None:
    """The text; None where the prompt holds what A1111's readers would take for something else.

    Left out is what they have no words for: the picture that it was drawn from, masks, the FouriScale settings
    themselves. FouriScale, cascades, ControlNets and other schedulers are named under keys that A1111 has not.
    """
    parameters: dict[str, Any] = {
        "Steps": recipe.steps,
        **in_a1111s_words(recipe.scheduler),
        "CFG scale": f"{recipe.guidance:g}",
        "Seed": recipe.seed,
        "Size": f"{recipe.width}x{recipe.height}",
        "Model": PurePath(recipe.model).stem if recipe.model.endswith(".safetensors") else recipe.model,
    }
    if recipe.inputs.image is not None and recipe.inputs.strength is not None:
        parameters["Denoising strength"] = f"{recipe.inputs.strength:g}"
    parameters["RNG"] = "CPU"  # noise is drawn there, whatever the device
    parameters["FouriScale"] = "no" if recipe.config is None else recipe.config.get("mode", "yes")
    if recipe.cascade is not None:
        parameters["FouriScale cascade"] = recipe.cascade.get("strength", "yes")
    if recipe.inputs.controls:
        parameters["ControlNets"] = ", ".join(control.model for control in recipe.inputs.controls)
    if recipe.inputs.mask is not None:
        parameters["Mask"] = PurePath(recipe.inputs.mask.path).name
    parameters["Software"] = f"fouriscale-padtone {recipe.versions.get('fouriscale-padtone', '')}"
    loras = [(PurePath(lora.file.path).stem, lora.scale) for lora in recipe.inputs.loras]
    return a1111.text_of(recipe.prompt, recipe.negative_prompt, parameters, loras)
