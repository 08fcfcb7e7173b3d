"""Pictures of pipelines with a transformer: what their calls take, and what they are not asked for here.

Each prompt is sampled in a call of its own: such models are slow enough to fill a device with one picture, and some
pad the texts of a call to the longest of them.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any

import torch
from diffusers import UNet2DConditionModel

from picturelab.bounds import shown
from picturelab.models import origin, usual_call
from picturelab.pipeline import Pipeline
from picturelab.remarks import remark

from ..hooks.pipelines import denoiser_of
from ..hooks.rotary_families import family_of
from ..maths.sizes import Size
from .cascade import Cascade
from .cascade_checks import check_for_transformer
from .inputs import Inputs
from .relatives import IMAGE_TO_IMAGE, class_for

GUIDANCE_SCALE, TRUE_GUIDANCE = "guidance_scale", "true_cfg_scale"
# What `generate` decides, of the arguments that a model's folder names.
_DECIDED = ("height", "width", "num_inference_steps", GUIDANCE_SCALE, TRUE_GUIDANCE, "negative_prompt")


def has_transformer(pipe: Any) -> bool:
    """Whether a pipeline's denoiser is a transformer and no UNet.

    Raises:
        ValueError: it is neither that FouriScale knows.
    """
    return not isinstance(denoiser_of(pipe), UNet2DConditionModel)


def config_of_denoiser(pipe: Any) -> Mapping[str, Any]:
    """The config of a pipeline's UNet or transformer."""
    denoiser: Any = denoiser_of(pipe)
    config: Mapping[str, Any] = denoiser.config
    return config


def guidance_argument(takes: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """Which argument of a pipeline's call is the guidance.

    Args:
        takes: the call's parameters by name.
        config: the denoiser's. FLUX without its guidance embedding and Qwen-Image ignore `guidance_scale`.
    """
    ignored = TRUE_GUIDANCE in takes and not config.get("guidance_embeds", False)
    return TRUE_GUIDANCE if ignored else GUIDANCE_SCALE


def usual_settings(kind: type, config: Mapping[str, Any], model: str) -> tuple[int, float]:
    """Steps and guidance: those that the model's folder names, and else the pipeline's own.

    Args:
        kind: the pipeline's class.
        config: the denoiser's.
        model: what `usual_call` takes.
    """
    takes = inspect.signature(kind.__call__).parameters
    own, guidance = usual_call(model), guidance_argument(takes, config)
    steps = own.get("num_inference_steps", takes["num_inference_steps"].default)
    return int(steps), float(own.get(guidance, takes[guidance].default))


def text_arguments(pipe: Pipeline, prompt: str, negative: str | None, guidance: float) -> dict[str, Any]:
    """A prompt, its guidance, and what else the model's folder names, as the pipeline's call takes them."""
    takes = inspect.signature(type(pipe).__call__).parameters
    config = config_of_denoiser(pipe)
    name = guidance_argument(takes, config)
    call = {key: value for key, value in usual_call(origin(pipe).model).items() if key not in _DECIDED}
    call |= {"prompt": prompt, name: guidance}
    if "negative_prompt" in takes and (name == GUIDANCE_SCALE or guidance > 1):
        # Without one, if only an empty one, a call with `true_cfg_scale` has no guidance at all.
        call["negative_prompt"] = negative if name == GUIDANCE_SCALE else negative or ""
    if negative and guidance > 1 and (config.get("guidance_embeds", False) or "negative_prompt" not in takes):
        remark(
            f"negative {shown(negative)} has no effect: {type(pipe).__name__} has no unconditional estimate"
        )
    return call


def refuse(pipe: Pipeline, inputs: Inputs, cascade: Cascade | None, size: Size) -> None:
    """Refuse what a transformer's pictures are not made of here.

    Args:
        size: (height, width) in pixels.

    Raises:
        ValueError: there are a ControlNet, a LoRA, a picture to start from or a cascade that diffusers has no pipeline
            for, or a size that the pipeline would not keep to.
    """
    check_for_transformer(inputs, cascade)
    check_sides(size, token_pixels(pipe), type(pipe).__name__)
    task = IMAGE_TO_IMAGE if cascade is not None else inputs.task
    if task is not None:
        class_for(type(pipe), task)


def token_pixels(pipe: Pipeline) -> int:
    """How many pixels a token of a pipeline's pictures has on each axis."""
    return family_of(denoiser_of(pipe)).token_pixels(pipe)


def check_sides(size: Size, pixels: int, name: str) -> None:
    """Is the size a whole number of tokens? The pipeline would draw another without a word.

    Args:
        size: (height, width) in pixels.
        pixels: of a token, on each axis.
        name: of the pipeline.

    Raises:
        ValueError: it is not; the sentence names one that is.
    """
    height, width = size
    if height % pixels or width % pixels:
        near = [max(pixels, round(side / pixels) * pixels) for side in (width, height)]
        raise ValueError(
            f"width {width}, height {height}: both must be multiples of {pixels} for {name}, such as "
            f"{near[0]}x{near[1]}"
        )


def as_map(pipe: Any, latents: torch.Tensor, size: Size) -> torch.Tensor | None:
    """Latents as (batch, channels, latent height, latent width) of a picture of this size.

    None where that is not known, and where they are of another size, as of a cascade's first picture.

    Args:
        latents: as a pipeline's callback gets them, perhaps one row a token.
        size: (height, width) of the picture in pixels.
    """
    if latents.ndim == 3 and hasattr(pipe, "_unpack_latents"):
        if latents.shape[1] != math.prod(side // token_pixels(pipe) for side in size):
            return None
        latents = pipe._unpack_latents(latents, *size, pipe.vae_scale_factor)
    if latents.ndim == 5 and latents.shape[2] == 1:  # of one frame
        latents = latents[:, :, 0]
    return latents if latents.ndim == 4 else None
