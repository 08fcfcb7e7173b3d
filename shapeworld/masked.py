"""The control among the joint-attention models: its padding is masked, in the encoder's rows and in attention.

The encoder's padding rows become zeros, and nothing in the transformer attends to rows of zeros. So the mask
travels with the encoding, whoever made it, and a stock `FluxPipeline` needs to know nothing of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from diffusers import FluxPipeline


def mask_padding(pipe: FluxPipeline) -> FluxPipeline:
    """Make a joint-attention pipeline of ours blind to padding, in training and in sampling. Returns it."""
    mask_encoder(pipe.text_encoder_2)
    pipe.transformer.register_forward_pre_hook(_mask_zero_rows, with_kwargs=True)
    return pipe


def mask_encoder(encoder: nn.Module) -> None:
    """Make a CLIP text model write zeros into the rows behind the first end token."""
    encoder.register_forward_hook(_zero_padding, with_kwargs=True)


def _zero_padding(encoder: nn.Module, args: tuple, kwargs: dict[str, Any], output: Any) -> Any:
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
