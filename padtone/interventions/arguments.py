"""What can be wrong with a request, said in one sentence before anything is run."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any

from picturelab.pipeline import Pipeline

from ..families.family import Family
from ..families.registry import family_of
from ..maths.roles import RowChoice, check_rows

ARMS = ("full", "prompt", "padding", "clean")


def check_call(
    pipe: Pipeline, seeds: Sequence[int], arms: Sequence[RowChoice], pipe_kwargs: dict[str, Any]
) -> Family:
    """The arguments that `ite`, `idp` and `attention_to_padding` have in common.

    Raises:
        ValueError: no seed, arms that are none, arguments that padtone sets itself; an unknown pipeline.
        TypeError: arguments that the pipeline does not take; another prompt (`negative_prompt`, `prompt_2`
            and their like) that is not one string.
    """
    family = family_of(pipe)
    check_arms(arms)
    _check_seeds(seeds)
    for name in pipe_kwargs:
        is_text = "embeds" in name or (name.startswith("prompt") and name not in family.own_prompts)
        if is_text or name in ("generator", "num_images_per_prompt", "latents"):
            raise ValueError(
                f"{name} is set by padtone and cannot be given; use prompt, seeds, arms, negative_prompt"
            )
    _check_names(pipe, pipe_kwargs, inspect.signature(type(pipe).__call__).parameters)
    for name, text in pipe_kwargs.items():
        if name in family.texts and text is not None and not isinstance(text, str):
            raise TypeError(f"{name} is {text!r}; it is one string, the same for every arm")
    return family


def check_options(pipe: Pipeline, options: dict[str, Any]) -> None:
    """Options of `encode` and `token_roles`.

    Raises:
        TypeError: the pipeline's `encode_prompt` does not take them, or `prompt_2` and its like are no
            strings. ValueError: an unknown pipeline.
    """
    family = family_of(pipe)
    _check_names(pipe, options, inspect.signature(pipe.encode_prompt).parameters)
    for name in family.own_prompts & options.keys():
        if options[name] is not None and not isinstance(options[name], str):
            raise TypeError(f"{name} is {options[name]!r}; it must be one string")


def _check_names(pipe: Pipeline, names: Iterable[str], takes: Any) -> None:
    # Stable Diffusion's **kwargs are for these two of old, and would swallow anything else unseen.
    unknown = [name for name in names if name not in takes and name not in ("callback", "callback_steps")]
    if unknown:
        raise TypeError(f"{type(pipe).__name__} takes no {', '.join(unknown)}")


def _check_seeds(seeds: Sequence[int]) -> None:
    if isinstance(seeds, str) or not isinstance(seeds, Sequence) or not len(seeds):
        raise ValueError(f"seeds is {seeds!r}; it is a sequence of numbers, such as [0, 1]")
    for seed in seeds:
        if not isinstance(seed, int) or not 0 <= seed < 2**63:
            raise ValueError(f"seeds is {seeds!r}; each is a whole number from 0 to {2**63 - 1}")


def check_arms(arms: Sequence[RowChoice]) -> None:
    """Arms are keys, so there is at least one and each is there once.

    Raises:
        ValueError: they are not, or one of them can name no rows.
    """
    several = isinstance(arms, Sequence) and not isinstance(arms, str)
    keys = [arm_key(arm) for arm in arms] if several else []
    if not keys or len(set(keys)) < len(keys):
        raise ValueError(f"arms is {arms!r}; it is a sequence of different arms, such as {ARMS}")
    for arm in arms:
        check_rows(arm)


def arm_key(arm: RowChoice) -> Any:
    """The arm itself where it can be a key, else its text: a slice, or several kept at once."""
    return arm if isinstance(arm, str | int) else str(arm)


def check_choices(clean: str, pooled: str) -> None:
    """What swapped rows become, and whose pooled vector is used.

    Raises:
        ValueError: not one of those known.
    """
    for name, value, choices in (
        ("clean", clean, ("padding", "empty_prompt")),
        ("pooled", pooled, ("full", "clean")),
    ):
        if value not in choices:
            raise ValueError(f"{name} is {value!r}; it can be {' or '.join(map(repr, choices))}")


def check_prompt(prompt: Any) -> None:
    """A single prompt.

    Raises:
        TypeError: not a string.
    """
    if not isinstance(prompt, str):
        raise TypeError(f"the prompt is {prompt!r}; it must be one string")


def check_layers(layers: Sequence[int] | None, count: int) -> frozenset[int] | None:
    """Indices of a denoiser's `count` blocks; None: all.

    Raises:
        ValueError: there is no such block, or none is named.
    """
    if layers is None:
        return None
    several = not isinstance(layers, str) and isinstance(layers, Sequence)
    if not several or not len(layers) or any(not isinstance(i, int) or not 0 <= i < count for i in layers):
        shown = list(layers) if several else layers
        raise ValueError(f"layers is {shown!r}; this denoiser's blocks go from 0 to {count - 1}")
    return frozenset(layers)


def span_of(span: tuple[float, float] | None, steps: tuple[float, float] | None) -> tuple[float, float]:
    """The part of a run that `span`, or its older name `steps`, gives as fractions; all of it where neither does.

    Raises:
        ValueError: both do, or it is no part of a run.
    """
    if span is not None and steps is not None:
        raise ValueError(
            f"span is {span!r} and steps is {steps!r}; steps is another name of span, so give one"
        )
    name, part = ("steps", steps) if steps is not None else ("span", (0.0, 1.0) if span is None else span)
    pair = isinstance(part, Sequence) and len(part) == 2 and all(isinstance(edge, Real) for edge in part)
    if not pair or not 0.0 <= part[0] < part[1] <= 1.0:
        raise ValueError(f"{name} is {part!r}; it is (start, stop) with 0 <= start < stop <= 1")
    return float(part[0]), float(part[1])
