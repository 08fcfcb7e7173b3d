"""ITE: swap rows between two encodings of a text (Padding Tone, arXiv 2501.06751, section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from picturelab.pipeline import Pipeline

from ..families.family import Family
from ..families.registry import family_of
from ..hooks.encoder import padding_ids
from ..hooks.handing_over import drawn
from ..maths.roles import RowChoice, TokenRoles, check_rows, chosen_rows, parts_of
from .arguments import ARMS, arm_key, check_call, check_choices, check_options, check_prompt
from .encoding import Encoding, call_value, encode_prompts, row_counts, same_for_all


def swap_rows(own: Any, rest: Any, rows: torch.Tensor, layers_first: bool = False) -> Any:
    """`own` where `rows` is True, `rest` elsewhere.

    Args:
        own, rest: (batch, tokens, width), (batch, tokens, layers, width), or lists of (tokens, width).
        rows: (batch, tokens), bool.
        layers_first: own and rest are (layers, batch, tokens, width).
    """
    if isinstance(own, list):
        return [
            torch.where(r[: len(o), None].to(o.device), o, e) for o, e, r in zip(own, rest, rows, strict=True)
        ]
    rows = rows[..., None] if layers_first or own.ndim == 3 else rows[..., None, None]
    return torch.where(rows.to(own.device), own, rest)


def encode(
    pipe: Pipeline,
    prompt: str,
    keep: RowChoice = "full",
    *,
    clean: str = "padding",
    pooled: str = "full",
    source: str | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Encode a prompt, with some rows from its own encoding and the rest from a clean one.

    Args:
        keep: the rows to keep, see `padtone.maths.roles.chosen_rows`: "full", "prompt" (everything that is not
            padding), "padding", "eos", "clean", "padding 1/5", slices over rows, or several of these.
        clean: what the other rows are: "padding" (N padding tokens and nothing else) or "empty_prompt"
            (the encoding of "", with its begin and end tokens).
        pooled: take the pooled vector from the "full" prompt or from the "clean" one.
        source: take the kept rows from this prompt's encoding instead; `prompt` still says which.
        options: what the pipeline's `encode_prompt` also takes, such as `max_sequence_length`, or
            `prompt_2` where another encoder is to read another prompt.

    Returns:
        Arguments for `pipe(**...)`: `prompt_embeds` and its companions. The negative prompt stays the
        pipeline's own affair, except where the pipeline wants it encoded too (Z-Image, FLUX.2 klein).

    Raises:
        ValueError: `keep` names no row, or another argument is not one of those listed; the pipeline takes
            no encodings.
    """
    check_options(pipe, options)
    family = family_of(pipe)
    if not family.takes_encodings:
        raise ValueError(
            f"the pipeline of {family.title} takes no encodings in diffusers 0.42; padtone.ite and padtone.idp hand "
            "them over by themselves"
        )
    check_rows(keep)
    _check_texts(prompt, source, clean, pooled)
    (arguments,) = encode_arms(
        pipe, prompt, (keep,), clean=clean, pooled=pooled, source=source, options=options
    )
    return arguments | _negative(pipe, "", 1, options)


def _check_texts(prompt: Any, source: Any, clean: str, pooled: str) -> None:
    check_choices(clean, pooled)
    check_prompt(prompt)
    if source is not None:
        check_prompt(source)


def encode_arms(
    pipe: Pipeline,
    prompt: str,
    arms: Sequence[RowChoice],
    *,
    clean: str = "padding",
    pooled: str = "full",
    source: str | None = None,
    options: dict[str, Any],
) -> list[dict[str, Any]]:
    """`encode` for several choices of rows, with the prompt and the clean text encoded once.

    Raises:
        ValueError: an arm names no row of this prompt, or two of the texts have unequal lengths.
    """
    family = family_of(pipe)
    family.check_possible("ite")
    names = family.text_names
    full, empty = encode_both(pipe, prompt, clean, options)
    rows = [arm_rows(family, prompt, full, arm) for arm in arms]
    lender = full
    if source is not None:
        lender = encode_prompts(pipe, [source], same_for_all(family, options))
        _check_lengths(family, full, lender, prompt, repr(source))
    encodings = []
    for rows_of_arm in rows:
        arguments = full.arguments | pooled_vectors(family, empty if pooled == "clean" else full)
        for name, chosen in zip(names, rows_of_arm, strict=True):
            arguments[name] = swap_rows(
                lender.arguments[name], empty.arguments[name], chosen[None], name in family.layers_first
            )
        encodings.append(arguments)
    return encodings


def pooled_vectors(family: Family, encoding: Encoding) -> dict[str, Any]:
    """Those of an encoding's arguments that are pooled vectors."""
    return {name: value for name, value in encoding.arguments.items() if name in family.pooled}


def encode_both(
    pipe: Pipeline, prompt: str, clean: str, options: dict[str, Any]
) -> tuple[Encoding, Encoding]:
    """The prompt, and the clean text: under the full prompt's mask, where the encoder is masked.

    Raises:
        ValueError: the two have unequal lengths.
    """
    family = family_of(pipe)
    full = encode_prompts(pipe, [prompt], options)
    if clean == "padding":
        empty = encode_prompts(pipe, [prompt], options, change=padding_ids(pipe), warn_cut=False)
    else:
        empty = encode_prompts(pipe, [""], same_for_all(family, options))
    _check_lengths(family, full, empty, prompt, '""')
    return full, empty


def arm_rows(family: Family, prompt: str, encoding: Encoding, arm: RowChoice) -> list[torch.Tensor]:
    """The rows that an arm names in each tensor of text, (tokens,) bool.

    Raises:
        ValueError: it names no row of this prompt.
    """
    roles = encoding.roles[0]
    lengths = row_counts(family, encoding.arguments)
    unpadded = not family.pads or all(encoder.length is None for encoder in family.encoders)
    padded = any(entry.count("padding") for entry in roles if entry.rows is not None)
    if unpadded and not padded and _names(arm, "padding"):
        raise ValueError(f"{family.title} hands the denoiser no padding for {prompt!r}: {family.note}")
    if _names(arm, "prompt") and not any(e.count("prompt") for e in roles):
        raise ValueError(f"the prompt {prompt!r} is empty: it has no tokens of its own to keep")
    return list(torch.tensor(chosen_rows(roles, arm, sum(lengths))).split(lengths))


def _names(arm: RowChoice, role: str) -> bool:
    return any(isinstance(part, str) and part.startswith(role) for part in parts_of(arm))


def _check_lengths(family: Family, full: Encoding, other: Encoding, prompt: str, what: str) -> None:
    """Swapping is position by position, so both texts must have the same number of rows.

    Raises:
        ValueError: they do not.
    """
    counts = (row_counts(family, encoding.arguments) for encoding in (full, other))
    for name, ours, theirs in zip(family.text_names, *counts, strict=True):
        if ours != theirs:
            raise ValueError(
                f"{what} has {theirs} rows of {name} where {prompt!r} has {ours}: this pipeline does not pad to a "
                'fixed length, use clean="padding" and no source'
            )


def ite(
    pipe: Pipeline,
    prompt: str,
    seeds: Sequence[int],
    arms: Sequence[RowChoice] = ARMS,
    *,
    clean: str = "padding",
    pooled: str = "full",
    source: str | None = None,
    **pipe_kwargs: Any,
) -> dict[Any, list[Any]]:
    """One image per arm and seed, swapping rows of the text encoding (ITE).

    The arms of a seed are one batch and start from the same noise, one generator each.

    Args:
        arms: values of `keep`, see `encode`; each is the key of its images.
        pipe_kwargs: for the pipeline's call; a `negative_prompt` is used unchanged for every arm.

    Returns:
        {arm: [image per seed]}; images as the pipeline returns them (PIL by default).

    Raises:
        ValueError: see `encode`.
    """
    check_call(pipe, seeds, arms, pipe_kwargs)
    _check_texts(prompt, source, clean, pooled)
    encoded = encode_arms(pipe, prompt, arms, clean=clean, pooled=pooled, source=source, options=pipe_kwargs)
    stacked = stack_arguments(encoded, family_of(pipe).layers_first)
    call = pipe_arguments(pipe, stacked, len(encoded), pipe_kwargs)
    images: dict[Any, list[Any]] = {arm_key(arm): [] for arm in arms}
    for seed in seeds:
        out = drawn(pipe, call, generators(seed, len(encoded)))
        for arm, image in zip(images, out, strict=True):
            images[arm_key(arm)].append(image)
    return images


def generators(seed: int, count: int) -> list[torch.Generator]:
    """The same noise for every member of a batch; on the CPU, so that devices agree."""
    return [torch.Generator("cpu").manual_seed(int(seed)) for _ in range(count)]


def stack_arguments(encoded: Sequence[dict[str, Any]], layers_first: Sequence[str] = ()) -> dict[str, Any]:
    """Several encodings as one batch.

    Args:
        layers_first: arguments whose second axis is that of the batch.
    """
    stacked: dict[str, Any] = {}
    for name, first in encoded[0].items():
        values = [e[name] for e in encoded]
        stacked[name] = (
            [text for value in values for text in value]
            if isinstance(first, list)
            else torch.cat(values, dim=int(name in layers_first))
        )
    return stacked


def pipe_arguments(
    pipe: Pipeline, encoded: dict[str, Any], count: int, pipe_kwargs: dict[str, Any]
) -> dict[str, Any]:
    """Arguments for one call of the pipeline with these encodings and the user's own arguments.

    Raises:
        ValueError: the pipeline cannot draw so many at once with guidance.
    """
    family = family_of(pipe)
    guidance = call_value(pipe, "guidance_scale", pipe_kwargs)
    if count > 1 and not family.batches_guidance and guidance > 1.0:
        raise ValueError(
            f"guidance_scale is {guidance}, and {family.title} then draws one picture a call in diffusers 0.42, where "
            f"padtone draws {count}; pass guidance_scale=1.0"
        )
    # What the other encoders read is encoded too.
    call = dict(family.call) | same_for_all(family, pipe_kwargs)
    negative = call.pop("negative_prompt", None)
    if not family.takes_encodings:  # it would encode one negative prompt for them all
        negative = negative or ""
    if family.negative == "text" and negative is not None:
        call["negative_prompt"] = [negative] * count
    for name in family.texts & call.keys() - {"negative_prompt"}:
        if call[name] is not None:
            call[name] = [call[name]] * count
    if call.get("image") is not None and not isinstance(call["image"], list):
        # One for each member: encoding it draws from the member's own noise, and some pipelines encode only
        # as many as they are given.
        call["image"] = [call["image"]] * count
    return encoded | _negative(pipe, negative or "", count, pipe_kwargs) | call


def _negative(pipe: Pipeline, prompt: str, count: int, options: dict[str, Any]) -> dict[str, Any]:
    """The negative prompt's encoding, where the pipeline wants it next to `prompt_embeds`."""
    family = family_of(pipe)
    if family.negative == "text":
        return {}
    one = encode_prompts(pipe, [prompt], same_for_all(family, options)).arguments
    return stack_arguments([{f"negative_{name}": value for name, value in one.items()}] * count)


def token_roles(pipe: Pipeline, prompt: str, **options: Any) -> tuple[TokenRoles, ...]:
    """What each text encoder makes of a prompt, for the tokens whose rows the denoiser receives.

    Runs the pipeline's own `encode_prompt` and looks at what the encoders were given, so templates,
    truncation and padding are the real ones. Warns if the end of the prompt was cut off.

    Args:
        options: what the pipeline's `encode_prompt` also takes, such as `max_sequence_length`.

    Raises:
        ValueError: an unknown pipeline, or one that pads to more than its encoder reads.
        TypeError: not one string; an option that the pipeline does not take.
    """
    check_options(pipe, options)
    family_of(pipe).check_possible("roles")
    check_prompt(prompt)
    return encode_prompts(pipe, [prompt], options).roles[0]
