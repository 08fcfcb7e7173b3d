"""What the words of a prompt change in its encoding: encoder calls only, no picture."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from picturelab.bounds import check, shown
from picturelab.bounds import check_prompt as check_letters
from picturelab.models import origin
from picturelab.pipeline import Pipeline
from picturelab.remarks import remark

from ..families.family import Family
from ..families.registry import family_of
from ..maths.roles import TokenRoles, by_stretch
from ..maths.sensitivity import (
    PARTS,
    POOLED,
    RowChanges,
    Sensitivity,
    distances,
    exponent,
    part_changes,
    parts_of_change,
    relative,
    role_of,
    root_mean_square,
    row_changes,
)
from .arguments import check_options, check_prompt
from .encoding import Encoding, encode_prompts
from .words import Rewording, check_words, usual_prompts, usual_words

if TYPE_CHECKING:
    from picturelab.runs.folder import OnProgress

_COMPARED = 10  # unrelated prompts, which make 45 pairs


def sensitivity(
    pipe: Pipeline,
    prompt: str,
    *,
    words: Mapping[str, Sequence[str]] | None = None,
    unrelated: Sequence[str] | None = None,
    changes: int = 3,
    draws: int = 5,
    seed: int = 0,
    on_progress: OnProgress | None = None,
    **options: Any,
) -> Sensitivity:
    """Replace words of a prompt and measure how much each row of its encoding changes.

    A word is replaced by another of its kind for which every encoder reads as many tokens, so that rows do not shift.
    Each draw replaces the words of one random order: one, then two, and so on. Each text is encoded once, alone, by
    the pipeline's own `encode_prompt`. See `RowChanges` for the unit; the ancestor is Catellier et al., *On the
    Robustness of Text Vectorizers* (arXiv 2303.07203).

    Args:
        words: words by kind, such as {"colour": ["red", "blue"]}. None: those of the model's world, or our list.
        unrelated: prompts that have nothing to do with this one, two or more; the ten with the most similar number of
            tokens are compared with each other. None: captions of the model's world, or our collection.
        changes: most words to replace at once; fewer where fewer can be replaced, with a warning.
        draws: orders of words, and replacements of each word.
        seed: of the draws.
        on_progress: called with "texts", how many are encoded, and how many there are.
        options: what the pipeline's `encode_prompt` also takes, such as `max_sequence_length`.

    Raises:
        ValueError: an unknown pipeline; a number out of its bounds; no word can be replaced; fewer than two unrelated
            prompts; a prompt of an encoder's own, such as `prompt_2`.
        TypeError: the prompt is not one string, words or unrelated prompts are none; an unknown option.
    """
    _check(pipe, prompt, words, unrelated, options)
    check("changes", changes, "batch")
    check("draws", draws, "batch")
    check("seed", seed)
    model, family, rng = origin(pipe).model, family_of(pipe), random.Random(seed)
    rewording = Rewording(pipe, family, prompt, usual_words(model) if words is None else words, options)
    most = min(changes, len(rewording.words))
    if not most:
        raise ValueError(
            f"none of the words of {shown(prompt)} can be replaced: no other word of their kind is known that has as "
            "many tokens; give words by kind"
        )
    if most < changes:
        remark(f"changes is {changes}, and {most} of the prompt's words can be replaced: at most so many are")
    single = [rewording.one(word, draws, rng) for word in range(len(rewording.words))]
    drawn = [rewording.more(most, rng) for _ in range(draws)]
    reworded = {text for texts in (*single, *drawn) for text in texts}
    others = [
        text for text in (usual_prompts(model) if unrelated is None else unrelated) if text not in reworded
    ]
    plan = _Plan(single, drawn, rewording.nearest(others, _COMPARED, rng))
    if len(plan.unrelated) < 2:
        raise ValueError(
            f"unrelated is {shown(unrelated)}; it is two or more different prompts beside {shown(prompt)} and what it "
            "becomes with other words"
        )
    read = Reader(pipe, family, options)
    compared = _Compared(read(prompt, warn_cut=True))
    for done, text in enumerate(plan.texts, 1):
        compared.add(text, read(text), keep=text in plan.unrelated)
        if on_progress is not None:
            on_progress("texts", done, len(plan.texts))
    return Sensitivity(
        prompt,
        tuple(rewording.words),
        tuple(rewording.unreplaced),
        tuple(range(1, most + 1)),
        tuple(compared.result(i, plan) for i in range(len(compared.base))),
    )


@dataclass(frozen=True)
class _Plan:
    """The texts to encode: for each word the prompt without it, for each draw one a number of words, and others."""

    single: list[list[str]]
    drawn: list[list[str]]
    unrelated: list[str]

    @property
    def texts(self) -> list[str]:
        """Each once, the unrelated ones first."""
        more = [text for texts in (*self.single, *self.drawn) for text in texts]
        return list(dict.fromkeys([*self.unrelated, *more]))


@dataclass(frozen=True)
class EncoderRows:
    """What one encoder makes of one text: (rows, width), and the token and the role of each row."""

    name: str
    values: torch.Tensor
    tokens: tuple[str, ...]
    ids: tuple[int, ...]
    roles: tuple[str, ...]


class Reader:
    """Texts encoded by the pipeline, encoder by encoder, and behind them its pooled vectors."""

    def __init__(self, pipe: Pipeline, family: Family, options: dict) -> None:
        self._pipe, self._family, self._options = pipe, family, options

    def __call__(self, text: str, warn_cut: bool = False) -> list[EncoderRows]:
        encoding = encode_prompts(self._pipe, [text], self._options, warn_cut=warn_cut)
        found = [self._rows(encoding, *place) for place in self._places(encoding.roles[0])]
        for name, value in encoding.arguments.items():
            if name.startswith("pooled"):
                found.append(EncoderRows(name, value[:1].float().cpu(), ("",), (-1,), (POOLED,)))
        return found

    def _places(self, entries: Sequence[TokenRoles]) -> list[tuple[TokenRoles, slice]]:
        """The channels of each encoder: its own, where several fill a row together, one beside the other."""
        places = []
        for stretch in by_stretch(entries):
            start = 0
            for entry in stretch:
                width = getattr(self._pipe, entry.name).config.hidden_size if len(stretch) > 1 else None
                places.append((entry, slice(start, None if width is None else start + width)))
                start += width or 0
        return places

    def _rows(self, encoding: Encoding, entry: TokenRoles, channels: slice) -> EncoderRows:
        assert entry.rows is not None  # `by_stretch` has left out those without
        start, stop = entry.rows.start, entry.rows.stop
        for name in self._family.text_names:
            value = encoding.arguments[name]
            # Several layers of an encoder are channels of one row.
            layers_first = name in self._family.layers_first
            text = value[:, 0].movedim(0, 1).flatten(1) if layers_first else value[0].flatten(1)
            if start < text.shape[0]:
                break
            start, stop = start - text.shape[0], stop - text.shape[0]
        values = text[start:stop, channels].float().cpu()
        return EncoderRows(entry.name, values, entry.tokens, entry.ids, entry.roles)


class _Compared:
    """The prompt, and what each other text changes of it; of the texts themselves only the unrelated ones are kept.

    Args:
        base: the prompt's rows, encoder by encoder.
    """

    def __init__(self, base: list[EncoderRows]) -> None:
        self.base = base
        self._unrelated: list[list[EncoderRows]] = []
        self._squares: dict[str, list[torch.Tensor]] = {}
        self._changed: dict[str, list[tuple[int, ...]]] = {}

    def add(self, text: str, rows: list[EncoderRows], keep: bool) -> None:
        """Take in a text.

        Args:
            keep: it is an unrelated one.

        Raises:
            ValueError: its rows are not those of the prompt.
        """
        if keep:
            self._unrelated.append(rows)
            return
        pairs = list(zip(self.base, rows, strict=True))
        for ours, theirs in pairs:
            if ours.roles != theirs.roles:
                raise ValueError(
                    f"{theirs.name} gives {shown(text)} other rows than the prompt, though it has as many tokens; "
                    "leave its words out of those that replace"
                )
        self._squares[text] = [row_changes(ours.values, theirs.values) for ours, theirs in pairs]
        self._changed[text] = [_differing(ours.ids, theirs.ids) for ours, theirs in pairs]

    def result(self, index: int, plan: _Plan) -> RowChanges:
        """What one encoder's rows, or a pooled vector, change by."""
        base = self.base[index]
        apart = distances([(text[index].values, text[index].roles) for text in self._unrelated])
        counts = range(1, len(plan.drawn[0]) + 1)
        drawn = [self._parts(index, [texts[count - 1] for texts in plan.drawn]) for count in counts]
        changes = {
            part: tuple(relative(parts.get(part), apart.get(role_of(part))) for parts in drawn)
            for part in PARTS
            if any(part in parts for parts in drawn)
        }
        unit = torch.tensor([apart.get(role, 0.0) for role in base.roles])
        rows = torch.stack(
            [
                torch.stack([self._squares[text][index] for text in texts]).mean(dim=0).sqrt()
                for texts in plan.single
            ]
        )
        return RowChanges(
            name=base.name,
            tokens=base.tokens,
            roles=base.roles,
            distances=apart,
            changes=changes,
            exponents={part: exponent(counts, values) for part, values in changes.items()},
            carry=torch.where(rows == 0, 0.0, torch.where(unit > 0, rows / unit, torch.nan)),
            own=tuple(
                tuple(sorted({row for text in texts for row in self._changed[text][index]}))
                for texts in plan.single
            ),
        )

    def _parts(self, index: int, texts: Sequence[str]) -> dict[str, float]:
        """Each part's change, root mean square over the texts in which there is such a part."""
        found: dict[str, list[float]] = {}
        for text in texts:
            parts = parts_of_change(self.base[index].roles, self._changed[text][index])
            for part, change in part_changes(self._squares[text][index], parts).items():
                found.setdefault(part, []).append(change)
        return {part: float(root_mean_square(torch.tensor(values))) for part, values in found.items()}


def _check(pipe: Pipeline, prompt: Any, words: Any, unrelated: Any, options: dict) -> None:
    check_options(pipe, options)
    check_prompt(prompt)
    for name in family_of(pipe).own_prompts & options.keys():
        if options[name] is not None:
            raise ValueError(
                f"{name} is {shown(options[name])}; here every encoder reads the prompt, so leave it out"
            )
    if words is not None:
        check_words(words)
    if unrelated is not None:
        if isinstance(unrelated, str) or not isinstance(unrelated, Sequence):
            raise TypeError(f"unrelated is {shown(unrelated)}; it is a sequence of prompts")
        for other in unrelated:
            check_letters("unrelated", other)


def _differing(ids: Sequence[int], others: Sequence[int]) -> tuple[int, ...]:
    return tuple(i for i, (one, other) in enumerate(zip(ids, others, strict=True)) if one != other)
