"""Where each family of transformers makes its rotary positions, and what its pipelines do with the schedule."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from .rotary_makers import of_all_ids, of_image_ids, of_latents, of_position_ids, of_shapes


def _linear_shift(pipe: Any, tokens: int, steps: int) -> float:
    """The pipeline's own `calculate_shift`: a line through two numbers of tokens."""
    config = pipe.scheduler.config
    ends = [
        ("base_image_seq_len", 256),
        ("max_image_seq_len", 4096),
        ("base_shift", 0.5),
        ("max_shift", 1.15),
    ]
    given = [config.get(name, usual) for name, usual in ends]
    return float(sys.modules[type(pipe).__module__].calculate_shift(tokens, *given))


def _empirical_shift(pipe: Any, tokens: int, steps: int) -> float:
    """FLUX.2's, which follows the number of steps too."""
    module = sys.modules[type(pipe).__module__]
    return float(module.compute_empirical_mu(image_seq_len=tokens, num_steps=steps))


def _sigma(given: dict[str, Any]) -> torch.Tensor:
    """The share of noise, of which the first row's counts."""
    timestep: torch.Tensor = given["timestep"]
    return timestep.flatten()[0]


def _packed(pipe: Any) -> int:
    """Pixels a token on each axis, of latents packed 2 x 2."""
    return int(2 * pipe.vae_scale_factor)


@dataclass(frozen=True)
class RotaryFamily:
    """How a family of transformers makes positions.

    Attributes:
        replace: puts positions by the settings into what the maker gives, see `rotary_makers`.
        maker: the module that makes positions, an attribute of the transformer.
        axes: which of the ids are row and column.
        shift: the shift (mu) that the pipeline would give so many image tokens and steps.
        noise: the share of noise, 1 to 0, of a call with these arguments, as a tensor.
        token_pixels: pixels a token on each axis.
    """

    replace: Callable[..., Any]
    maker: str = "pos_embed"
    axes: tuple[int, int] = (1, 2)
    shift: Callable[[Any, int, int], float] = _linear_shift
    noise: Callable[[dict[str, Any]], torch.Tensor] = _sigma
    token_pixels: Callable[[Any], int] = _packed


def _one_minus_time(given: dict[str, Any]) -> torch.Tensor:
    """The share of noise where the transformer is told the picture's share."""
    return 1 - _sigma(given)


_FLUX = RotaryFamily(of_all_ids)
FAMILIES: dict[str, RotaryFamily] = {
    "FluxTransformer2DModel": _FLUX,
    "ChromaTransformer2DModel": _FLUX,
    "Flux2Transformer2DModel": RotaryFamily(of_image_ids, shift=_empirical_shift),
    "Krea2Transformer2DModel": RotaryFamily(of_position_ids, maker="rotary_emb"),
    "Lumina2Transformer2DModel": RotaryFamily(of_latents, maker="rope_embedder", noise=_one_minus_time),
    "QwenImageTransformer2DModel": RotaryFamily(of_shapes),
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
