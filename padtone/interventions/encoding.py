"""Prompts encoded by the pipeline itself, with the role of every token that its encoders read."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from picturelab.pipeline import Pipeline
from picturelab.remarks import remark

from ..families.family import Family, TextEncoder, plain_text
from ..families.registry import family_of
from ..hooks.encoder import Change, EncoderCall, filled_rows, real_positions, tokenizer_of, watch_encoders
from ..hooks.padding_rows import calls_of_texts
from ..maths.roles import TokenRoles, assign


@dataclass(frozen=True)
class Encoding:
    """Prompts as the denoiser gets them.

    Attributes:
        arguments: the pipeline's arguments, `prompt_embeds` and its companions; one entry per prompt.
        roles: per prompt, the roles of each encoder's tokens.
    """

    arguments: dict[str, Any]
    roles: list[tuple[TokenRoles, ...]]


def encode_prompts(
    pipe: Pipeline, prompts: Sequence[str], options: dict, change: Change | None = None, warn_cut: bool = True
) -> Encoding:
    """Run the pipeline's own `encode_prompt` on each prompt, without guidance, as one batch.

    Args:
        options: the pipeline call's arguments; those that `encode_prompt` also takes are used.
        change: hands the encoders other ids or masks; the roles are those of the unchanged ones.

    Raises:
        ValueError: the family objects to a prompt.
    """
    family = family_of(pipe)
    for prompt in prompts:
        why = family.objection(pipe, prompt, options)
        if why:
            raise ValueError(f"{family.title} with the prompt {prompt!r}: {why}")
    arguments: dict[str, Any] = {}
    with watch_encoders(pipe, family, change) as calls, torch.no_grad():
        for names, extra in zip(family.returns, family.calls, strict=True):
            values = pipe.encode_prompt(
                prompt=list(prompts), **_arguments(pipe, options, extra, len(prompts))
            )
            values = values if isinstance(values, tuple) else (values,)
            named = {
                name: value for name, value in zip(names, values, strict=True) if name and value is not None
            }
            arguments |= {name: value for name, value in named.items() if not name.startswith("negative")}
    (by_encoder, *_) = calls_of_texts(family, calls, len(prompts))
    lengths = row_counts(family, arguments)
    roles = [
        roles_of_member(pipe, family, by_encoder, i, prompt, call_options(pipe, options), lengths, warn_cut)
        for i, prompt in enumerate(prompts)
    ]
    return Encoding(arguments, roles)


def call_options(pipe: Pipeline, options: dict) -> dict:
    """The options that shape the text, with the defaults of the pipeline's call, not of `encode_prompt`."""
    takes = inspect.signature(pipe.encode_prompt).parameters
    call = inspect.signature(type(pipe).__call__).parameters
    own = {"prompt", "device", "dtype", "num_images_per_prompt", "do_classifier_free_guidance", "lora_scale"}
    chosen = {}
    for name in takes.keys() & call.keys():
        if name in own or name.startswith("negative") or "embeds" in name or "mask" in name:
            continue
        if name in options:
            chosen[name] = options[name]
        elif call[name].default is not inspect.Parameter.empty:
            chosen[name] = call[name].default
    return chosen


def call_value(pipe: Pipeline, name: str, options: dict) -> Any:
    """What a call with these options gives one of the pipeline's arguments; None: it has no such argument."""
    parameter = inspect.signature(type(pipe).__call__).parameters.get(name)
    return options.get(name, None if parameter is None else parameter.default)


def same_for_all(family: Family, options: dict) -> dict:
    """The options for a text that every encoder reads: without `prompt_2` and its like."""
    return {name: value for name, value in options.items() if name not in family.own_prompts}


def _arguments(pipe: Pipeline, options: dict, extra: dict, count: int) -> dict:
    takes = inspect.signature(pipe.encode_prompt).parameters
    fixed = {
        "device": pipe._execution_device,
        "num_images_per_prompt": 1,
        "do_classifier_free_guidance": False,
        "batch_size": count,
    }
    fixed |= dict.fromkeys(family_of(pipe).own_prompts)
    chosen = {name: value for name, value in fixed.items() if name in takes}
    return chosen | call_options(pipe, options) | extra


def row_counts(family: Family, arguments: dict) -> list[int]:
    """Rows of each tensor of text that a pipeline gets, in order of `encode_prompt`'s calls."""
    counts = []
    for name in family.text_names:
        embeds = arguments[name]
        axis = -2 if name in family.layers_first else 1
        counts.append(max(len(e) for e in embeds) if isinstance(embeds, list) else embeds.shape[axis])
    return counts


def roles_of_member(
    pipe: Pipeline,
    family: Family,
    calls: dict[str, EncoderCall],
    member: int,
    prompt: str,
    options: dict,
    lengths: Sequence[int],
    warn_cut: bool = True,
) -> tuple[TokenRoles, ...]:
    """The roles of one prompt of a batch, from what the encoders received."""
    entries: list[TokenRoles] = []
    for filled in filled_rows(pipe, family, calls, member, sum(lengths)):
        encoder, ids = filled.call.encoder, filled.ids
        read = prompt_of(filled.prompt, prompt, options, member)
        roles, cut = roles_in(pipe, family, encoder, ids, filled.mask, read, options)
        if cut and warn_cut:
            remark(f"{encoder.name} reads {len(ids)} tokens and cuts the prompt's end: {cut!r}")
        tokens = tokenizer_of(pipe, encoder).convert_ids_to_tokens(ids)
        entries.append(
            TokenRoles(
                name=encoder.name,
                tokens=tuple(tokens[i] if i >= 0 else "" for i in filled.tokens),
                ids=tuple(ids[i] if i >= 0 else -1 for i in filled.tokens),
                roles=tuple(roles[i] if i >= 0 else "padding" for i in filled.tokens),
                rows=filled.rows,
                cut=cut,
            )
        )
    return tuple(entries)


def prompt_of(name: str, prompt: str, options: dict, member: int) -> str:
    """What an encoder reads: a prompt of its own (`prompt_2`), or the one that all read."""
    own = None if name == "prompt" else options.get(name)
    if own is not None and not isinstance(own, str):
        own = own[member]
    return own or prompt


def roles_in(
    pipe: Pipeline,
    family: Family,
    encoder: TextEncoder,
    ids: list[int],
    mask: list[int] | None,
    prompt: str,
    options: dict,
) -> tuple[list[str], str]:
    """The role of every token, and the part of the prompt that did not fit."""
    tokenizer = tokenizer_of(pipe, encoder)
    eos = {i for i in (tokenizer.eos_token_id, tokenizer.sep_token_id) if i is not None}
    bos = {i for i in (tokenizer.bos_token_id, tokenizer.cls_token_id) if i is not None} | set(
        tokenizer("").input_ids
    ) - eos
    real = real_positions(tokenizer, ids, mask)
    read = [ids[i] for i in real]
    before, written, after = (plain_text if encoder.plain else family.text)(pipe, prompt, options)
    if hasattr(pipe, "maybe_convert_prompt"):  # textual inversion: one word, several tokens
        written = pipe.maybe_convert_prompt(written, tokenizer)
    end = len(tokenizer(after, add_special_tokens=False).input_ids) if family.end_stays else 0
    room = len(read) - end
    offsets = _offsets(tokenizer, before + written + after, read[:room])
    first, last = len(before), len(before) + len(written)
    inside = [i for i, (a, b) in enumerate(offsets) if b > first and a < last and b > a]
    cut = ""
    # Tokens of the text, not its end.
    texts = room if end else room - _closing(read[-1:], eos, offsets, room)
    if inside and inside[-1] >= texts:
        cut_from = max(inside[0], texts)
        cut = (before + written)[offsets[cut_from][0] : last].strip()
    template = None
    if before or after:
        reached = [i for i in inside if i < room]
        template = (reached[0], reached[-1] + 1) if reached else (room, room)
    roles = ["padding"] * len(ids)
    read_as = assign(read, (0, len(read)), bos=tuple(bos), eos=tuple(eos), prompt=template)
    for position, role in zip(real, read_as, strict=True):
        roles[position] = role
    return roles, cut


def _closing(last: Sequence[int], eos: set[int], offsets: Sequence[tuple[int, int]], room: int) -> int:
    """1 where the last token is an end token that truncation put in place of the prompt's own."""
    return int(len(offsets) > room and bool(last) and last[0] in eos)


def _offsets(tokenizer: Any, text: str, ids: Sequence[int]) -> list[tuple[int, int]]:
    """Where in the text each token lies; with or without special tokens, whichever fits `ids`.

    Raises:
        ValueError: the tokenizer cannot tell, or reads the text differently from the pipeline.
    """
    if not tokenizer.is_fast:
        raise ValueError(
            f"{type(tokenizer).__name__} does not know where its tokens lie in the text; load the fast tokenizer"
        )
    for special in (True, False):
        read = tokenizer(text, add_special_tokens=special, return_offsets_mapping=True)
        compared = min(len(ids), len(read.input_ids)) - 1  # a cut text may end in an end token
        if list(read.input_ids[:compared]) == list(ids[:compared]):
            return [tuple(o) for o in read.offset_mapping]
    raise ValueError(f"the pipeline's tokens do not begin as the tokenizer reads {text[:80]!r}")
