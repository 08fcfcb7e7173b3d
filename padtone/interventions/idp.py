"""IDP: swap text rows between two runs of the denoiser, block by block (Padding Tone, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from picturelab.pipeline import Pipeline

from ..families.family import Family
from ..hooks.denoiser import rows_in_blocks
from ..hooks.handing_over import drawn
from ..hooks.swapping import Patch, count_layers, overwrite_rows
from ..maths.roles import RowChoice, row_roles
from .arguments import ARMS, arm_key, check_call, check_choices, check_layers, check_prompt, span_of
from .encoding import Encoding, row_counts
from .ite import (
    arm_rows,
    encode_both,
    generators,
    pipe_arguments,
    pooled_vectors,
    stack_arguments,
)

DONOR = "donor"


def idp(
    pipe: Pipeline,
    prompt: str,
    seeds: Sequence[int],
    keep: RowChoice = "padding",
    *,
    layers: Sequence[int] | None = None,
    span: tuple[float, float] | None = None,
    steps: tuple[float, float] | None = None,
    clean: str = "padding",
    pooled: str = "full",
    **pipe_kwargs: Any,
) -> list[Any]:
    """One image per seed: the clean text's run, reading the full prompt's rows at every block (IDP).

    Donor (full prompt) and recipient (clean) are denoised in one batch from the same noise. At the
    input of every transformer block and at every step, the recipient's text rows in `keep` are
    overwritten with the donor's of that block and step; the other rows are the recipient's own. With
    cross-attention, where the text never changes, the same is done to what each `attn2` reads.

    Args:
        keep: rows to take from the donor, see `padtone.encode`; "padding 1/5" is the first fifth.
        layers: indices of blocks, in running order (double-stream, then single-stream); None: all.
        span: the part of the run in which rows are overwritten, (start, stop) as fractions; None: all of it.
            A step belongs to it by where it begins.
        steps: another name of `span`.
        clean, pooled: see `padtone.encode`.

    Raises:
        ValueError: `keep`, `layers` or `span` out of range, or `steps` beside it; a pipeline or transformer not known.
    """
    images = idp_arms(
        pipe,
        prompt,
        seeds,
        (keep,),
        layers=layers,
        span=span,
        steps=steps,
        clean=clean,
        pooled=pooled,
        **pipe_kwargs,
    )
    return images[arm_key(keep)]


def idp_arms(
    pipe: Pipeline,
    prompt: str,
    seeds: Sequence[int],
    arms: Sequence[RowChoice] = ARMS,
    *,
    layers: Sequence[int] | None = None,
    span: tuple[float, float] | None = None,
    steps: tuple[float, float] | None = None,
    clean: str = "padding",
    pooled: str = "full",
    **pipe_kwargs: Any,
) -> dict[Any, list[Any]]:
    """`idp` for several `keep` at once, which share one donor.

    Returns:
        {arm: [image per seed]}, and under "donor" the images of the full prompt.
    """
    family = check_call(pipe, seeds, arms, pipe_kwargs)
    family.check_possible("idp")
    where, when = check_layers(layers, count_layers(pipe, family)), span_of(span, steps)
    check_choices(clean, pooled)
    check_prompt(prompt)
    full, empty = encode_both(pipe, prompt, clean, pipe_kwargs)
    rows = _rows_of_arms(family, prompt, full, arms)
    patch = Patch(rows_in_blocks(family, rows, row_counts(family, full.arguments)[0]), where, when)
    recipient = full.arguments | {name: empty.arguments[name] for name in family.text_names}
    if pooled == "clean":
        recipient |= pooled_vectors(family, empty)
    texts = stack_arguments([full.arguments, *[recipient] * len(arms)], family.layers_first)
    call = pipe_arguments(pipe, texts, len(arms) + 1, pipe_kwargs)
    images: dict[Any, list[Any]] = {key: [] for key in (DONOR, *map(arm_key, arms))}
    for seed in seeds:
        with overwrite_rows(pipe, texts[family.text_names[0]], patch):
            out = drawn(pipe, call, generators(seed, len(arms) + 1))
        for key, image in zip(images, out, strict=True):
            images[key].append(image)
    return images


def _rows_of_arms(family: Family, prompt: str, full: Encoding, arms: Sequence[RowChoice]) -> torch.Tensor:
    """(arms, rows) bool.

    Raises:
        ValueError: an arm names no row, or only rows that the denoiser masks.
    """
    rows = torch.stack([torch.cat(arm_rows(family, prompt, full, arm)) for arm in arms])
    if not family.denoiser_masks:
        return rows
    visible = torch.tensor([role != "padding" for role in row_roles(full.roles[0], rows.shape[1])])
    for arm, chosen in zip(arms, rows, strict=True):
        if chosen.any() and not (chosen & visible).any():
            raise ValueError(f"keep={arm!r} names only padding, which the {family.title} denoiser masks")
    return rows & visible
