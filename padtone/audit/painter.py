"""The pictures of an audit's arms, and which of them a prompt cannot have."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from picturelab.failures import reason
from picturelab.hooks.finite import not_finite
from picturelab.pipeline import Pipeline

from ..families.family import Family
from ..families.registry import family_of
from ..hooks.handing_over import drawn, pictures_of
from ..hooks.timing import now
from ..interventions.encoding import Encoding, encode_prompts
from ..interventions.idp import idp_arms
from ..interventions.ite import (
    arm_key,
    arm_rows,
    encode_arms,
    generators,
    pipe_arguments,
    stack_arguments,
    swap_rows,
)
from ..interventions.masking import trim_padding
from ..maths.roles import RowChoice, shared_rows
from .arms import FULL, OTHER, PARTS, RANDOM, Work

_NOT_FINITE = "the picture holds numbers that are not finite"


@dataclass
class Painted:
    """What came of a piece of work.

    Attributes:
        pictures: {(arm's full name, seed): picture}.
        left_out: {arm's full name: why it has no pictures}.
        seconds: per picture; None where there is none.
    """

    pictures: dict[tuple[str, int], Any] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    seconds: float | None = None


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

    def make(self, work: Work) -> Painted:
        """The pictures of a piece of work. An arm that this prompt cannot have is left out, and says why."""
        painted, begin = Painted(), now()
        {"plain": self._plain, "ite": self._ite, "idp": self._idp}[work.kind](work, painted)
        # An arm has pictures of all seeds or none.
        painted.pictures = {
            (arm, seed): image
            for (arm, seed), image in painted.pictures.items()
            if arm not in painted.left_out
        }
        if painted.pictures:
            painted.seconds = (now() - begin) / len(painted.pictures)
        return painted

    def plain(self, prompt: str, seeds: Sequence[int], tokens_kept: int | None = None) -> dict[int, Any]:
        """{seed: picture} of the pipeline as people call it, with so many padding tokens left; None: all.

        Raises:
            ValueError: the pipeline refuses them, or a picture's numbers are not finite.
        """
        images: list[Any] = []
        for first in range(0, len(seeds), self.batch):
            part = seeds[first : first + self.batch]
            noise = [torch.Generator("cpu").manual_seed(seed) for seed in part]
            trimmed = nullcontext() if tokens_kept is None else trim_padding(self.pipe, keep=tokens_kept)
            with trimmed, _checked(self.pipe) as broken:
                out = self.pipe(prompt=prompt, num_images_per_prompt=len(part), generator=noise, **self.call)
            if broken:
                raise ValueError(_NOT_FINITE)
            images.extend(pictures_of(out))
        return dict(zip(seeds, images, strict=True))

    def _plain(self, work: Work, painted: Painted) -> None:
        (arm,) = work.arms
        tokens_kept = None if arm == FULL else int(arm.removeprefix("keep "))
        try:
            images = self.plain(work.prompt, work.seeds, tokens_kept)
        except ValueError as error:
            painted.left_out[arm] = reason(error)
            return
        painted.pictures |= {(arm, seed): image for seed, image in images.items()}

    def _ite(self, work: Work, painted: Painted) -> None:
        """Swap rows of the text encoding."""
        texts = self._possible_texts(work, painted)
        arms = list(texts)
        for first in range(0, len(arms), self.batch):
            part = arms[first : first + self.batch]
            try:
                by_seed = self._from_texts([texts[arm] for arm in part], work.seeds)
            except ValueError as error:
                painted.left_out |= {work.name(arm): reason(error) for arm in part}
                continue
            for seed, (images, broken) in by_seed.items():
                painted.left_out |= {work.name(part[place]): _NOT_FINITE for place in broken}
                painted.pictures |= {
                    (work.name(arm), seed): image for arm, image in zip(part, images, strict=True)
                }

    def _from_texts(
        self, texts: Sequence[dict[str, Any]], seeds: Sequence[int]
    ) -> dict[int, tuple[Sequence[Any], set[int]]]:
        """{seed: (a picture of each text, places of those whose numbers are not finite)}."""
        call = pipe_arguments(
            self.pipe, stack_arguments(texts, self.family.layers_first), len(texts), self.call
        )
        by_seed = {}
        for seed in seeds:
            with _checked(self.pipe) as broken:
                images = drawn(self.pipe, call, generators(seed, len(texts)))
            by_seed[seed] = images, broken
        return by_seed

    def _possible_texts(self, work: Work, painted: Painted) -> dict[str, dict[str, Any]]:
        """`texts` without the arms that this prompt cannot have."""
        try:
            return self.texts(work)
        except ValueError:
            pass  # one by one, to see which
        texts: dict[str, dict[str, Any]] = {}
        for arm in work.arms:
            try:
                texts |= self.texts(replace(work, arms=(arm,)))
            except ValueError as error:
                painted.left_out[work.name(arm)] = reason(error)
        return texts

    def _idp(self, work: Work, painted: Painted) -> None:
        """Swap text rows between two runs of the denoiser."""
        possible = self._possible_rows(work, painted)
        arms = list(possible)
        room = max(1, self.batch - 1)  # the donor rides along
        for first in range(0, len(arms), room):
            part = arms[first : first + room]
            rows = [possible[arm] for arm in part]
            try:
                with _checked(self.pipe) as broken:
                    by_rows = idp_arms(
                        self.pipe,
                        work.prompt,
                        work.seeds,
                        rows,
                        clean=self.clean,
                        pooled=self.pooled,
                        **self.call,
                    )
            except ValueError as error:
                painted.left_out |= {work.name(arm): reason(error) for arm in part}
                continue
            for place, (arm, choice) in enumerate(zip(part, rows, strict=True), 1):
                if place in broken:
                    painted.left_out[work.name(arm)] = _NOT_FINITE
                images = zip(work.seeds, by_rows[arm_key(choice)], strict=True)
                painted.pictures |= {(work.name(arm), seed): image for seed, image in images}

    def _possible_rows(self, work: Work, painted: Painted) -> dict[str, RowChoice]:
        """The rows of each IDP arm that this prompt can have."""
        possible: dict[str, RowChoice] = {}
        try:
            full = encode_prompts(self.pipe, [work.prompt], self.call, warn_cut=False)
        except ValueError as error:
            painted.left_out |= {work.name(arm): reason(error) for arm in work.arms}
            return possible
        for arm in work.arms:
            try:
                choice = self._rows(full, arm, work.salt)
                arm_rows(self.family, work.prompt, full, choice)
                possible[arm] = choice
            except ValueError as error:
                painted.left_out[work.name(arm)] = reason(error)
        return possible

    def texts(self, work: Work) -> dict[str, dict[str, Any]]:
        """The pipeline's text arguments of each ITE arm.

        Raises:
            ValueError: this prompt cannot have one of them, or its encoding is not finite.
        """
        own = [arm for arm in work.arms if arm != OTHER]
        texts: dict[str, dict[str, Any]] = {}
        if own:
            full = encode_prompts(self.pipe, [work.prompt], self.call, warn_cut=False)
            encodings = encode_arms(
                self.pipe,
                work.prompt,
                [self._rows(full, arm, work.salt) for arm in own],
                clean=self.clean,
                pooled=self.pooled,
                options=self.call,
            )
            texts = dict(zip(own, encodings, strict=True))
        if OTHER in work.arms:
            texts[OTHER] = self._with_others_padding(work.prompt, work.other)
        for arm, arguments in texts.items():
            if not all(map(_is_finite, arguments.values())):
                whose = (
                    f"its text encoding or that of {work.other!r}" if arm == OTHER else "its text encoding"
                )
                raise ValueError(f"{whose} holds numbers that are not finite")
        return {arm: texts[arm] for arm in work.arms}

    def _with_others_padding(self, prompt: str, other: str) -> dict[str, Any]:
        full, theirs = (encode_prompts(self.pipe, [text], self.call) for text in (prompt, other))
        arguments = dict(full.arguments)
        ours, others = (
            arm_rows(self.family, text, encoding, "padding")
            for text, encoding in ((prompt, full), (other, theirs))
        )
        shared = False
        for name, rows, more in zip(self.family.text_names, ours, others, strict=True):
            shared = shared or bool((rows & more).any())
            both = (rows & more)[None]
            arguments[name] = swap_rows(
                theirs.arguments[name], full.arguments[name], both, name in self.family.layers_first
            )
        if not shared:
            raise ValueError(f"{other!r}, which lends its padding, has none where this prompt has some")
        return arguments

    def _rows(self, full: Encoding, arm: str, salt: str) -> RowChoice:
        """The rows that an arm names.

        Raises:
            ValueError: there are none to draw from.
        """
        if arm != RANDOM:
            return arm
        rows = sorted(row for stretch in shared_rows(full.roles[0]) for row in stretch.at("padding"))
        if not rows:
            raise ValueError("the prompt leaves no padding that all its text encoders share")
        picked = random.Random(f"{RANDOM}/{salt}").sample(rows, max(1, round(len(rows) / PARTS)))
        return tuple(sorted(picked))


@contextmanager
def _checked(pipe: Pipeline) -> Iterator[set[int]]:
    """Positions of a batch that the decoder gave no finite numbers for; where there is no decoder, none."""
    if getattr(getattr(pipe, "vae", None), "decoder", None) is None:
        yield set()
        return
    with not_finite(pipe) as places:
        yield places


def _is_finite(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_finite, value))
    return not isinstance(value, torch.Tensor) or bool(torch.isfinite(value).all())
