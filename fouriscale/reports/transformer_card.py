"""Whether a transformer's explained run fits a card, how long it takes there, and the code to paste."""

from __future__ import annotations

import torch

from ..config_kinds import Config
from ..loading.configs import TransformerParts
from ..loading.parameters import Sizes
from ..sampling.vae import decoder_values
from .card import Parts, switches_for
from .explain_positions import PositionsExplanation
from .fit_words import fit_sentences
from .other_cards import elsewhere_sentence
from .paste import transformer_code

CARD = "an H100 80 GB in bfloat16"
# Of a call of FLUX.1's shape at 1024 x 1024: benchmarks/results/h100.md.
_SECONDS, _MULTIPLY_ADDS = 0.184, 3.719e13
_SMALLEST = 1e9  # weights; what takes the time of smaller models is not their multiply-adds


def transformer_parts_of(explanation: PositionsExplanation, sizes: Sizes, dtype: torch.dtype) -> Parts | None:
    """Bytes of an explained run, one picture at a time; None where the transformer's call is not foretold.

    Args:
        sizes: of the parts beside the transformer.
        dtype: of the weights.
    """
    if explanation.cost is None:
        return None
    height, width = explanation.size
    element = dtype.itemsize
    vae, decoding, tiled = 0, 0, 0
    if sizes.vae is not None:
        vae = element * sum(weight.numel() for weight in sizes.vae.parameters())
        tile = getattr(sizes.vae, "tile_sample_min_size", None) or sizes.vae.tile_sample_min_height
        decoding = element * decoder_values(sizes.vae, height, width, 1)
        tiled = element * decoder_values(sizes.vae, min(height, tile), min(width, tile), 1)
    return Parts(
        unet=explanation.parameters * element,
        text=sizes.text * element,
        vae=vae,
        sampling=explanation.rows * explanation.cost[0].peak_values * element,
        split_sampling=None,
        decoding=decoding,
        tiled_decoding=tiled,
    )


def seconds(explanation: PositionsExplanation) -> float | None:
    """Of the explained run on `CARD`, prompts and decoding apart; None where it is not foretold.

    Computed by multiply-adds from one measured call, so for other shapes and sizes it is an estimate.
    """
    if explanation.cost is None or explanation.parameters < _SMALLEST:
        return None
    return (
        explanation.steps
        * explanation.estimates
        * explanation.run_cost
        * explanation.cost[0].multiply_adds
        * _SECONDS
        / _MULTIPLY_ADDS
    )


def card_sentences(
    explanation: PositionsExplanation,
    configs: TransformerParts,
    sizes: Sizes,
    *,
    prompt: str,
    model: str,
    own: Config,
    preset: str | None,
    dtype: torch.dtype,
    memory: float,
    where: str,
    place: str,
) -> list[str]:
    """Whether a run fits, how long it takes, and the code, one line each.

    Args:
        configs: what was explained.
        sizes: of the parts beside the transformer.
        prompt: what the code draws.
        model: as the code loads it.
        own: the settings that `apply_fouriscale(pipe)` finds, or the preset's.
        preset: what `--preset` gave.
        dtype: of the weights.
        memory: bytes of the card, or of this machine.
        where: that memory is: see `fit_words.where_of`.
        place: of the pipeline: "cuda", "mps" or "cpu".
    """
    name = str(dtype).removeprefix("torch.")
    parts, run = transformer_parts_of(explanation, sizes, dtype), seconds(explanation)
    switches: tuple[str, ...] | None = ()
    lines = []
    if parts is not None:
        switches = switches_for(parts, memory)
        lines += fit_sentences(
            parts,
            dtype=name,
            memory=memory,
            where=where,
            switches=switches,
            steps=explanation.steps,
            denoiser="transformer",
            card=place != "cpu",
        )
    if parts is not None and not (parts.text and parts.vae):
        lines.append("  of these, 0 GiB stand for parts whose configs are not at hand: they need more")
    if run is not None:
        lines.append(
            f"time: about {run:.3g} s for {explanation.steps} steps on {CARD}; computed by multiply-adds from a call "
            f"of FLUX.1's shape at 1024x1024 that took {_SECONDS} s there, prompts and decoding apart"
        )
        lines.append(elsewhere_sentence(run))
    if switches is None:
        return lines
    code = transformer_code(
        explanation,
        configs,
        prompt=prompt,
        model=model,
        own=own,
        preset=preset,
        dtype=name,
        switches=switches,
        place=place,
    )
    return [*lines, "code:", *code]
