"""Which of our joint-attention models sees what of padding: nothing, its rows without a word, or all of it.

A masked encoder writes zeros into the rows of padding. A masked denoiser attends to no row of zeros. So the mask
travels with the encoding, whoever made it, and a stock `FluxPipeline` needs to know nothing of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from diffusers import FluxPipeline

MASKINGS = ("none", "encoder", "both")
"""none: padding as the encoder writes it. encoder: its rows are zeros, and the denoiser attends to them. both: nor
does it attend to them."""


def apply_masking(pipe: FluxPipeline, masking: str) -> None:
    """Hook a pipeline of ours as its `sampling.json` says, one of `MASKINGS`, for training and for sampling."""
    if masking == "none":
        return
    pipe.text_encoder_2.register_forward_hook(_zero_padding, with_kwargs=True)
    if masking == "both":
        pipe.transformer.register_forward_pre_hook(_mask_zero_rows, with_kwargs=True)


def _zero_padding(encoder: nn.Module, args: tuple, kwargs: dict[str, Any], output: Any) -> Any:
    """Zeros in the rows behind the first end token."""
    ids = args[0] if args else kwargs["input_ids"]
    config: Any = encoder.config
    ended = (ids == config.eos_token_id).int().cumsum(1)  # 1 at the first end token
    padding = (ended > 1) & (ids == config.pad_token_id)
    output.last_hidden_state = output.last_hidden_state.masked_fill(padding[..., None], 0)  # (B, tokens, dim)
    return output


def _mask_zero_rows(_: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
    text = (kwargs["encoder_hidden_states"] != 0).any(-1)  # (B, tokens)
    image = text.new_ones(kwargs["hidden_states"].shape[:2])
    mask = torch.cat([text, image], 1)[:, None, None]  # (B, heads, queries, keys); text comes first
    given = kwargs.get("joint_attention_kwargs") or {}
    return args, kwargs | {"joint_attention_kwargs": given | {"attention_mask": mask}}
