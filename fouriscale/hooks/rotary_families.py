"""Where each family of transformers makes its rotary positions, and what its pipelines do with the schedule."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..maths.positions import linear_shift
from ..position_config import PositionConfig
from . import embedder, position_table
from .rotary_makers import (
    channels_of,
    of_all_ids,
    of_image_ids,
    of_latents,
    of_pictures,
    of_position_ids,
    of_shapes,
)

__all__ = ["FAMILIES", "RotaryFamily", "channels_of", "family_of"]


def _linear_shift(pipe: Any, tokens: int, steps: int) -> float:
    """Most pipelines' `calculate_shift`, by the scheduler's config."""
    usual = {"base_image_seq_len": 256, "max_image_seq_len": 4096, "base_shift": 0.5, "max_shift": 1.15}
    config = pipe.scheduler.config
    return linear_shift(tokens, *(config.get(name, value) for name, value in usual.items()))


def _empirical_shift(pipe: Any, tokens: int, steps: int) -> float:
    """FLUX.2's, which follows the number of steps too."""
    homes = (sys.modules[kind.__module__] for kind in type(pipe).__mro__)
    module: Any = next(home for home in homes if hasattr(home, "compute_empirical_mu"))
    return float(module.compute_empirical_mu(image_seq_len=tokens, num_steps=steps))


def _sigma(given: dict[str, Any]) -> torch.Tensor:
    """The share of noise, of which the first row's counts."""
    timestep: torch.Tensor = given["timestep" if "timestep" in given else "t"]
    return timestep.flatten()[0]


def _packed(pipe: Any) -> int:
    """Pixels a token on each axis, of latents packed 2 x 2."""
    return int(2 * pipe.vae_scale_factor)


def _hook_maker(attachment: Any, transformer: nn.Module, undo: ExitStack) -> None:
    maker = getattr(transformer, attachment.family.maker)
    undo.callback(maker.register_forward_hook(attachment.replaced).remove)


def _takes_all(pipe: Any, transformer: nn.Module, config: PositionConfig | None) -> None:
    """Nothing is refused."""


def _check_layers(pipe: Any, transformer: nn.Module, config: PositionConfig | None) -> None:
    """Qwen-Image-Layered samples many pictures at once, which only its own positions tell apart."""
    if transformer.config.get("use_layer3d_rope"):  # type: ignore[union-attr, operator]
        raise ValueError(
            f"{type(pipe).__name__} samples layers, whose positions FouriScale does not know; it knows those of "
            "Qwen-Image's single picture"
        )


@dataclass(frozen=True)
class RotaryFamily:
    """How a family of transformers makes positions.

    Attributes:
        replace: puts positions by the settings into what the maker gives, see `rotary_makers`.
        maker: what makes positions, an attribute of the transformer.
        axes: which of the ids are row and column.
        shift: the shift (mu) that the pipeline would give so many image tokens and steps.
        noise: the share of noise, 1 to 0, of a call with these arguments, as a tensor.
        token_pixels: pixels a token on each axis.
        attach: has a `RotaryAttachment` asked where positions are made.
        check: refuses settings that the family cannot have, by a ValueError; there are none where a picture wraps and
            no more.
        layers: what gives the image's queries and keys, where positions cannot carry a temperature.
    """

    replace: Callable[..., Any] | None
    maker: str = "pos_embed"
    axes: tuple[int, int] = (1, 2)
    shift: Callable[[Any, int, int], float] = _linear_shift
    noise: Callable[[dict[str, Any]], torch.Tensor] = _sigma
    token_pixels: Callable[[Any], int] = _packed
    attach: Callable[[Any, nn.Module, ExitStack], None] = _hook_maker
    check: Callable[[Any, nn.Module, PositionConfig | None], None] = _takes_all
    layers: Callable[[nn.Module], list[nn.Module]] | None = None


def _one_minus_time(given: dict[str, Any]) -> torch.Tensor:
    """The share of noise where the transformer is told the picture's share."""
    return 1 - _sigma(given)


def _check_table(pipe: Any, transformer: nn.Module, config: PositionConfig | None) -> None:
    if config is not None:
        position_table.check(transformer, config, _packed(pipe))


_FLUX = RotaryFamily(of_all_ids)
FAMILIES: dict[str, RotaryFamily] = {
    "FluxTransformer2DModel": _FLUX,
    "ChromaTransformer2DModel": _FLUX,
    "Flux2Transformer2DModel": RotaryFamily(of_image_ids, shift=_empirical_shift),
    "Krea2Transformer2DModel": RotaryFamily(of_position_ids, maker="rotary_emb"),
    "Lumina2Transformer2DModel": RotaryFamily(of_latents, maker="rope_embedder", noise=_one_minus_time),
    "QwenImageTransformer2DModel": RotaryFamily(of_shapes, check=_check_layers),
    "ZImageTransformer2DModel": RotaryFamily(
        of_pictures, maker=embedder.NAME, noise=_one_minus_time, attach=embedder.stand_in
    ),
    "SD3Transformer2DModel": RotaryFamily(
        None, attach=position_table.attach, check=_check_table, layers=position_table.queries_and_keys
    ),
}
"""{class of the transformer: how it makes positions}"""


def family_of(transformer: nn.Module) -> RotaryFamily:
    """How a transformer makes positions.

    Raises:
        ValueError: nobody has said.
    """
    kind = type(transformer).__name__
    if kind not in FAMILIES:
        raise ValueError(
            f"{kind} makes its positions in a way that FouriScale does not know; it knows {', '.join(FAMILIES)}"
        )
    return FAMILIES[kind]
