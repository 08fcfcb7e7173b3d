"""Figures of every picture of an audit, seen through a CLIP."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import normalize

from picturelab.runs.folder import OnProgress

from ..maths import verdict
from ..maths.metrics import cosine, perceptual_distance
from .arms import FULL, keep_arm
from .folder import AuditPictures
from .plan import AuditPlan

if TYPE_CHECKING:
    from .clip import Clip, Features

ROUNDED = 6  # digits behind the point; more would be noise of the arithmetic


class Scores:
    """Figures of every picture, and the pictures' embeddings; NaN where there is no picture.

    Args:
        texts: the prompts' embeddings, (prompts, width).

    Attributes:
        arms: {arm: {figure: (prompts, seeds)}}.
        embeds: {arm: (prompts, seeds, width)}.
        pairs: {"to_full" or "distance": (prompts,)}, of two seeds' full pictures.
        left_out: {(prompt's position, arm or "attention"): why it has none}.
    """

    def __init__(
        self, prompts: Sequence[int], texts: torch.Tensor, seeds: int, left_out: dict[tuple[int, str], str]
    ) -> None:
        self.prompts, self.texts, self.left_out = tuple(prompts), texts, left_out
        self.shape = (len(texts), seeds)
        self.arms: dict[str, dict[str, np.ndarray]] = {}
        self.embeds: dict[str, torch.Tensor] = {}
        self.pairs = {name: np.full(len(texts), np.nan) for name in ("to_full", "distance")}

    def put(self, arm: str, figure: str, row: int, seed: int, value: float) -> None:
        table = self.arms.setdefault(arm, {}).setdefault(figure, np.full(self.shape, np.nan))
        table[row, seed] = value

    def put_embedding(self, arm: str, row: int, seed: int, value: torch.Tensor) -> None:
        nothing = torch.full((*self.shape, len(value)), torch.nan)
        self.embeds.setdefault(arm, nothing)[row, seed] = value

    def leave_out(self, row: int, arm: str, why: str) -> None:
        """Say that a prompt has no pictures of an arm; without full ones it has nothing to compare with."""
        position = self.prompts[row]
        for name in list(self.arms) if arm == FULL else [arm]:
            self.left_out.setdefault((position, name), why)
            for table in self.arms[name].values():
                table[row] = np.nan
            self.embeds[name][row] = torch.nan
        if arm == FULL:
            for values in self.pairs.values():
                values[row] = np.nan

    def rows(self, arm: str) -> np.ndarray:
        """Which prompts have all pictures of an arm, (prompts,) bool."""
        if arm not in self.arms:
            return np.zeros(len(self.texts), bool)
        return np.isfinite(self.arms[arm]["to_full"]).all(1)

    def put_own(self) -> None:
        """Add what is specific to a prompt, once all pictures have been seen; it takes two prompts."""
        texts = self.texts[:, None].expand(-1, self.shape[1], -1)
        for arm, pictures in self.embeds.items():
            rows = self.rows(arm)
            for figure, targets in (("own_prompt", texts), ("own_full", self.embeds[FULL])):
                table = self.arms[arm][figure] = np.full(self.shape, np.nan)
                if rows.sum() > 1:
                    table[rows] = own(pictures[rows], targets[rows])

    def figures(self, arm: str) -> verdict.Figures:
        names = ("to_prompt", "to_full", "own_prompt", "own_full")
        between = {name: np.full(len(self.texts), np.nan) for name in ("between_prompts", "between_seeds")}
        rows = self.rows(arm)
        if rows.sum() > 1:
            between["between_prompts"][rows], between["between_seeds"][rows] = distances(
                self.embeds[arm][rows]
            )
        return verdict.Figures(**{name: self.arms[arm][name] for name in names}, **between)

    def noise(self) -> verdict.Noise:
        between = verdict.between_seeds(self.arms[FULL]["to_prompt"])
        return verdict.Noise(1 - self.pairs["to_full"], between)


def own(pictures: torch.Tensor, targets: torch.Tensor) -> np.ndarray:
    """How much more alike each picture is to its own prompt's target than chance would have it.

    The table of cosine similarities, pictures by targets, centred on both sides: neither a picture that
    resembles everything nor a target that everything resembles counts. The factor n / (n - 1) makes the
    mean over prompts that of the own pairs minus that of the foreign ones.

    Args:
        pictures, targets: (prompts, seeds, width), two prompts or more, all finite.

    Returns:
        (prompts, seeds)
    """
    count = len(pictures)
    alike = torch.einsum("psw,qsw->spq", normalize(pictures, dim=-1), normalize(targets, dim=-1)).double()
    alike = alike - alike.mean(1, keepdim=True)
    alike = alike - alike.mean(2, keepdim=True)
    itself = torch.diagonal(alike, dim1=1, dim2=2) * count / (count - 1)  # (seeds, prompts)
    return itself.T.numpy().round(ROUNDED)


def distances(pictures: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """How unlike a prompt's pictures are those of other prompts, seed by seed, and each other; both (prompts,).

    Args:
        pictures: (prompts, seeds, width), two of each or more, all finite.
    """
    unit = normalize(pictures, dim=-1).double()
    others = 1 - torch.einsum("psw,qsw->spq", unit, unit)  # 0 to itself
    seeds = 1 - torch.einsum("psw,ptw->pst", unit, unit)
    prompts, count = seeds.shape[:2]
    between_prompts = others.mean(0).sum(1) / (prompts - 1)
    between_seeds = seeds.sum((1, 2)) / (count * (count - 1))
    return between_prompts.numpy().round(ROUNDED), between_seeds.numpy().round(ROUNDED)


def score(audit: AuditPictures, clip: Clip, progress: OnProgress | None = None) -> Scores:
    """Look at every picture, one prompt and seed at a time, its full picture beside it.

    Raises:
        FileNotFoundError: the audit has not come to its end.
        ValueError: a picture cannot be read.
    """
    plan, left_out = audit.plan, audit.left_out()
    prompts = [i for i in plan.used if (i, FULL) not in left_out]
    if not prompts:
        why = next(why for (_, arm), why in left_out.items() if arm == FULL)
        raise ValueError(f"no prompt has full pictures, which all others are compared with: {why}")
    texts = clip.texts([audit.settings.prompts[i] for i in prompts])
    scores = Scores(prompts, texts, audit.settings.seeds, left_out)
    for row, i in enumerate(prompts):
        if progress:
            progress("looking", row, len(prompts))
        _look_at_prompt(scores, audit, clip, row, i)
    scores.put_own()
    if progress:
        progress("looking", len(prompts), len(prompts))
    return scores


_NOT_FINITE = "the CLIP gives no finite numbers for it"


def _look_at_prompt(scores: Scores, audit: AuditPictures, clip: Clip, row: int, i: int) -> None:
    arms = [FULL, *(arm for arm in arm_names(audit.plan) if (i, arm) not in scores.left_out)]
    broken: set[str] = set()
    fulls = []
    for seed in range(audit.settings.seeds):
        images = [audit.picture(arm, i, seed) for arm in arms]
        features = clip.pictures(images)
        broken |= {arm for arm, sound in zip(arms, _sound(features), strict=True) if not sound}
        _put_figures(scores, arms, row, seed, features)
        if audit.judge:
            for arm, image in zip(arms, images, strict=True):
                for name, value in audit.judge(image, i).items():
                    scores.put(arm, name, row, seed, value)
        fulls.append((features.embeds[0], tuple(layer[:1] for layer in features.patches)))
    pairs = list(combinations(fulls, 2))
    scores.pairs["to_full"][row] = statistics.fmean(float(cosine(a[0], b[0])) for a, b in pairs)
    scores.pairs["distance"][row] = statistics.fmean(float(perceptual_distance(a[1], b[1])) for a, b in pairs)
    if not bool(torch.isfinite(scores.texts[row]).all()):
        broken.add(FULL)
    for arm in sorted(broken, key=arms.index):
        scores.leave_out(row, arm, _NOT_FINITE)


def _sound(features: Features) -> list[bool]:
    """Which pictures have finite features throughout."""
    tensors = (features.embeds, *features.patches)
    return torch.stack([torch.isfinite(t).flatten(1).all(1) for t in tensors]).all(0).tolist()


def _put_figures(scores: Scores, arms: Sequence[str], row: int, seed: int, features: Features) -> None:
    full = [layer[:1].expand_as(layer) for layer in features.patches]
    columns = {
        "to_prompt": cosine(features.embeds, scores.texts[row].expand_as(features.embeds)),
        "to_full": cosine(features.embeds, features.embeds[:1].expand_as(features.embeds)),
        "distance": perceptual_distance(features.patches, full),
    }
    for place, arm in enumerate(arms):
        for name, column in columns.items():
            scores.put(arm, name, row, seed, round(float(column[place]), ROUNDED))
        scores.put_embedding(arm, row, seed, features.embeds[place])


def arm_names(plan: AuditPlan) -> list[str]:
    """All arms but the full one, as they are called in file names and tables."""
    return [
        *(f"ite {arm}" for arm in plan.ite),
        *(f"idp {arm}" for arm in plan.idp),
        *(keep_arm(count) for count in plan.keep_counts),
    ]
