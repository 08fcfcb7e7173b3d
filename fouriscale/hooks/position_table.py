"""SD 3's positions, a table that is added to the image's tokens: read between its entries, from outside."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import torch
from torch import nn

from ..maths.position_table import denser
from ..maths.sizes import Size
from ..position_config import PositionConfig
from .rotary_call import Attached

_CROP = "cropped_pos_embed"


def attach(attachment: Attached, transformer: nn.Module, undo: ExitStack) -> None:
    """Have the table read by the settings until `undo`, on the instance, as `conv._conv_forward` is."""
    embed: Any = transformer.pos_embed
    stock = getattr(embed, _CROP)

    @torch.compiler.disable
    @functools.wraps(stock)
    def cropped(height: int, width: int) -> torch.Tensor:
        positions = _positions(attachment, embed, (height // embed.patch_size, width // embed.patch_size))
        made: torch.Tensor = stock(height, width) if positions is None else positions
        return made

    setattr(embed, _CROP, cropped)
    undo.callback(delattr, embed, _CROP)


@contextlib.contextmanager
def without_end(transformer: Any, grid: Size) -> Iterator[None]:
    """Costs are foretold where the table ends, too: within, positions of that grid have their shape and no values.

    A transformer without a table is left as it is. `grid` is (rows, columns) of the image's tokens.
    """
    embed: Any = getattr(transformer, "pos_embed", None)
    if not hasattr(embed, _CROP):
        yield
        return
    positions = torch.empty(1, grid[0] * grid[1], embed.pos_embed.shape[-1], device="meta")
    setattr(embed, _CROP, lambda height, width: positions)
    try:
        yield
    finally:
        delattr(embed, _CROP)


def _positions(attachment: Attached, embed: Any, size: tuple[int, int]) -> torch.Tensor | None:
    """(1, tokens, channels) of a picture of so many rows and columns; None: as the model has them."""
    call = attachment.latest.call
    scales = call.entry.scales(size) if call else None
    if call is None or scales is None:
        return None
    attachment.warm(call, call.entry.temperature(size, call.given["encoder_hidden_states"].shape[1]))
    entries = embed.pos_embed_max_size
    table = embed.pos_embed.reshape(entries, entries, -1)
    return denser(table, size, call.entry.training_tokens(size), scales)[None]


def check(transformer: nn.Module, config: PositionConfig, token_pixels: int) -> None:
    """Can the table say what the settings ask for?

    Raises:
        ValueError: a rule of frequencies, of which it has none; or a training size beyond its end.
    """
    kind = type(transformer).__name__
    if config.rule != "interpolate" or config.dynamic:
        asked = "dynamic=True" if config.dynamic else f"rule={config.rule!r}"
        raise ValueError(
            f"{asked}: {kind} adds positions from a table and turns nothing, so it can be given "
            "rule='interpolate' and dynamic=False only"
        )
    entries: int = transformer.pos_embed.pos_embed_max_size  # type: ignore[union-attr, assignment]
    longest = max(max(size) for size in config.training_sizes)
    if longest > entries * token_pixels:
        raise ValueError(
            f"training_sizes={config.training_sizes}: this {kind}'s table of positions ends at "
            f"{entries * token_pixels} pixels a side"
        )


def queries_and_keys(transformer: nn.Module) -> list[nn.Module]:
    """What gives the image's queries and keys in every self-attention and joint attention."""
    found = []
    for block in transformer.transformer_blocks:  # type: ignore[union-attr]
        for attention in (block.attn, getattr(block, "attn2", None)):
            for kind in "qk" if attention is not None else "":
                norm = getattr(attention, f"norm_{kind}", None)
                found.append(norm if norm is not None else getattr(attention, f"to_{kind}"))
    return found
