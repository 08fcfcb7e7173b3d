"""Which rows of a pipeline's texts are padding: noted where they are encoded, found again where they are read."""

from __future__ import annotations

import functools
import inspect
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from picturelab.pipeline import Pipeline

from ..families.family import Family, TextEncoder
from ..families.registry import denoiser_of
from ..maths.roles import masked_span, real_span
from .encoder import Change, EncoderCall, tokenizer_of, watch_encoders
from .latest import Latest

_REMEMBERED = 64  # texts; two or three an image


@dataclass
class Padding:
    """Which tokens of an encoder's input stay: the real ones and `tokens_kept` padding tokens next to them."""

    pipe: Pipeline
    tokens_kept: int

    def visible(self, encoder: TextEncoder, ids: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """(batch, tokens) bool."""
        tokenizer = tokenizer_of(self.pipe, encoder)
        visible = torch.zeros(ids.shape, dtype=torch.bool)
        for i, row in enumerate(ids.tolist()):
            if mask is not None:
                start, end = masked_span(mask[i].tolist())
            else:
                side = tokenizer.padding_side
                start, end = real_span(row, pad=tokenizer.pad_token_id, eos=tokenizer.eos_token_id, side=side)
            if start > 0:  # padded at the left: the nearest padding lies before the prompt
                visible[i, max(0, start - self.tokens_kept) : end] = True
            else:
                visible[i, start : end + self.tokens_kept] = True
        return visible

    def hide(
        self, encoder: TextEncoder, ids: torch.Tensor, mask: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The same ids under a mask that hides the rest; a `Change` for `watch_encoders`."""
        visible = self.visible(encoder, ids, mask).to(ids.device)
        return ids, visible.to(torch.long if mask is None else mask.dtype)


@dataclass
class Text:
    """One encoded text of a batch: its rows as the denoiser will get them, and which of them stay.

    Attributes:
        name: which of the pipeline's arguments it is, `prompt_embeds` or another.
        embeds: (prompts * images, rows, width).
        visible: per prompt (rows,) bool, the rows that stay.
        real: the same of the rows that are no padding.
        prompts: as they were typed; empty where they were encoded before.
        call: which of the family's calls of `encode_prompt` it came from.
    """

    name: str
    embeds: torch.Tensor
    visible: list[torch.Tensor]
    real: list[torch.Tensor]
    prompts: list[str]
    call: int


class PromptFollower:
    """Follows the prompts of a pipeline from `encode_prompt` to the denoiser.

    In between the pipeline stacks, repeats and casts them as it likes, so a row of the denoiser's batch
    says nothing of where it came from. Hence `encode` notes each text, and `rows_of` finds it again.

    Args:
        padding: which tokens stay.
        change: hands the text encoders other ids or another mask, see `watch_encoders`.
        replace: called with the prompt's text and the arguments of `encode_prompt`; what it returns goes
            to the denoiser in place of the text's `embeds`.
    """

    def __init__(
        self,
        pipe: Pipeline,
        family: Family,
        padding: Padding,
        change: Change | None = None,
        replace: Callable[[Text, dict], torch.Tensor] | None = None,
    ) -> None:
        self._pipe, self._family, self._padding = pipe, family, padding
        self._change, self._replace = change, replace
        self._original = pipe.encode_prompt
        self._signature = inspect.signature(self._original)
        self._encoder_calls: list[EncoderCall] = []
        self._texts: deque[Text] = deque(maxlen=_REMEMBERED)
        self._since_run: list[str] = []  # names of the texts encoded since the denoiser last ran
        self._replacing = False
        self._latest = Latest(self._find)

    @contextmanager
    def following(self) -> Iterator[None]:
        """Inside the block, the pipeline's `encode_prompt` is `encode`."""

        @functools.wraps(self._original)  # its signature is read, here and by others
        def encode_prompt(*args: Any, **kwargs: Any) -> Any:
            return self.encode(*args, **kwargs)

        with ExitStack() as stack:
            self._encoder_calls = stack.enter_context(watch_encoders(self._pipe, self._family, self._change))
            stack.enter_context(_own_attribute(self._pipe, "encode_prompt", encode_prompt))
            # After a run of the denoiser, the next text to be encoded opens a new image.
            denoiser = denoiser_of(self._pipe, self._family)
            run = denoiser.register_forward_pre_hook(lambda module, args: self._since_run.clear())
            stack.callback(run.remove)
            yield

    def encode(self, *args: Any, **kwargs: Any) -> Any:
        """The pipeline's own `encode_prompt`, with a note of what it has made, or with `replace`'s rows in it.

        Raises:
            ValueError: more padding tokens are to stay than the text encoders read.
        """
        if self._replacing:  # `replace` encodes a text of its own
            return self._original(*args, **kwargs)
        self._encoder_calls.clear()
        values = self._original(*args, **kwargs)
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        texts = _texts_of(
            self._pipe, self._family, self._padding, list(self._encoder_calls), values, bound.arguments
        )
        if self._replace is None or not texts or not self._is_prompt(texts[0]):
            for text in texts:
                self._note(text)
            return values
        text = texts[0]
        self._replacing = True
        try:
            embeds = self._replace(text, bound.arguments)
        finally:
            self._replacing = False
        self._since_run.append(text.name)
        place = self._family.returns[text.call].index(text.name)
        return (*values[:place], embeds, *values[place + 1 :])

    def rows_of(self, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Which rows stay and which are no padding, per member of a batch that the denoiser was given.

        A member is found by its likeness: its rows equal, value by value after the pipeline's cast, those
        of one of the last 64 texts, the newest first. So it does not matter in what order guidance has put
        them, or whether it calls the denoiser once or twice a step. Two texts of equal rows are equal in
        what follows from them too, since the same encoders made both.

        Args:
            batch: (members, rows, width).

        Returns:
            (members, rows) bool, twice.

        Raises:
            ValueError: a member's encoding was not made inside the block, or is too long ago.
        """
        return self._latest(batch)

    def _find(self, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        members = [entry for row in batch if (entry := self._like(row)) is not None]
        if len(members) < len(batch):
            raise ValueError(
                f"this {self._family.title} pipeline was given text that was encoded outside the with block, or "
                f"more than {_REMEMBERED} texts ago, so its padding is unknown; encode inside, or pass the prompt "
                "itself"
            )
        visible, real = zip(*members, strict=True)
        return torch.stack(visible), torch.stack(real)

    def _like(self, row: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
        for text in reversed(self._texts):
            images = len(text.embeds) // len(text.visible)
            for i in range(len(text.visible)):
                other = text.embeds[i * images]
                if other.shape == row.shape and torch.equal(row, other.to(row.device, row.dtype)):
                    return text.visible[i], text.real[i]
        return None

    def _is_prompt(self, text: Text) -> bool:
        """Not the negative one, which in some families has a call of its own: the second before a run."""
        both = any(name and name.startswith("negative") for name in self._family.returns[0])
        return (both or not self._since_run) and not text.name.startswith("negative")

    def _note(self, text: Text) -> None:
        self._since_run.append(text.name)
        # HunyuanDiT's second encoder has a tensor of its own; its rows follow those of the first.
        first = [t for t in self._texts if t.name == text.name.removesuffix("_2")] if text.call else []
        if first:
            first[-1].visible = _joined(first[-1].visible, text.visible)
            first[-1].real = _joined(first[-1].real, text.real)
        else:
            self._texts.append(text)


@contextmanager
def _own_attribute(thing: object, name: str, value: Any) -> Iterator[None]:
    """Inside the block, an object's attribute is another; one that somebody had set before us comes back."""
    before = vars(thing).get(name)
    setattr(thing, name, value)
    try:
        yield
    finally:
        delattr(thing, name)
        if before is not None:
            setattr(thing, name, before)


def _joined(first: Sequence[torch.Tensor], second: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    return [torch.cat(pair) for pair in zip(first, second, strict=True)]


def _texts_of(
    pipe: Pipeline, family: Family, padding: Padding, calls: Sequence[EncoderCall], values: Any, bound: dict
) -> list[Text]:
    """The prompt and the negative prompt that one `encode_prompt` has encoded just now.

    Args:
        calls: what the encoders received meanwhile.
        values: what `encode_prompt` returned.
        bound: its arguments, by name.
    """
    index = next((i for i, extra in enumerate(family.calls) if extra.items() <= bound.items()), 0)
    if "text_encoder_index" in bound:
        index = bound["text_encoder_index"]
    by_name = {name: value for name, value in zip(family.returns[index], values, strict=True) if name}
    first = next(iter(by_name))
    names = [name for name in (first, f"negative_{first}") if name in by_name]
    encoded_before = bound.get("prompt_embeds") is not None
    runs: dict[str, list[EncoderCall]] = {}
    for call in calls:
        runs.setdefault(call.encoder.name, []).append(call)
    longest = max((call.ids.shape[1] for call in calls), default=padding.tokens_kept)
    if padding.tokens_kept > longest:
        raise ValueError(f"keep is {padding.tokens_kept}, but the text encoders read only {longest} tokens")
    texts = []
    for turn, name in enumerate(names[1:] if encoded_before else names):
        embeds = by_name[name]
        here = {encoder: done[turn] for encoder, done in runs.items() if turn < len(done)}
        if embeds is None or bound.get(name) is not None:  # no such text, or encoded before
            continue
        prompts = bound.get("prompt") if turn == 0 and not encoded_before else None
        prompts = [prompts] if isinstance(prompts, str) else list(prompts or [])
        visible, real = (_visible_rows(pipe, family, p, here, embeds) for p in (padding, Padding(pipe, 0)))
        texts.append(Text(name, embeds, visible, real, prompts, index))
    return texts


def _visible_rows(
    pipe: Pipeline, family: Family, padding: Padding, calls: dict[str, EncoderCall], embeds: torch.Tensor
) -> list[torch.Tensor]:
    """Per prompt, which rows stay, (rows,) bool. A text that no encoder made (SDXL's zeros) keeps all of them."""
    count = max((len(call.ids) for call in calls.values()), default=len(embeds))
    rows = [torch.ones(embeds.shape[1], dtype=torch.bool) for _ in range(count)]
    start = 0
    for encoder in family.encoders:
        if encoder.name not in calls or encoder.feeds != "rows":
            continue
        call = calls[encoder.name]
        visible = padding.visible(encoder, call.ids, call.mask)
        for i, ids in enumerate(call.ids.tolist()):
            mask = None if call.mask is None else call.mask[i].tolist()
            places = family.rows(pipe, ids, mask, embeds.shape[1])
            for row, place in enumerate(places, start):
                rows[i][row] = bool(visible[i, place]) if place >= 0 else False
        start += len(places)
    return rows
