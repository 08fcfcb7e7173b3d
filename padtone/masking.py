"""Mask, trim or replace the padding of a loaded pipeline, inside a `with` block."""

from __future__ import annotations

import functools
import inspect
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from .denoiser import argument, attention_modules, intercept_attention, replaced, text_argument
from .embeds import swap_rows
from .encoders import EncoderCall, encode_prompts, padding_ids, tokenizer_of, watch_encoders
from .families import Family, TextEncoder, family_of
from .roles import masked_span, real_span


@contextmanager
def mask_padding(pipe: Any, keep: int = 0) -> Iterator[None]:
    """Hide the padding from the text encoders' and the denoiser's attention.

    Works for prompts and negative prompts, each member of a batch by its own length, and also where
    the stock attention processor ignores masks (SD 3, AuraFlow) or applies them wrongly (Chroma).
    Masks leave the fastest attention kernels; `trim_padding` gives the same image in less time.

    Args:
        keep: padding tokens that stay visible in each encoder, those nearest to the prompt.

    Raises:
        ValueError: an unknown pipeline, a family without padding, or `keep` out of range.
    """
    with _hidden(pipe, keep, trim=False):
        yield


@contextmanager
def trim_padding(pipe: Any, keep: int = 0) -> Iterator[None]:
    """Take the padding out of the denoiser's text, so that it attends to fewer tokens.

    The encoders are masked as in `mask_padding`. A batch is cut to its longest member, the shorter
    ones are masked.

    Args:
        keep: padding tokens that stay in each encoder's rows, those nearest to the prompt.

    Raises:
        ValueError: an unknown pipeline, a family without padding, or `keep` out of range.
    """
    with _hidden(pipe, keep, trim=True):
        yield


@contextmanager
def replace_padding(pipe: Any, source: str = "clean") -> Iterator[None]:
    """Put other rows in place of the prompt's padding, before the denoiser sees it.

    The negative prompt and the pooled vector stay as they are.

    Args:
        source: "clean" (N padding tokens encoded alone), "empty_prompt" (the encoding of ""), or any
            other prompt, whose rows at the same positions are used.

    Raises:
        ValueError: an unknown pipeline, or a family without padding.
    """
    family = _padded_family(pipe)
    if not isinstance(source, str):
        raise TypeError(f'source is {source!r}; it can be "clean", "empty_prompt" or a prompt')

    def replace(text: _Text, bound: dict) -> Any:
        change = padding_ids(pipe) if source == "clean" else None
        prompts = text.prompts if source == "clean" else ["" if source == "empty_prompt" else source]
        prompts = prompts * (len(text.keeps) // len(prompts))
        other = encode_prompts(pipe, prompts, bound, change=change, warn_cut=False).arguments[text.name]
        rows = torch.stack(text.keeps)
        if rows.all():
            return text.embeds
        if other.shape[1] != rows.shape[1]:
            raise ValueError(
                f"{source!r} has {other.shape[1]} rows of text and the prompt {rows.shape[1]}: this pipeline does "
                'not pad to a fixed length, use source="clean"'
            )
        images = len(text.embeds) // len(rows)
        rows, other = (x.repeat_interleave(images, dim=0) for x in (rows, other))
        return swap_rows(text.embeds, other.to(text.embeds), rows)

    with _alone(pipe, f"replaced by {source!r}") as first:
        if first:
            with _watched(pipe, family, _Padding(pipe, keep=0), replace=replace):
                yield
        else:
            yield


@contextmanager
def _hidden(pipe: Any, keep: int, trim: bool) -> Iterator[None]:
    family = _padded_family(pipe)
    if not isinstance(keep, int) or keep < 0:
        raise ValueError(f"keep is {keep!r}; it is a number of padding tokens, 0 or more")
    if family.denoiser_masks and keep == 0 and not trim:
        warnings.warn(f"{family.title} masks its padding already: masking it changes nothing", stacklevel=4)
    padding = _Padding(pipe, keep)
    with ExitStack() as stack:
        if not stack.enter_context(_alone(pipe, f"{'trimmed' if trim else 'masked'} with keep={keep}")):
            yield
            return
        texts = stack.enter_context(_watched(pipe, family, padding, change=padding.hide))
        stack.enter_context(_hidden_from_denoiser(pipe, family, texts, trim))
        yield


_ACTIVE: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()


@contextmanager
def _alone(pipe: Any, what: str) -> Iterator[bool]:
    """True if nothing is done to this pipeline's padding yet; False if the very same is done.

    Raises:
        ValueError: something else is done to it.
    """
    if pipe in _ACTIVE:
        if _ACTIVE[pipe] != what:
            raise ValueError(f"this pipeline's padding is {_ACTIVE[pipe]} already; leave that with block first")
        yield False
        return
    _ACTIVE[pipe] = what
    try:
        yield True
    finally:
        del _ACTIVE[pipe]


def _padded_family(pipe: Any) -> Family:
    family = family_of(pipe)
    if not family.pads:
        raise ValueError(f"{family.title} hands the denoiser no padding, so there is none to act on: {family.note}")
    return family


@dataclass
class _Padding:
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
class _Text:
    """One encoded text of a batch: its rows as the denoiser will get them, and which of them stay."""

    name: str
    embeds: Any  # (batch * images, rows, width)
    keeps: list[torch.Tensor]  # per prompt (rows,) bool
    reals: list[torch.Tensor]  # the same for no padding at all
    prompts: list[str]
    call: int


class _Texts(list[_Text]):
    """The texts encoded since the denoiser last ran; older ones stay until then."""

    fresh = True


@contextmanager
def _watched(
    pipe: Any,
    family: Family,
    padding: _Padding,
    change: Callable | None = None,
    replace: Callable[[_Text, dict], Any] | None = None,
) -> Iterator[_Texts]:
    """Follow every `encode_prompt` of the pipeline and note which of its rows are padding."""
    texts = _Texts()
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
            if texts.fresh:
                texts.clear()
                texts.fresh = False
            made = _texts_of(pipe, family, padding, list(calls), values, bound.arguments)
            positive = not any(t.name == family.returns[t.call][0] for t in texts) or _has_negative(family)
            texts.extend(made)
            if replace is None or not made or not positive or made[0].name.startswith("negative"):
                return values
            inside = True
            try:
                new = replace(made[0], bound.arguments)
            finally:
                inside = False
            place = family.returns[made[0].call].index(made[0].name)
            return (*values[:place], new, *values[place + 1 :])

        own = vars(pipe).get("encode_prompt")
        pipe.encode_prompt = encode_prompt
        try:
            with _noting_runs(getattr(pipe, family.denoiser), texts):
                yield texts
        finally:
            del pipe.encode_prompt
            if own is not None:  # somebody else had replaced it before us
                pipe.encode_prompt = own


@contextmanager
def _noting_runs(denoiser: torch.nn.Module, texts: _Texts) -> Iterator[None]:
    """After a run of the denoiser, the next text to be encoded opens a new image."""

    def ran(module: torch.nn.Module, args: tuple) -> None:
        texts.fresh = True

    hook = denoiser.register_forward_pre_hook(ran)
    try:
        yield
    finally:
        hook.remove()


def _has_negative(family: Family) -> bool:
    """One call of `encode_prompt` returns the negative prompt too."""
    return any(name and name.startswith("negative") for name in family.returns[0])


def _texts_of(
    pipe: Any, family: Family, padding: _Padding, calls: list[EncoderCall], values: Any, bound: dict
) -> list[_Text]:
    """The prompt and the negative prompt that one `encode_prompt` has encoded just now."""
    index = next((i for i, extra in enumerate(family.calls) if extra.items() <= bound.items()), 0)
    if "text_encoder_index" in bound:
        index = bound["text_encoder_index"]
    by_name = dict(zip(family.returns[index], values, strict=True))
    names = [n for n in (family.returns[index][0], f"negative_{family.returns[index][0]}") if n in by_name]
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
        keeps, reals = (_keeps(pipe, family, p, here, embeds) for p in (padding, _Padding(pipe, 0)))
        texts.append(_Text(name, embeds, keeps, reals, prompts, index))
    return texts


def _keeps(
    pipe: Any, family: Family, padding: _Padding, calls: dict[str, EncoderCall], embeds: torch.Tensor
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


@contextmanager
def _hidden_from_denoiser(pipe: Any, family: Family, texts: _Texts, trim: bool) -> Iterator[None]:
    denoiser = getattr(pipe, family.denoiser)
    hidden = _Hidden(family, trim)
    with ExitStack() as stack:
        before = denoiser.register_forward_pre_hook(
            lambda module, args, kwargs: hidden.enter(module, args, kwargs, texts), with_kwargs=True
        )
        stack.callback(before.remove)
        if family.joint and not hidden.honoured:
            stack.enter_context(intercept_attention(attention_modules(pipe, family), hidden.joint_attention))
        elif not family.joint:
            for module in attention_modules(pipe, family):
                hook = module.register_forward_pre_hook(hidden.cross_attention, with_kwargs=True)
                stack.callback(hook.remove)
        yield


class _Hidden:
    """What the denoiser may see of the text in the call that is running."""

    def __init__(self, family: Family, trim: bool) -> None:
        self.family = family
        self.trim = trim
        # These two take the mask of the text alone and do the right thing with it.
        self.honoured = family.mask_argument in ("encoder_attention_mask", "encoder_hidden_states_mask")
        self.shown: torch.Tensor | None = None  # (batch, rows) bool
        self.columns: torch.Tensor | None = None  # rows that somebody in the batch sees

    def enter(self, module: torch.nn.Module, args: tuple, kwargs: dict, texts: Sequence[_Text]) -> tuple[tuple, dict]:
        """The denoiser's call with its text trimmed and its mask set."""
        family = self.family
        text = argument(module, text_argument(module), args, kwargs)
        shown, real = _shown(text, texts, family)
        self.shown = shown.to(text.device)
        self.columns = self.shown.any(dim=0).nonzero().flatten()
        if not family.joint:
            return self._with_own_masks(module, real.to(text.device), args, kwargs)
        if self.trim:
            args, kwargs = replaced(module, text_argument(module), text[:, self.columns], args, kwargs)
            ids = argument(module, "txt_ids", args, kwargs)
            if ids is not None:  # (rows, axes) or (batch, rows, axes); rows keep their positions
                args, kwargs = replaced(module, "txt_ids", ids[..., self.columns, :], args, kwargs)
            self.shown = self.shown[:, self.columns]
        if family.mask_argument is not None:
            mask = self.shown.to(torch.long) if self.honoured else None
            args, kwargs = replaced(module, family.mask_argument, mask, args, kwargs)
        return args, kwargs

    def _with_own_masks(
        self, module: torch.nn.Module, real: torch.Tensor, args: tuple, kwargs: dict
    ) -> tuple[tuple, dict]:
        """Put HunyuanDiT's masks in the order of its texts: its pipeline mixes up several images a prompt."""
        first = 0
        for name in self.family.own_masks:
            mask = argument(module, name, args, kwargs)
            rows = real[:, first : first + mask.shape[1]]
            args, kwargs = replaced(module, name, rows.to(mask.dtype), args, kwargs)
            first += mask.shape[1]
        return args, kwargs

    def joint_attention(self, layer: int, call: dict) -> dict:
        """Hide the text's keys from every query of a joint attention."""
        shown = self.shown
        if shown is None or shown.all():
            return call
        count, length = call["key"].shape[0], call["key"].shape[-2]
        if shown.shape[0] != count:
            raise ValueError(f"attention has a batch of {count} where the text has one of {shown.shape[0]}")
        keys = shown.new_ones(count, length)
        first = self.family.offset if self.family.attention == "text first" else length - shown.shape[1]
        keys[:, first : first + shown.shape[1]] = shown
        mask = call.get("attn_mask")
        keys = keys[:, None, None, :]  # (batch, heads, queries, keys)
        if mask is None:
            mask = keys
        elif mask.dtype == torch.bool:
            mask = mask & keys
        else:
            mask = mask.masked_fill(~keys, float("-inf"))
        return call | {"attn_mask": mask}

    def cross_attention(self, module: torch.nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        """Give `attn2` the visible rows and a bias that hides the rest; the stock mask is replaced."""
        text = argument(module, "encoder_hidden_states", args, kwargs)
        if text is None or self.shown is None:  # a self-attention of the same name
            return args, kwargs
        rows, rest = (text[0], text[1:]) if isinstance(text, tuple) else (text, None)
        shown = self.shown
        if self.trim:
            rows, shown = rows[:, self.columns], shown[:, self.columns]
            args, kwargs = replaced(
                module, "encoder_hidden_states", rows if rest is None else (rows, *rest), args, kwargs
            )
        bias = None
        if not shown.all():
            bias = torch.zeros(shown.shape, dtype=rows.dtype, device=rows.device)
            bias = bias.masked_fill(~shown, torch.finfo(rows.dtype).min)[:, None]  # (batch, 1, rows)
        return replaced(module, "attention_mask", bias, args, kwargs)


def _shown(text: torch.Tensor, texts: Sequence[_Text], family: Family) -> tuple[torch.Tensor, torch.Tensor]:
    """Per member of the denoiser's batch, the rows that stay and the rows that are no padding.

    They are found by comparing encodings, whatever order guidance has put them in.

    Raises:
        ValueError: a member's encoding was not made inside the `with` block.
    """
    first = [t for t in texts if t.call == 0]
    more = [t for t in texts if t.call > 0]  # HunyuanDiT's second encoder has a tensor of its own
    found = []
    for row in text:
        match = None
        for number, known in enumerate(first):
            images = len(known.embeds) // len(known.keeps)
            for i in range(len(known.keeps)):
                other = known.embeds[i * images]
                if other.shape == row.shape and torch.equal(row, other.to(row.device, row.dtype)):
                    parts = [known, *more[number : number + 1]]
                    match = torch.cat([p.keeps[i] for p in parts]), torch.cat([p.reals[i] for p in parts])
        if match is None:
            raise ValueError(
                f"this {family.title} pipeline was given text that was encoded outside the with block, so its padding "
                "is unknown; encode inside, or pass the prompt itself"
            )
        found.append(match)
    shown, real = zip(*found, strict=True)
    return torch.stack(shown), torch.stack(real)
