"""Prompts as Stable Diffusion's UNets get them, each encoded alone, so that batches make no difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from picturelab.pipeline import Pipeline, UNetPipeline
from picturelab.quiet import silence
from picturelab.remarks import remark

Texts = dict[str, torch.Tensor]
"""A prompt's encodings as arguments for the pipeline's call, one row each."""

_ENCODERS = {"tokenizer": "text_encoder", "tokenizer_2": "text_encoder_2"}
_NAMES = ("prompt_embeds", "negative_prompt_embeds")
_POOLED = ("pooled_prompt_embeds", "negative_pooled_prompt_embeds")


def encode(pipe: Pipeline, prompt: str, negative: str | None, guidance: float) -> Texts | None:
    """What the pipeline's own `encode_prompt` makes of a prompt.

    Args:
        negative: the negative prompt; it matters where `guidance` is above 1.

    Returns:
        None for a pipeline that is neither Stable Diffusion's nor XL's kind.
    """
    read = getattr(pipe, "encode_prompt", None)
    if read is None:
        return None
    with torch.no_grad(), silence():  # `remark_cuts` says in whole words what diffusers would
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


def remark_cuts(pipe: Pipeline, prompts: Sequence[str], negative: str | None, guidance: float) -> None:
    """Warn of every end of a prompt that a text encoder does not read, since pictures are then of another prompt."""
    texts = [(prompt, "prompt") for prompt in dict.fromkeys(prompts)]
    if negative and guidance > 1:
        texts.append((negative, "negative prompt"))
    for attribute, encoder in _ENCODERS.items():
        tokenizer: Any = getattr(pipe, attribute, None)
        if not hasattr(tokenizer, "model_max_length"):  # there is none, or one that reads pictures too
            continue
        for text, kind in texts:
            if cut := _unread_end(pipe, tokenizer, text):
                room = tokenizer.model_max_length
                remark(f"{encoder} reads {room} tokens and cuts the {kind}'s end: {cut!r}")


def _unread_end(pipe: Any, tokenizer: Any, text: str) -> str:
    """The end of a text for which the encoder has no tokens left; its last one is the end token."""
    if hasattr(pipe, "maybe_convert_prompt"):  # textual inversion: one word, several tokens
        text = pipe.maybe_convert_prompt(text, tokenizer)
    room = tokenizer.model_max_length
    ids = tokenizer(text, verbose=False).input_ids
    if len(ids) <= room:
        return ""
    if not tokenizer.is_fast:  # it does not know where its tokens lie in the text
        return str(tokenizer.decode(ids[room - 1 :], skip_special_tokens=True))
    offsets = tokenizer(text, verbose=False, return_offsets_mapping=True).offset_mapping
    return text[offsets[room - 1][0] :].strip()


def stacked(texts: Sequence[Texts], device: torch.device) -> dict[str, torch.Tensor]:
    """Several encodings as one batch."""
    return {name: torch.cat([text[name] for text in texts]).to(device) for name in texts[0]}
