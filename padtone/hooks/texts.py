"""Encoded texts with their padding, and the way back from a row of the denoiser's batch to the text that it was."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from .denoiser import in_one_place
from .latest import Snapshot

_REMEMBERED = 64  # texts; two or three an image
_BATCHES = 8  # of one run whose rows are known: with guidance, ControlNets, a callback that cuts the batch
_ROUNDED = (None, torch.float16, torch.bfloat16)  # what a caller may have cast an encoding to and back


@dataclass(frozen=True)
class Member:
    """One prompt's rows, (rows,) bool twice: those that stay, and those that are no padding."""

    visible: torch.Tensor
    real: torch.Tensor

    def same_as(self, other: Member) -> bool:
        return torch.equal(self.visible, other.visible) and torch.equal(self.real, other.real)

    def joined(self, other: Member) -> Member:
        """This prompt's rows and behind them those of another encoder."""
        return Member(torch.cat([self.visible, other.visible]), torch.cat([self.real, other.real]))


@dataclass
class Text:
    """One encoded text of a batch: its rows as the denoiser will get them.

    Attributes:
        name: which of the pipeline's arguments it is, `prompt_embeds` or another.
        embeds: (prompts * images, rows, width).
        members: one per prompt; None: its rows are all alike, so that no attention tells them apart.
        prompts: as they were typed; empty where they were encoded before.
        call: which of the family's calls of `encode_prompt` it came from.
        behind: the same prompts by a further encoder, whose rows come in a tensor of their own.
    """

    name: str
    embeds: torch.Tensor
    members: Sequence[Member | None]
    prompts: list[str] = field(default_factory=list)
    call: int = 0
    behind: Text | None = None

    def __post_init__(self) -> None:
        self._snapshot = Snapshot(self.embeds)

    @property
    def overwritten(self) -> bool:
        """Somebody has written into the rows since, so that they may be those of any text."""
        return not self._snapshot.unchanged or (self.behind is not None and self.behind.overwritten)

    @property
    def negative(self) -> bool:
        return self.name.startswith("negative")

    @property
    def images(self) -> int:
        """Images a prompt: each prompt's rows come so many times, one after the other."""
        return len(self.embeds) // len(self.members)

    def of_row(self, row: int, own: bool = False) -> Member | None:
        """Whose the row is.

        Args:
            own: without what is behind it.
        """
        member = self.members[row // self.images]
        behind = None if own or self.behind is None else self.behind.of_row(row)
        return member if member is None or behind is None else member.joined(behind)


@dataclass(frozen=True)
class Batch:
    """Rows that are to be traced: (members, rows, width), and behind them another encoder's, or None."""

    rows: torch.Tensor
    behind: torch.Tensor | None = None

    def is_row(self, i: int, text: Text, j: int) -> bool:
        """Does row `i` hold the values of row `j` of a text?"""
        return _equal(self.rows[i], text.embeds[j]) and self.is_behind(i, text, j)

    def is_behind(self, i: int, text: Text, j: int) -> bool:
        """Are the values behind row `i` those behind row `j` of a text?"""
        return self.behind is None or text.behind is None or _equal(self.behind[i], text.behind.embeds[j])

    def is_text(self, text: Text) -> bool:
        """Are these the very tensors of a text, unwritten since?"""
        behind = None if text.behind is None else text.behind.embeds
        return self.rows is text.embeds and self.behind is behind and not text.overwritten

    def with_members(self, members: Sequence[Member | None]) -> Text:
        """The batch as a text; its members know of what is behind them."""
        behind = None if self.behind is None else Text("", self.behind, [None] * len(self.behind))
        return Text("", self.rows, members, behind=behind)


class RunTexts:
    """The texts of one run of a pipeline, in the order in which they were encoded, and batches made of them.

    Attributes:
        calls: which of the family's calls of `encode_prompt` there have been.
    """

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.texts: list[Text] = []
        self.batches: deque[Text] = deque(maxlen=_BATCHES)


class TextMemory:
    """The latest texts of a pipeline, whoever had them encoded.

    A row is traced by what is surest: the memory it lies in; then its place beside the other texts of the
    same run (the negative prompts stand before the prompts); then its values. Where values leave a choice
    between different paddings, there is an error.

    Args:
        title: the family's name, for errors.
        alike: rows that are all equal need no mask, see `Text.members`.
    """

    def __init__(self, title: str, alike: bool) -> None:
        self._title, self._alike = title, alike
        self._texts: deque[Text] = deque(maxlen=_REMEMBERED)

    def note(self, text: Text) -> None:
        self._texts.append(text)

    def needs_no_mask(self, embeds: torch.Tensor) -> bool:
        """Are the rows of each prompt all alike, so that attention is the same however many of them it sees?"""
        return self._alike and bool((embeds == embeds[:, :1]).all())

    def trace(self, batch: Batch, run: RunTexts | None) -> list[Member | None]:
        """One member a row; None where a row of the batch needs no mask.

        Args:
            run: the pipeline's run that hands the batch over; None: no pipeline is running.

        Raises:
            ValueError: a text was not encoded here, or too long ago, or it may be one of two.
        """
        if run is None:
            return self._trace(batch, run)
        for text in reversed(run.batches):  # the same object at every step
            if batch.is_text(text):
                return list(text.members)
        members = self._trace(batch, run)
        run.batches.append(batch.with_members(members))
        return members

    def known(self, embeds: torch.Tensor, run: RunTexts | None) -> list[Member | None] | None:
        """The members of encodings that a caller hands to `encode_prompt`; None: they were not made here.

        Raises:
            ValueError: they may be one of two.
        """
        places = [self._places(Batch(embeds), i, run, own=True) for i in range(len(embeds))]
        return [self._only(place) for place in places] if all(places) else None

    def _trace(self, batch: Batch, run: RunTexts | None) -> list[Member | None]:
        lying = [self._lying(batch, i, run) for i in range(len(batch.rows))]
        if not all(lying) and run is not None:
            arranged = _arranged(batch, run.texts)
            if arranged is not None:
                return arranged
        places = [there or self._places(batch, i, run) for i, there in enumerate(lying)]
        if not all(places):
            raise ValueError(
                f"this {self._title} pipeline was given text that was encoded outside the with block, or "
                f"more than {_REMEMBERED} texts ago, or written over since, so its padding is unknown; encode inside, "
                "or pass the prompt itself"
            )
        return [self._only(place) for place in places]

    def _places(self, batch: Batch, i: int, run: RunTexts | None, own: bool = False) -> list[Member | None]:
        """Whose row `i` of a batch may be; nobody's: empty."""
        lying = self._lying(batch, i, run, own)
        if lying:
            return lying
        for texts in ([] if run is None else run.texts, self._texts):
            same = [
                text.of_row(j, own)
                for text in texts
                for j in range(0, len(text.embeds), text.images)
                if batch.is_row(i, text, j) and not text.overwritten
            ]
            if same:
                return same
        return [None] if self.needs_no_mask(batch.rows[i : i + 1]) else []

    def _lying(self, batch: Batch, i: int, run: RunTexts | None, own: bool = False) -> list[Member | None]:
        """Whose row this is, by the memory that it lies in; a callback may have cut it out of a batch."""
        batches = [] if run is None else list(run.batches)
        for text in (*reversed(batches), *reversed(self._texts)):
            for j, known in enumerate(text.embeds):
                here = in_one_place(batch.rows[i], known) and batch.is_behind(i, text, j)
                if here and not text.overwritten:
                    return [text.of_row(j, own)]
        return []

    def _only(self, members: Sequence[Member | None]) -> Member | None:
        first = members[0]
        for other in members[1:]:
            if first is not other and (first is None or other is None or not first.same_as(other)):
                raise ValueError(
                    f"this {self._title} pipeline was given text that may be either of two with different padding, "
                    "for the encoder gives both the same rows; pass the prompts themselves, or the tensors that "
                    "encode_prompt returned, uncopied"
                )
        return first


def _arranged(batch: Batch, texts: Sequence[Text]) -> list[Member | None] | None:
    """The members of a batch that is one text of a run, or its negative prompts and behind them its prompts."""
    texts = [text for text in texts if not text.overwritten]
    prompts = [text for text in reversed(texts) if not text.negative]
    pairs = [(n, p) for p in prompts for n in reversed(texts) if n.negative]
    for pair in pairs:
        if _is_batch(batch, pair):
            return [text.of_row(j) for text in pair for j in range(len(text.embeds))]
    alone = [text for text in texts if _is_batch(batch, (text,))]
    return [alone[0].of_row(j) for j in range(len(batch.rows))] if len(alone) == 1 else None


def _is_batch(batch: Batch, texts: Sequence[Text]) -> bool:
    rows = [(text, j) for text in texts for j in range(len(text.embeds))]
    return len(rows) == len(batch.rows) and all(batch.is_row(i, *row) for i, row in enumerate(rows))


def _equal(row: torch.Tensor, known: torch.Tensor) -> bool:
    """The same values, up to a cast that a pipeline or its caller has made."""
    if row.shape != known.shape:
        return False
    known = known.to(row.device)
    return any(
        torch.equal(row, (known if rounded is None else known.to(rounded)).to(row.dtype))
        for rounded in _ROUNDED
    )
