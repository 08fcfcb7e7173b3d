"""What one call of a transformer costs, foretold by running it on the meta device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from ..hooks.position_table import without_end
from ..maths.sizes import Size
from .memory import LiveBytes


@dataclass(frozen=True)
class CallCost:
    """Of one call with one picture.

    Attributes:
        multiply_adds: of all matrix products, attention's included.
        attention: share of them between queries, keys and values.
        peak_values: most numbers that are alive at once, weights left out.
    """

    multiply_adds: int
    attention: float
    peak_values: int


def call_cost(transformer: nn.Module, grid: Size, text: int) -> CallCost | None:
    """Of a transformer on the meta device; None where nobody has said what its class is called with.

    Args:
        grid: (rows, columns) of the image's tokens.
        text: tokens.
    """
    arguments = _ARGUMENTS.get(type(transformer).__name__)
    if arguments is None:
        return None
    call, attention = arguments(transformer.config, grid, text), _Attention()
    counter, live = FlopCounterMode(display=False), LiveBytes()
    with torch.no_grad(), without_end(transformer, grid), counter, live, attention:
        transformer(**call)
    total = counter.get_total_flops() // 2 + attention.multiply_adds
    return CallCost(total, attention.multiply_adds / total, live.peak // 4)


class _Attention(TorchFunctionMode):
    """Counts attention by its shapes; on the meta device it would fall into its parts, logits and all."""

    multiply_adds = 0

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        if func is not F.scaled_dot_product_attention:
            return func(*args, **(kwargs or {}))
        named = dict(zip(("query", "key", "value"), args, strict=False)) | (kwargs or {})
        query, key, value = named["query"], named["key"], named["value"]  # (B, heads, tokens, dim)
        self.multiply_adds += query[..., 0].numel() * key.shape[-2] * (query.shape[-1] + value.shape[-1])
        return query.new_empty(*query.shape[:-1], value.shape[-1])


def _empty(*shape: int) -> torch.Tensor:
    return torch.empty(*shape, device="meta")


def _rows(config: Any, grid: Size, text: int) -> dict[str, Any]:
    """What all those take that get the image row by row."""
    return {
        "hidden_states": _empty(1, grid[0] * grid[1], config.in_channels),
        "encoder_hidden_states": _empty(1, text, config.joint_attention_dim),
        "timestep": _empty(1),
    }


def _with_ids(config: Any, grid: Size, text: int, axes: int = 3) -> dict[str, Any]:
    ids = {"img_ids": _empty(grid[0] * grid[1], axes), "txt_ids": _empty(text, axes)}
    guidance = {"guidance": _empty(1)} if config.get("guidance_embeds") else {}
    return _rows(config, grid, text) | ids | guidance


def _flux(config: Any, grid: Size, text: int) -> dict[str, Any]:
    return _with_ids(config, grid, text) | {"pooled_projections": _empty(1, config.pooled_projection_dim)}


def _flux2(config: Any, grid: Size, text: int) -> dict[str, Any]:
    return _with_ids(config, grid, text, axes=4)


def _qwen(config: Any, grid: Size, text: int) -> dict[str, Any]:
    return _rows(config, grid, text) | {"img_shapes": [[(1, *grid)]]}


def _krea2(config: Any, grid: Size, text: int) -> dict[str, Any]:
    return {
        "hidden_states": _empty(1, grid[0] * grid[1], config.in_channels),
        "encoder_hidden_states": _empty(1, text, config.num_text_layers, config.text_hidden_dim),
        "timestep": _empty(1),
        "position_ids": _empty(text + grid[0] * grid[1], 3),
    }


def _lumina2(config: Any, grid: Size, text: int) -> dict[str, Any]:
    return {
        "hidden_states": _empty(1, config.in_channels, *(side * config.patch_size for side in grid)),
        "encoder_hidden_states": _empty(1, text, config.cap_feat_dim),
        "timestep": _empty(1),
        "encoder_attention_mask": torch.ones(
            1, text, dtype=torch.bool
        ),  # is read, to know the texts' lengths
    }


def _sd3(config: Any, grid: Size, text: int) -> dict[str, Any]:
    return {
        "hidden_states": _empty(1, config.in_channels, *(side * config.patch_size for side in grid)),
        "encoder_hidden_states": _empty(1, text, config.joint_attention_dim),
        "pooled_projections": _empty(1, config.pooled_projection_dim),
        "timestep": _empty(1),
    }


def _z_image(config: Any, grid: Size, text: int) -> dict[str, Any]:
    side = config.all_patch_size[0]
    return {
        "x": [_empty(config.in_channels, 1, *(tokens * side for tokens in grid))],
        "t": _empty(1),
        "cap_feats": [_empty(text, config.cap_feat_dim)],
    }


_ARGUMENTS: dict[str, Callable[[Any, Size, int], dict[str, Any]]] = {
    "FluxTransformer2DModel": _flux,
    "ChromaTransformer2DModel": _with_ids,
    "Flux2Transformer2DModel": _flux2,
    "Krea2Transformer2DModel": _krea2,
    "Lumina2Transformer2DModel": _lumina2,
    "QwenImageTransformer2DModel": _qwen,
    "SD3Transformer2DModel": _sd3,
    "ZImageTransformer2DModel": _z_image,
}
"""{class of the transformer: arguments of its call with an image of (rows, columns) tokens and so much text}"""
