"""Which rows of the texts that a pipeline encodes are padding: followed through `encode_prompt`."""

from __future__ import annotations

import functools
import inspect
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from ..families.registry import Family, TextEncoder, denoiser_of
from ..maths.roles import masked_span, real_span
from .encoder import Change, EncoderCall, tokenizer_of, watch_encoders

_REMEMBERED = 64  # texts; two or three an image


@dataclass
class Padding:
    """Which tokens of an encoder's input stay: the real ones and `keep` padding tokens next to them."""

    pipe: Any
    keep: int

    def visible(self, encoder: TextEncoder, ids: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """(batch, tokens) bool."""
        tokenizer = tokenizer_of(self.pipe, encoder)
        shown = torch.zeros(ids.shape, dtype=torch.bool)
        for i, row in enumerate(ids.tolist()):
            if mask is not None:
                start, end = masked_span(mask[i].tolist())
            else:
                side = tokenizer.padding_side
                start, end = real_span(row, pad=tokenizer.pad_token_id, eos=tokenizer.eos_token_id, side=side)
            left = start > 0  # padded at the left: the nearest padding lies before the prompt
            shown[i, max(0, start - self.keep) if left else start : end if left else end + self.keep] = True
        return shown

    def hide(
        self, encoder: TextEncoder, ids: torch.Tensor, mask: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        shown = self.visible(encoder, ids, mask).to(ids.device)
        return ids, shown.to(torch.long if mask is None else mask.dtype)


@dataclass
class Text:
    """One encoded text of a batch: its rows as the denoiser will get them, and which of them stay."""

    name: str
    embeds: Any  # (batch * images, rows, width)
    keeps: list[torch.Tensor]  # per prompt (rows,) bool
    reals: list[torch.Tensor]  # the same for no padding at all
    prompts: list[str]
    call: int  # which of the family's calls of encode_prompt it came from


class Texts:
    """The texts encoded of late, and which of them since the denoiser last ran."""

    def __init__(self) -> None:
        self.known: deque[Text] = deque(maxlen=_REMEMBERED)
        self.since_run: list[str] = []

    def add(self, text: Text) -> None:
        self.since_run.append(text.name)
        # HunyuanDiT's second encoder has a tensor of its own; its rows follow those of the first.
        first = [t for t in self.known if t.name == text.name.removesuffix("_2")] if text.call else []
        if first:
            first[-1].keeps = [torch.cat(pair) for pair in zip(first[-1].keeps, text.keeps, strict=True)]
            first[-1].reals = [torch.cat(pair) for pair in zip(first[-1].reals, text.reals, strict=True)]
        else:
            self.known.append(text)


@contextmanager
def watched(
    pipe: Any,
    family: Family,
    padding: Padding,
    change: Change | None = None,
    replace: Callable[[Text, dict], Any] | None = None,
) -> Iterator[Texts]:
    """Follow every `encode_prompt` of the pipeline and note which of its rows are padding."""
    texts = Texts()
    original = pipe.encode_prompt
    signature = inspect.signature(original)
    inside = False

    with watch_encoders(pipe, family, change) as calls:

        @functools.wraps(original)  # its signature is read, here and by others
        def encode_prompt(*args: Any, **kwargs: Any) -> Any:
            nonlocal inside
            if inside:  # replace_padding encodes its source
                return original(*args, **kwargs)
            calls.clear()
            values = original(*args, **kwargs)
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            made = _texts_of(pipe, family, padding, list(calls), values, bound.arguments)
            # Where the negative prompt has a call of its own, it is the second one before a run.
            positive = _has_negative(family) or not texts.since_run
            if replace is None or not made or not positive or made[0].name.startswith("negative"):
                for text in made:
                    texts.add(text)
                return values
            inside = True
            try:
                new = replace(made[0], bound.arguments)
            finally:
                inside = False
            texts.since_run.append(made[0].name)
            place = family.returns[made[0].call].index(made[0].name)
            return (*values[:place], new, *values[place + 1 :])

        own = vars(pipe).get("encode_prompt")
        pipe.encode_prompt = encode_prompt
        try:
            with _noting_runs(denoiser_of(pipe, family), texts):
                yield texts
        finally:
            del pipe.encode_prompt
            if own is not None:  # somebody else had replaced it before us
                pipe.encode_prompt = own


@contextmanager
def _noting_runs(denoiser: torch.nn.Module, texts: Texts) -> Iterator[None]:
    """After a run of the denoiser, the next text to be encoded opens a new image."""

    def ran(module: torch.nn.Module, args: tuple) -> None:
        texts.since_run.clear()

    hook = denoiser.register_forward_pre_hook(ran)
    try:
        yield
    finally:
        hook.remove()


def _has_negative(family: Family) -> bool:
    """One call of `encode_prompt` returns the negative prompt too."""
    return any(name and name.startswith("negative") for name in family.returns[0])


def _texts_of(
    pipe: Any, family: Family, padding: Padding, calls: list[EncoderCall], values: Any, bound: dict
) -> list[Text]:
    """The prompt and the negative prompt that one `encode_prompt` has encoded just now."""
    index = next((i for i, extra in enumerate(family.calls) if extra.items() <= bound.items()), 0)
    if "text_encoder_index" in bound:
        index = bound["text_encoder_index"]
    by_name = {name: value for name, value in zip(family.returns[index], values, strict=True) if name}
    first = next(iter(by_name))
    names = [name for name in (first, f"negative_{first}") if name in by_name]
    given = bound.get("prompt_embeds") is not None
    runs: dict[str, list[EncoderCall]] = {}
    for call in calls:
        runs.setdefault(call.encoder.name, []).append(call)
    longest = max((call.ids.shape[1] for call in calls), default=padding.keep)
    if padding.keep > longest:
        raise ValueError(f"keep is {padding.keep}, but the text encoders read only {longest} tokens")
    texts = []
    for turn, name in enumerate(names[1:] if given else names):
        embeds = by_name[name]
        here = {encoder: done[turn] for encoder, done in runs.items() if turn < len(done)}
        if embeds is None or bound.get(name) is not None:  # no such text, or encoded before
            continue
        prompts = bound.get("prompt") if turn == 0 and not given else None
        prompts = [prompts] if isinstance(prompts, str) else list(prompts or [])
        keeps, reals = (_keeps(pipe, family, p, here, embeds) for p in (padding, Padding(pipe, 0)))
        texts.append(Text(name, embeds, keeps, reals, prompts, index))
    return texts


def _keeps(
    pipe: Any, family: Family, padding: Padding, calls: dict[str, EncoderCall], embeds: torch.Tensor
) -> list[torch.Tensor]:
    """Per prompt, which rows stay. A text that no encoder made (SDXL's zeros) keeps all of them."""
    count = max((len(call.ids) for call in calls.values()), default=len(embeds))
    keeps = [torch.ones(embeds.shape[1], dtype=torch.bool) for _ in range(count)]
    start = 0
    for encoder in family.encoders:
        if encoder.name not in calls or encoder.feeds != "rows":
            continue
        call = calls[encoder.name]
        shown = padding.visible(encoder, call.ids, call.mask)
        for i, ids in enumerate(call.ids.tolist()):
            mask = None if call.mask is None else call.mask[i].tolist()
            places = family.rows(pipe, ids, mask, embeds.shape[1])
            for row, place in enumerate(places, start):
                keeps[i][row] = bool(shown[i, place]) if place >= 0 else False
        start += len(places)
    return keeps


def shown_rows(text: torch.Tensor, texts: Texts, family: Family) -> tuple[torch.Tensor, torch.Tensor]:
    """Per member of the denoiser's batch, the rows that stay and the rows that are no padding.

    They are found by comparing encodings, whatever order guidance has put them in.

    Raises:
        ValueError: a member's encoding was not made inside the `with` block.
    """
    found = [match for row in text if (match := _match(row, texts.known)) is not None]
    if len(found) < len(text):
        raise ValueError(
            f"this {family.title} pipeline was given text that was encoded outside the with block, or more than "
            f"{_REMEMBERED} texts ago, so its padding is unknown; encode inside, or pass the prompt itself"
        )
    shown, real = zip(*found, strict=True)
    return torch.stack(shown), torch.stack(real)


def _match(row: torch.Tensor, known: deque[Text]) -> tuple[torch.Tensor, torch.Tensor] | None:
    for text in reversed(known):
        images = len(text.embeds) // len(text.keeps)
        for i in range(len(text.keeps)):
            other = text.embeds[i * images]
            if other.shape == row.shape and torch.equal(row, other.to(row.device, row.dtype)):
                return text.keeps[i], text.reals[i]
    return None
