"""The arms of an audit: which texts they give the denoiser, and how their pictures are made."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from pydantic import ConfigDict

from picturelab.pipeline import Pipeline

from ..families.family import Family
from ..families.registry import family_of
from ..interventions.encoding import encode_prompts
from ..interventions.idp import idp_arms
from ..interventions.ite import (
    arm_key,
    arm_rows,
    encode_arms,
    generators,
    pipe_arguments,
    stack_arguments,
    swap_rows,
    text_names,
)
from ..interventions.masking import trim_padding
from ..maths.roles import RowChoice, TokenRoles

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
        padding: its padding tokens, per text encoder that feeds rows.
        start: rows before the first padding, per such encoder.
        eos: some encoder ends it with an end token.
    """

    prompt: str
    padding: tuple[int, ...]
    start: tuple[int, ...]
    eos: bool

    @property
    def longest(self) -> int:
        return max(self.padding, default=0)

    def dropped(self, tokens_kept: int) -> int:
        """Padding rows that go when each encoder keeps `tokens_kept` of them."""
        return sum(max(0, count - tokens_kept) for count in self.padding)


def read_prompt(pipe: Pipeline, prompt: str, call: dict) -> Reading:
    """Count a prompt's padding."""
    entries = [e for e in encode_prompts(pipe, [prompt], call).roles[0] if e.rows is not None]
    own = [e for e in entries if not _shares_rows(e, entries)]
    return Reading(
        prompt,
        tuple(e.count("padding") for e in own),
        tuple(len(e.ids) - e.count("padding") for e in own),
        any(e.count("eos") for e in entries),
    )


def _shares_rows(entry: TokenRoles, entries: Sequence[TokenRoles]) -> bool:
    """A later encoder that adds channels to the rows of an earlier one."""
    return any(e.rows == entry.rows for e in entries[: entries.index(entry)])


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

    kind: str
    prompt: str
    seeds: tuple[int, ...]
    arms: tuple[str, ...]
    other: str = ""
    salt: str = ""

    def name(self, arm: str) -> str:
        """An arm's name among all arms of an audit."""
        return arm if self.kind == "plain" else f"{self.kind} {arm}"


def keep_arm(tokens_kept: int | None) -> str:
    """The name of the arm that keeps so many padding tokens; None: all."""
    return FULL if tokens_kept is None else f"keep {tokens_kept}"


@dataclass(frozen=True)
class Painter:
    """Makes the pictures of one audit.

    Attributes:
        call: arguments for the pipeline.
        clean, pooled: see `padtone.encode`.
        batch: most pictures in one call of the pipeline.
    """

    pipe: Pipeline
    call: dict
    clean: str = "padding"
    pooled: str = "full"
    batch: int = 4

    @property
    def family(self) -> Family:
        return family_of(self.pipe)

    def make(self, work: Work) -> tuple[dict[tuple[str, int], Any], float]:
        """{(arm's full name, seed): picture}, and seconds per picture."""
        begin = self._now()
        pictures: dict[tuple[str, int], Any] = {}
        if work.kind == "plain":
            (arm,) = work.arms
            tokens_kept = None if arm == FULL else int(arm.removeprefix("keep "))
            by_seed = self.plain(work.prompt, work.seeds, tokens_kept)
            pictures = {(arm, seed): image for seed, image in by_seed.items()}
        else:
            for seed in work.seeds:
                paint = self.ite if work.kind == "ite" else self.idp
                pictures |= {(work.name(arm), seed): image for arm, image in paint(work, seed).items()}
        return pictures, (self._now() - begin) / len(pictures)

    def plain(self, prompt: str, seeds: Sequence[int], tokens_kept: int | None = None) -> dict[int, Any]:
        """{seed: picture} of the pipeline as people call it, with so many padding tokens left; None: all."""
        images: list[Any] = []
        for first in range(0, len(seeds), self.batch):
            part = seeds[first : first + self.batch]
            noise = [torch.Generator("cpu").manual_seed(seed) for seed in part]
            with nullcontext() if tokens_kept is None else trim_padding(self.pipe, keep=tokens_kept):
                out = self.pipe(prompt=prompt, num_images_per_prompt=len(part), generator=noise, **self.call)
            images.extend(out.images)
        return dict(zip(seeds, images, strict=True))

    def ite(self, work: Work, seed: int) -> dict[str, Any]:
        """{arm: picture}, swapping rows of the text encoding."""
        texts = self.texts(work)
        images: dict[str, Any] = {}
        for first in range(0, len(work.arms), self.batch):
            part = work.arms[first : first + self.batch]
            stacked = stack_arguments([texts[arm] for arm in part])
            call = pipe_arguments(self.pipe, stacked, len(part), self.call)
            out = self.pipe(**call, generator=generators(seed, len(part))).images
            images |= dict(zip(part, out, strict=True))
        return images

    def idp(self, work: Work, seed: int) -> dict[str, Any]:
        """{arm: picture}, swapping text rows between two runs of the denoiser."""
        images: dict[str, Any] = {}
        room = max(1, self.batch - 1)  # the donor rides along
        for first in range(0, len(work.arms), room):
            part = work.arms[first : first + room]
            rows = [self._rows(work.prompt, arm, work.salt) for arm in part]
            by_rows = idp_arms(
                self.pipe, work.prompt, [seed], rows, clean=self.clean, pooled=self.pooled, **self.call
            )
            images |= {arm: by_rows[arm_key(choice)][0] for arm, choice in zip(part, rows, strict=True)}
        return images

    def texts(self, work: Work) -> dict[str, dict[str, Any]]:
        """The pipeline's text arguments of each ITE arm."""
        own = [arm for arm in work.arms if arm != OTHER]
        encodings = encode_arms(
            self.pipe,
            work.prompt,
            [self._rows(work.prompt, arm, work.salt) for arm in own],
            clean=self.clean,
            pooled=self.pooled,
            options=self.call,
        )
        texts = dict(zip(own, encodings, strict=True))
        if OTHER in work.arms:
            texts[OTHER] = self._with_others_padding(work.prompt, work.other)
        return texts

    def _with_others_padding(self, prompt: str, other: str) -> dict[str, Any]:
        full, theirs = (encode_prompts(self.pipe, [text], self.call) for text in (prompt, other))
        arguments = dict(full.arguments)
        ours, others = (
            arm_rows(self.family, text, encoding, "padding")
            for text, encoding in ((prompt, full), (other, theirs))
        )
        for name, rows, more in zip(text_names(self.family), ours, others, strict=True):
            both = (rows & more)[None]
            arguments[name] = swap_rows(theirs.arguments[name], full.arguments[name], both)
        return arguments

    def _rows(self, prompt: str, arm: str, salt: str) -> RowChoice:
        if arm != RANDOM:
            return arm
        roles = encode_prompts(self.pipe, [prompt], self.call).roles[0]
        rows = sorted({e.rows[i] for e in roles if e.rows is not None for i in e.at("padding")})
        picked = random.Random(f"{RANDOM}/{salt}").sample(rows, max(1, round(len(rows) / PARTS)))
        return tuple(sorted(picked))

    def _now(self) -> float:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.perf_counter()
