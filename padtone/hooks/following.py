"""A pipeline's prompts, followed from `encode_prompt` to the denoiser."""

from __future__ import annotations

import functools
import inspect
import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from picturelab.pipeline import Pipeline

from ..families.family import Family, TextEncoder
from .encoder import EncoderCall, Listener, hear_encoders
from .padding_rows import Padding, calls_of_texts, seen_together, visible_rows
from .running import StateOfRuns, innermost_call
from .texts import Batch, Member, RunTexts, Text, TextMemory


class PromptFollower:
    """Follows the prompts of a pipeline from `encode_prompt` to the denoiser.

    In between the pipeline stacks, repeats and casts them as it likes. Hence `encode` notes each text, and
    `members_of` traces the rows of the denoiser's batch back to it, see `TextMemory`. What is noted in a
    run of the pipeline belongs to that run; so does what is left of one that was broken off.

    Args:
        padding: which tokens stay.
        masked: the text encoders themselves are to see nothing but what stays.
        replace: called with the prompt's text and the arguments of `encode_prompt`; what it returns goes
            to the denoiser in place of the text's `embeds`. Called once a run, and for each `encode_prompt`
            outside of runs.
    """

    def __init__(
        self,
        pipe: Pipeline,
        family: Family,
        padding: Padding,
        masked: bool = False,
        replace: Callable[[Text, dict], torch.Tensor] | None = None,
    ) -> None:
        self._pipe, self._family, self._padding = pipe, family, padding
        self._masked, self._replace = masked, replace
        self._original = pipe.encode_prompt
        self._signature = inspect.signature(self._original)
        self._listener, self._thread = Listener(), _Encoding()
        self._runs = StateOfRuns(pipe, RunTexts)
        # A denoiser that mixes text and image, or that has masks of its own, tells equal rows apart.
        self._memory = TextMemory(family.title, alike=not family.joint and not family.own_masks)

    @contextmanager
    def following(self) -> Iterator[None]:
        """Inside the block, the pipeline's `encode_prompt` is `encode`."""

        @functools.wraps(self._original)  # its signature is read, here and by others
        def encode_prompt(*args: Any, **kwargs: Any) -> Any:
            return self.encode(*args, **kwargs)

        change = self._hide if self._masked else None
        with (
            hear_encoders(self._pipe, self._family, self._listener, change),
            own_attribute(self._pipe, "encode_prompt", encode_prompt),
        ):
            yield

    def encode(self, *args: Any, **kwargs: Any) -> Any:
        """The pipeline's own `encode_prompt`, with a note of what it has made, or with `replace`'s rows in it.

        Raises:
            ValueError: more padding tokens are to stay than the text encoders read, or encodings that a
                caller hands over may be those of two texts.
        """
        if self._thread.replacing:  # `replace` encodes a text of its own
            return self._original(*args, **kwargs)
        values, calls = self._encoded(args, kwargs)
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        run = self._runs.here()
        texts = self._texts_of(values, calls, bound.arguments, run)
        for text in texts:
            self._note(text, run)
        if self._replace is None or not self._is_prompt(texts, self._call(bound.arguments), run):
            return values
        replaced = list(values)
        for text in (text for text in texts if not text.negative):
            self._thread.replacing = True
            try:
                embeds = self._replace(text, bound.arguments)
            finally:
                self._thread.replacing = False
            replaced[self._family.returns[text.call].index(text.name)] = self._as_text(text.name, embeds)
        return tuple(replaced)

    def members_of(self, batch: Batch) -> list[Member | None] | None:
        """Whose rows these are that the denoiser was given; None: another pipeline gives them to it.

        Raises:
            ValueError: a member's encoding was not made inside the block, or is too long ago, or its rows
                are those of two texts with different padding.
        """
        run = self._runs.here()
        if run is None and innermost_call() is not None:
            return None
        return self._memory.trace(batch, run)

    def _encoded(self, args: tuple, kwargs: dict) -> tuple[Any, list[EncoderCall]]:
        """What `encode_prompt` returns, and what the encoders received meanwhile.

        Encoders that share rows are masked alike, and what one makes of a prompt is known only after the
        other has run: where they differ, they run again.
        """
        with self._listener.listening() as calls:
            values = self._original(*args, **kwargs)
        if not self._masked:
            return values, calls
        together = seen_together(self._pipe, self._family, self._padding, calls)
        if not together:
            return values, calls
        self._thread.together = together
        try:
            with self._listener.listening() as calls:
                values = self._original(*args, **kwargs)
        finally:
            self._thread.together = {}
        return values, calls

    def _hide(
        self, encoder: TextEncoder, ids: torch.Tensor, mask: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The same ids under a mask that hides what does not stay; a `Change` for the encoders."""
        turn = sum(call.encoder == encoder for call in self._listener.calls or ()) - 1
        visible = self._thread.together.get((encoder.name, turn))
        if visible is None:
            visible = self._padding.visible(encoder, ids, mask)
        return ids, visible.to(ids.device, torch.long if mask is None else mask.dtype)

    def _is_prompt(self, texts: Sequence[Text], call: int, run: RunTexts | None) -> bool:
        """Not the negative one, which in some families has a call of its own, a run's second."""
        first = run is None or call not in run.calls
        if run is not None:
            run.calls.append(call)
        return first and bool(texts) and not texts[0].negative and bool(texts[0].prompts)

    def _call(self, bound: dict) -> int:
        """Which of the family's calls of `encode_prompt` this is."""
        if "text_encoder_index" in bound:
            return int(bound["text_encoder_index"])
        calls = enumerate(self._family.calls)
        return next((i for i, extra in calls if extra.items() <= bound.items()), 0)

    def _texts_of(
        self, values: Any, calls: Sequence[EncoderCall], bound: dict, run: RunTexts | None
    ) -> list[Text]:
        """The prompt and the negative prompt that one `encode_prompt` has returned just now."""
        index = self._call(bound)
        by_name = {n: value for n, value in zip(self._family.returns[index], values, strict=True) if n}
        names = self._family.names_of_call(index)
        rows = max(by_name[name].shape[-2 if name in self._family.layers_first else 1] for name in names)
        longest = max((call.ids.shape[1] for call in calls), default=self._padding.tokens_kept)
        if self._padding.tokens_kept > max(longest, rows if calls else 0):
            raise ValueError(
                f"keep is {self._padding.tokens_kept}, but the text encoders read only {longest} tokens"
            )
        turns = calls_of_texts(self._family, calls, _prompts_of(bound))
        texts: list[Text] = []
        for before in ("", "negative_"):
            embeds = {
                name: self._as_text(name, by_name[name])
                for name in (before + name for name in names)
                if by_name.get(name) is not None
            }
            texts += self._texts_together(embeds, turns, bound, index, run)
        return texts

    def _texts_together(
        self,
        embeds: dict[str, torch.Tensor],
        turns: list[dict[str, EncoderCall]],
        bound: dict,
        index: int,
        run: RunTexts | None,
    ) -> list[Text]:
        """The same prompts as each of the tensors that one `encode_prompt` returns for them; mostly one."""
        names = self._family.returns[index]
        # HunyuanDiT's second call has the same arguments as its first, and returns other names.
        given = {name: bound.get(self._family.returns[0][names.index(name)] or "") for name in embeds}
        texts = []
        if any(value is not None for value in given.values()):  # encoded by the caller
            for name, value in given.items():
                known = None if value is None else self._memory.known(self._as_text(name, value), run)
                if known is not None:
                    texts.append(Text(name, embeds[name], known, call=index))
        elif embeds:
            prompts = None if next(iter(embeds)).startswith("negative_") else bound.get("prompt")
            prompts = [prompts] if isinstance(prompts, str) else list(prompts or ())
            members = self._members(turns.pop(0) if turns else {}, list(embeds.values()))
            texts = [
                Text(name, value, own, prompts, index)
                for (name, value), own in zip(embeds.items(), members, strict=True)
            ]
        for first, second in itertools.pairwise(texts):
            first.behind = second
        return texts

    def _members(
        self, calls: dict[str, EncoderCall], embeds: Sequence[torch.Tensor]
    ) -> list[list[Member | None]]:
        """Per tensor, one per prompt."""
        first = embeds[0]
        if not calls and self._memory.needs_no_mask(first):  # SDXL's zeros for a negative prompt left out
            return [[None] * len(first) for _ in embeds]
        lengths = [first.shape[1], *(further.shape[-2] for further in embeds[1:])]
        visible, real = (
            visible_rows(self._pipe, self._family, padding, calls, len(first), sum(lengths))
            for padding in (self._padding, Padding(self._pipe, 0))
        )
        by_prompt = [
            [Member(*rows) for rows in zip(v.split(lengths), r.split(lengths), strict=True)]
            for v, r in zip(visible, real, strict=True)
        ]
        return [list(members) for members in zip(*by_prompt, strict=True)]

    def _as_text(self, name: str, value: torch.Tensor) -> torch.Tensor:
        """The batch first, where `encode_prompt` returns an encoder's layers first; and the way back."""
        layers_first = name.removeprefix("negative_") in self._family.layers_first
        return value.transpose(0, 1) if layers_first else value

    def _note(self, text: Text, run: RunTexts | None) -> None:
        # HunyuanDiT's second encoder has a tensor of its own; its rows follow those of the first.
        texts = self._thread.outside if run is None else run.texts
        first = [t for t in texts if t.name == text.name.removesuffix("_2")] if text.call else []
        if first:
            first[-1].behind = text
        self._memory.note(text)
        texts.append(text)


def _prompts_of(bound: dict) -> int:
    """How many prompts one `encode_prompt` is about."""
    texts = [bound.get(name) for name in ("prompt", "negative_prompt")]
    return next((len(text) for text in texts if isinstance(text, list)), 1)


class _Encoding(threading.local):
    """What a thread's `encode` is about.

    Attributes:
        replacing: `replace` encodes a text of its own.
        together: masks that encoders of the same rows share, by the encoder's name and its turn.
        outside: the latest texts encoded outside the pipeline's runs.
    """

    def __init__(self) -> None:
        self.replacing = False
        self.together: dict[tuple[str, int], torch.Tensor] = {}
        self.outside: deque[Text] = deque(maxlen=4)


@contextmanager
def own_attribute(thing: object, name: str, value: Any) -> Iterator[None]:
    """Inside the block, an object's attribute is another; one that somebody had set before us comes back."""
    before = vars(thing).get(name)
    setattr(thing, name, value)
    try:
        yield
    finally:
        delattr(thing, name)
        if before is not None:
            setattr(thing, name, before)
