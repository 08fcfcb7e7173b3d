"""Positions by the settings put into what each kind of maker gives: cos and sin, or complex numbers.

Every function takes the settings, the maker, its arguments, what it has made, and the transformer's arguments; and
gives what to use in place of that, or None where nothing is to be changed. Text and reference pictures stay the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from ..maths.token_grid import Tokens, grid_tokens

if TYPE_CHECKING:
    from .rotary import AppliedPositions, Turns

Rotations = tuple[torch.Tensor, torch.Tensor]  # cos and sin, (rows, channels) each


def of_all_ids(
    entry: AppliedPositions, maker: Any, args: tuple, made: Rotations, given: dict[str, Any]
) -> Any:
    """FLUX.1 and its kin: the text's ids and behind them the image's, in one."""
    ids = _flat(given["img_ids"])
    return _real(entry, maker, made, entry.tokens_of(ids), len(args[0]) - len(ids), given)


def of_image_ids(
    entry: AppliedPositions, maker: Any, args: tuple, made: Rotations, given: dict[str, Any]
) -> Any:
    """FLUX.2: a call for the image's ids and one for the text's."""
    ids = _flat(given["img_ids"])
    if args[0].data_ptr() != ids.data_ptr():
        return None
    return _real(entry, maker, made, entry.tokens_of(ids), 0, given)


def of_position_ids(
    entry: AppliedPositions, maker: Any, args: tuple, made: Rotations, given: dict[str, Any]
) -> Any:
    """Krea 2: as FLUX.1, and how much of it is text the encoding says."""
    text = given["encoder_hidden_states"].shape[1]
    return _real(entry, maker, made, entry.tokens_of(given["position_ids"], text), text, given)


def of_shapes(
    entry: AppliedPositions, maker: Any, args: tuple, made: Rotations, given: dict[str, Any]
) -> Any:
    """Qwen-Image: complex numbers for the pictures, of which the first is its own, and for the text.

    Rows and columns are counted from the picture's middle.
    """
    image, text = made
    shapes = args[0][0] if isinstance(args[0], list) else args[0]
    frames, rows, columns = (shapes if isinstance(shapes, list) else [shapes])[0]
    if frames != 1:
        return None
    middle = (rows - rows // 2, columns - columns // 2) if maker.scale_rope else (0, 0)
    turns = entry.turns(maker, grid_tokens(rows, columns, image.device, middle), len(text), given)
    if turns is None:
        return None
    own = rows * columns
    return torch.cat([_complex(image[:own], turns, maker.axes_dim), image[own:]]), text


def of_latents(entry: AppliedPositions, maker: Any, args: tuple, made: tuple, given: dict[str, Any]) -> Any:
    """Lumina 2: complex numbers for the captions, for the images, and for both, each caption by its own length."""
    hidden, captions, images, both, lengths, totals = made
    rows, columns = (side // maker.patch_size for side in args[0].shape[-2:])
    turns = entry.turns(maker, grid_tokens(rows, columns, images.device), captions.shape[1], given)
    if turns is None:
        return None
    images = torch.stack([_complex(image, turns, maker.axes_dim) for image in images])
    both = both.clone()
    for i, length in enumerate(lengths):
        both[i, length : length + rows * columns] = images[i]
    return hidden, captions, images, both, lengths, totals


def _real(
    entry: AppliedPositions, maker: Any, made: Rotations, tokens: Tokens, first: int, given: dict[str, Any]
) -> Rotations | None:
    """cos and sin with those of the image's own rows anew, from row `first` on."""
    turns = entry.turns(maker, tokens, first, given)
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
