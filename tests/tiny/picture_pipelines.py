"""Small pipelines that begin with a picture or are led by one, from the parts of the text-to-image pipelines."""

from __future__ import annotations

import inspect
from typing import Any

import diffusers
import torch
from PIL import Image

from padtone.families.relatives import RELATIVES
from tests.tiny import text_pipelines, unet_pipelines
from tests.tiny.image_parts import vae
from tests.tiny.joint_attention_pipelines import sd3_transformer

BASE = {
    "StableDiffusionPipeline": "sd1",
    "StableDiffusionXLPipeline": "sdxl",
    "StableDiffusion3Pipeline": "sd3",
    "FluxPipeline": "flux",
    "ChromaPipeline": "chroma",
    "Flux2KleinPipeline": "flux2_klein",
    "QwenImagePipeline": "qwen_image",
    "ZImagePipeline": "z_image",
}
_PLAIN = {"requires_safety_checker": False, "add_watermarker": False}


def base_of(kind: str) -> str:
    """Name of the text-to-image pipeline whose parts a pipeline class takes."""
    return BASE[RELATIVES[kind]]


def build(kind: str) -> tuple[diffusers.DiffusionPipeline, dict[str, Any]]:
    """A pipeline of a class, and the arguments of a short call of it but for the prompt."""
    name, cls = base_of(kind), getattr(diffusers, kind)
    led = "ControlNet" in kind and name in ("sd1", "sdxl")
    family = "XL" if name == "sdxl" else "SD"
    pipe = unet_pipelines.pipeline(family) if led else text_pipelines.fresh(name)
    parts = dict(pipe.components)
    if led:
        parts["controlnet"] = unet_pipelines.controlnet(family)
    if kind == "QwenImageControlNetPipeline":
        config = dict(pipe.transformer.config) | {"num_layers": 1}
        parts["controlnet"] = (
            diffusers.QwenImageControlNetModel.from_config(config).eval().requires_grad_(False)
        )
        text_pipelines.spread(parts["controlnet"])
    if kind == "StableDiffusion3InpaintPipeline":  # it takes no other number of channels
        with torch.random.fork_rng():
            torch.manual_seed(0)
            parts |= {"vae": vae(channels=16), "transformer": sd3_transformer(channels=16)}
    takes = inspect.signature(cls.__init__).parameters
    made = cls(**{n: part for n, part in (parts | _PLAIN).items() if n in takes})
    made.set_progress_bar_config(disable=True)
    if name == "qwen_image":
        made.prompt_template_encode_start_idx = pipe.prompt_template_encode_start_idx
    return made, _call(cls, name, 64 if led else 32)


def _call(cls: type, name: str, side: int) -> dict[str, Any]:
    picture = Image.effect_mandelbrot((side, side), (-2, -1, 1, 1), 50).convert("RGB")
    white = Image.new("L", (side, side), 255)
    everything = text_pipelines.CALL[name] | {
        "num_inference_steps": 2,
        "strength": 0.5,
        "image": picture,
        "control_image": picture,
        "mask_image": white,
        "height": side,
        "width": side,
        "negative_prompt": "green",
        "output_type": "np",
    }
    if name in ("flux", "qwen_image"):
        everything["true_cfg_scale"] = 3.0
    takes = inspect.signature(cls.__call__).parameters
    return {n: value for n, value in everything.items() if n in takes}
