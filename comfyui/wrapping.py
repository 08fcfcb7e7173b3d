"""Have a UNet's pictures wrap: each of its convolutions is continued at the other end of the map.

torch's `_conv_forward` is patched as an object, for ComfyUI calls it with the weight after every cast and offload,
and puts it back when the model is unloaded.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from fouriscale.maths.convolve import dilated
from fouriscale.maths.wrap import NOWHERE, WRAPS, Axes, check_sides
from picturelab.bounds import shown

from .blocks import PIXELS, blocks_of, latent_size

CHOICES = [name for name, axes in WRAPS.items() if axes != NOWHERE]
_WRAP = "fouriscale_wrap"  # where transformer_options says so, and by which the wrapper is known
_UNET, _CALL = (
    "diffusion_model",
    "diffusion_model",
)  # ComfyUI's names of the module, and of wrappers around its call


def apply(model: Any, wrap: str) -> Any:
    """A clone of a ModelPatcher whose UNet wraps. A second call replaces the first.

    Args:
        wrap: one of `CHOICES`.

    Raises:
        ValueError: see `FouriScaleWrap.patch`.
    """
    if wrap not in CHOICES:
        raise ValueError(f"wrap={shown(wrap)}: must be one of {', '.join(CHOICES)}")
    axes, stride = WRAPS[wrap], blocks_of(model).stride
    patched = model.clone()
    for name, conv in _spatial_convolutions(model.model.diffusion_model):
        patched.add_object_patch(f"{_UNET}.{name}._conv_forward", functools.partial(_closed, conv, axes))
    patched.model_options["transformer_options"][_WRAP] = wrap
    patched.remove_wrappers_with_key(_CALL, _WRAP)
    patched.add_wrapper_with_key(_CALL, _WRAP, functools.partial(_checked, axes, stride * PIXELS))
    return patched


def axes_of(transformer_options: dict[str, Any]) -> Axes:
    """The axes on which the picture of a call wraps."""
    return WRAPS[transformer_options.get(_WRAP, "none")]


def _spatial_convolutions(unet: nn.Module) -> Iterator[tuple[str, nn.Conv2d]]:
    for name, module in unet.named_modules():
        if isinstance(module, nn.Conv2d) and max(module.kernel_size) > 1:
            yield name, module


def _closed(
    conv: nn.Conv2d, axes: Axes, maps: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    """What stands in for `_conv_forward`."""
    return dilated(conv, maps, weight, bias, 1, axes)


def _checked(
    axes: Axes, multiple: int, executor: Any, sample: torch.Tensor, *args: Any, **kwargs: Any
) -> Any:
    """The UNet's call, of a sample whose wrapped sides its strides divide."""
    height, width = latent_size(sample)
    check_sides((height * PIXELS, width * PIXELS), multiple, axes)
    return executor(sample, *args, **kwargs)
