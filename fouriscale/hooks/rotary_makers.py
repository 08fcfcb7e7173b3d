"""Positions by the settings put into what each kind of maker gives: cos and sin, or complex numbers.

Every function takes the transformer's call, the maker, its arguments, and what it has made; and gives what to use in
place of that, or None where nothing is to be changed. Text and reference pictures stay the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ..maths.token_grid import Tokens, grid_tokens
from .rotary_call import TransformerCall, Turns

Rotations = tuple[torch.Tensor, torch.Tensor]  # cos and sin, (rows, channels) each
_PADDED = 32  # Z-Image fills every picture and caption up to a multiple of so many tokens


def channels_of(maker: Any) -> Sequence[int]:
    """Of each axis of the ids."""
    channels: Sequence[int] = maker.axes_dims if hasattr(maker, "axes_dims") else maker.axes_dim
    return channels


def of_all_ids(call: TransformerCall, maker: Any, args: tuple, made: Rotations) -> Any:
    """FLUX.1 and its kin: the text's ids and behind them the image's, in one."""
    ids = _flat(call.given["img_ids"])
    return _real(call, maker, made, call.entry.tokens_of(ids), len(args[0]) - len(ids))


def of_image_ids(call: TransformerCall, maker: Any, args: tuple, made: Rotations) -> Any:
    """FLUX.2: a call for the image's ids and one for the text's."""
    ids = _flat(call.given["img_ids"])
    if args[0].data_ptr() != ids.data_ptr():
        return None
    return _real(call, maker, made, call.entry.tokens_of(ids), 0)


def of_position_ids(call: TransformerCall, maker: Any, args: tuple, made: Rotations) -> Any:
    """Krea 2: as FLUX.1, and how much of it is text the encoding says."""
    text = call.given["encoder_hidden_states"].shape[1]
    return _real(call, maker, made, call.entry.tokens_of(call.given["position_ids"], text), text)


def of_shapes(call: TransformerCall, maker: Any, args: tuple, made: Rotations) -> Any:
    """Qwen-Image: complex numbers for the pictures, of which the first is its own, and for the text.

    Rows and columns are counted from the picture's middle.
    """
    image, text = made
    shapes = args[0][0] if isinstance(args[0], list) else args[0]
    frames, rows, columns = (shapes if isinstance(shapes, list) else [shapes])[0]
    if frames != 1:
        return None
    middle = (rows - rows // 2, columns - columns // 2) if maker.scale_rope else (0, 0)
    tokens = grid_tokens(rows, columns, image.device, middle)
    turns = call.entry.turns(maker, tokens, len(text), call.given)
    if turns is None:
        return None
    own = rows * columns
    if len(image) > own:
        call.entry.refuse_references()
    return torch.cat([_complex(image[:own], turns, maker.axes_dim), image[own:]]), text


def of_latents(call: TransformerCall, maker: Any, args: tuple, made: tuple) -> Any:
    """Lumina 2: complex numbers for the captions, for the images, and for both, each caption by its own length."""
    hidden, captions, images, both, lengths, totals = made
    rows, columns = (side // maker.patch_size for side in args[0].shape[-2:])
    tokens = grid_tokens(rows, columns, images.device)
    turns = call.entry.turns(maker, tokens, captions.shape[1], call.given)
    if turns is None:
        return None
    images = torch.stack([_complex(image, turns, maker.axes_dim) for image in images])
    both = both.clone()
    for i, length in enumerate(lengths):
        both[i, length : length + rows * columns] = images[i]
    return hidden, captions, images, both, lengths, totals


def of_pictures(call: TransformerCall, maker: Any, args: tuple, made: torch.Tensor) -> Any:
    """Z-Image: complex numbers for the pictures of all rows of the batch, padded; in a second call for the captions.

    A row may be a list of pictures, of which the last is its own and the others are references.
    """
    if call.embedded > 1:
        return None
    size = call.given.get("patch_size", 2)
    changed, first = made.clone(), 0
    for row, caption in zip(call.given["x"], call.given["cap_feats"], strict=True):
        *references, own = row if isinstance(row, list) else [row]
        captions = caption if isinstance(caption, list) else [caption]
        if references:
            call.entry.refuse_references()
        first += sum(_PADDED if one is None else _padded(one, size) for one in references)
        rows, columns = (side // size for side in own.shape[-2:])
        text = sum(_whole(len(one)) for one in captions)
        tokens = grid_tokens(rows, columns, made.device)
        turns = call.entry.turns(maker, tokens, text, call.given) if own.shape[-3] == 1 else None
        if turns is None:
            return None
        part = slice(first, first + rows * columns)
        changed[part] = _complex(made[part], turns, maker.axes_dims)
        first += _padded(own, size)
    return changed


def _padded(picture: torch.Tensor, size: int) -> int:
    """Tokens of a picture (C, frames, height, width), with those that fill it up."""
    frames, height, width = picture.shape[-3:]
    return _whole(frames * (height // size) * (width // size))


def _whole(tokens: int) -> int:
    return -(-tokens // _PADDED) * _PADDED


def _real(call: TransformerCall, maker: Any, made: Rotations, tokens: Tokens, first: int) -> Rotations | None:
    """cos and sin with those of the image's own rows anew, from row `first` on."""
    turns = call.entry.turns(maker, tokens, first, call.given)
    if turns is None:
        return None
    own = slice(None) if tokens.own is None else tokens.own
    replaced = []
    for part, turn in zip(made, (torch.cos, torch.sin), strict=True):
        image = part[first:].clone()
        changed = image[own]
        for axis, angles in turns.angles.items():
            begin, channels = sum(maker.axes_dim[:axis]), maker.axes_dim[axis]
            values = turns.m * turn(angles).repeat_interleave(2, dim=1)
            changed[:, begin : begin + channels] = values.to(part.dtype)
        image[own] = changed
        replaced.append(torch.cat([part[:first], image]))
    return replaced[0], replaced[1]


def _complex(made: torch.Tensor, turns: Turns, axes_dim: Any) -> torch.Tensor:
    """(own tokens, pairs) complex numbers with those of rows and columns anew."""
    changed = made.clone()
    for axis, angles in turns.angles.items():
        begin = sum(axes_dim[:axis]) // 2
        length = torch.full_like(angles, turns.m)
        changed[:, begin : begin + angles.shape[1]] = torch.polar(length, angles).to(made.dtype)
    return changed


def _flat(ids: torch.Tensor) -> torch.Tensor:
    """(ids, axes), without the dimension of a batch that some pipelines give."""
    return ids[0] if ids.ndim == 3 else ids
