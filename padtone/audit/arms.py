"""The arms of an audit: which texts they give the denoiser, and the prompts that they are made of."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import ConfigDict

from picturelab.bounds import check, check_prompt
from picturelab.pipeline import Pipeline

from ..interventions.encoding import encode_prompts
from ..maths.roles import shared_rows

FULL, ANOTHER_SEED = "full", "another seed"  # the plain pictures, and the same from other noise
PARTS = 5
FIFTHS = tuple(f"padding {i}/{PARTS}" for i in range(1, PARTS + 1))
RANDOM, OTHER = "random fifth", "other padding"
ITE_ARMS = ("prompt", "padding", *FIFTHS, RANDOM, "eos", OTHER, "clean")
# The unpatched donor is "full", and the clean run with nothing overwritten is ITE's "clean".
IDP_ARMS = ("prompt", "padding", *FIFTHS, RANDOM, "eos")


@dataclass(frozen=True)
class Reading:
    """What a pipeline makes of one prompt.

    Attributes:
        prompt: the text.
        padding: its padding tokens, per stretch of rows that one or several text encoders fill.
        start: the other rows, per such stretch.
        eos: some encoder ends it with an end token.
    """

    prompt: str
    padding: tuple[int, ...]
    start: tuple[int, ...]
    eos: bool

    @property
    def longest(self) -> int:
        return max(self.padding, default=0)

    @property
    def rows(self) -> int:
        """Rows of its text; 0 where the pipeline could not read it."""
        return sum(self.padding) + sum(self.start)

    def dropped(self, tokens_kept: int) -> int:
        """Padding rows that go when each encoder keeps `tokens_kept` of them."""
        return sum(max(0, count - tokens_kept) for count in self.padding)


def read_prompt(pipe: Pipeline, prompt: str, call: dict) -> Reading:
    """Count a prompt's padding.

    Raises:
        ValueError: its tokens cannot be told apart.
    """
    entries = encode_prompts(pipe, [prompt], call).roles[0]
    stretches = shared_rows(entries)
    counts = [len(stretch.at("padding")) for stretch in stretches]
    return Reading(
        prompt,
        tuple(counts),
        tuple(len(stretch.rows) - count for stretch, count in zip(stretches, counts, strict=True)),
        any(e.count("eos") for e in entries if e.rows is not None),
    )


def partner(readings: Sequence[Reading], index: int) -> int:
    """Whose padding a prompt gets in the arm "other padding".

    Rows are swapped by position, and only where both texts have padding. So one of those that are no
    longer than ours, drawn by a fixed seed; where there is none, the shortest of the others.

    Raises:
        ValueError: all prompts are the same.
    """
    ours = readings[index]
    others = [i for i in range(len(readings)) if readings[i].prompt != ours.prompt]
    if not others:
        raise ValueError(f"other padding needs two different prompts, got only {ours.prompt!r}")
    fits = [i for i in others if all(a <= b for a, b in zip(readings[i].start, ours.start, strict=True))]
    if fits:
        return random.Random(f"partner/{index}").choice(fits)
    return min(others, key=lambda i: sum(readings[i].start))


@dataclass(frozen=True)
class Work:
    """Pictures that are made together, as data: a picture carries it, and can be made again from it.

    Attributes:
        kind: "plain", "ite" or "idp".
        arms: for "plain" one, "full" or "keep N"; else arms as in `ITE_ARMS`.
        other: the prompt that lends its padding to the arm "other padding".
        salt: decides which rows the arm "random fifth" draws.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")  # where a recipe holds it

    kind: Literal["plain", "ite", "idp"]
    prompt: str
    seeds: tuple[int, ...]
    arms: tuple[str, ...]
    other: str = ""
    salt: str = ""

    def name(self, arm: str) -> str:
        """An arm's name among all arms of an audit."""
        return arm if self.kind == "plain" else f"{self.kind} {arm}"

    def check(self) -> None:
        """Is this something that can be made?

        Raises:
            ValueError: a seed, a prompt or an arm is none.
        """
        known = {"ite": ITE_ARMS, "idp": IDP_ARMS}.get(self.kind, ())
        check("seeds", len(self.seeds))
        for seed in self.seeds:
            check("seed", seed)
        for name, prompt in (("the prompt", self.prompt), ("the other prompt", self.other)):
            check_prompt(name, prompt)
        for arm in self.arms:
            plain = self.kind == "plain" and (arm == FULL or re.fullmatch(r"keep \d{1,6}", arm))
            if not (plain or arm in known):
                raise ValueError(f"{arm!r} is no arm of {self.kind}")
        if len(self.arms) > len(ITE_ARMS) or (self.kind == "plain" and len(self.arms) != 1):
            raise ValueError(f"{len(self.arms)} arms are not made together")


def keep_arm(tokens_kept: int | None) -> str:
    """The name of the arm that keeps so many padding tokens; None: all."""
    return FULL if tokens_kept is None else f"keep {tokens_kept}"
