"""Prompts as Stable Diffusion's UNets get them, each encoded alone, so that batches make no difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from picturelab.pipeline import UNetPipeline

Texts = dict[str, torch.Tensor]
"""A prompt's encodings as arguments for the pipeline's call, one row each."""

_NAMES = ("prompt_embeds", "negative_prompt_embeds")
_POOLED = ("pooled_prompt_embeds", "negative_pooled_prompt_embeds")


def encode(pipe: UNetPipeline, prompt: str, negative: str | None, guidance: float) -> Texts | None:
    """What the pipeline's own `encode_prompt` makes of a prompt.

    Args:
        negative: the negative prompt; it matters where `guidance` is above 1.

    Returns:
        None for a pipeline that is neither Stable Diffusion's nor XL's kind.
    """
    read = getattr(pipe, "encode_prompt", None)
    if read is None:
        return None
    with torch.no_grad():
        encodings = read(
            prompt=prompt,
            device=pipe._execution_device,
            num_images_per_prompt=1,
            do_classifier_free_guidance=guidance > 1,
            negative_prompt=negative,
        )
    names = {2: _NAMES, 4: _NAMES + _POOLED}.get(len(encodings))
    if names is None:
        return None
    return {name: value for name, value in zip(names, encodings, strict=True) if value is not None}


def encode_all(
    pipe: UNetPipeline, prompts: Sequence[str], negative: str | None, guidance: float
) -> dict[str, Any]:
    """Arguments for one call with several prompts; equal ones are encoded once."""
    by_prompt = {prompt: encode(pipe, prompt, negative, guidance) for prompt in dict.fromkeys(prompts)}
    texts = [by_prompt[prompt] for prompt in prompts]
    if any(text is None for text in texts):
        several = None if negative is None else [negative] * len(prompts)
        return {"prompt": list(prompts), "negative_prompt": several}
    return stacked([text for text in texts if text is not None], pipe.unet.device)


def stacked(texts: Sequence[Texts], device: torch.device) -> dict[str, torch.Tensor]:
    """Several encodings as one batch."""
    return {name: torch.cat([text[name] for text in texts]).to(device) for name in texts[0]}
