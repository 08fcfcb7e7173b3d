"""Figures of every picture of an audit, seen through a CLIP."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import fields
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
    """Figures of every picture: {arm: {figure: (prompts, seeds)}}, and the pictures' embeddings.

    Args:
        texts: the prompts' embeddings, (prompts, width).
    """

    def __init__(self, texts: torch.Tensor, seeds: int) -> None:
        self.texts, self.shape = texts, (len(texts), seeds)
        self.arms: dict[str, dict[str, np.ndarray]] = {}
        self.embeds: dict[str, list[torch.Tensor]] = {}  # prompt by prompt, seed by seed
        self.pairs: dict[str, list[float]] = {"to_full": [], "distance": []}  # a prompt each

    def put(self, arm: str, figure: str, row: int, seed: int, value: float) -> None:
        table = self.arms.setdefault(arm, {}).setdefault(figure, np.full(self.shape, np.nan))
        table[row, seed] = value

    def put_own(self) -> None:
        """Add what is specific to a prompt, once all pictures have been seen."""
        fulls = torch.stack(self.embeds[FULL]).unflatten(0, self.shape)  # (prompts, seeds, width)
        texts = self.texts[:, None].expand(-1, self.shape[1], -1)
        for arm, embeds in self.embeds.items():
            pictures = torch.stack(embeds).unflatten(0, self.shape)
            self.arms[arm]["own_prompt"] = own(pictures, texts)
            self.arms[arm]["own_full"] = own(pictures, fulls)

    def figures(self, arm: str) -> verdict.Figures:
        names = [field.name for field in fields(verdict.Figures)]
        return verdict.Figures(**{name: self.arms[arm][name] for name in names})

    def noise(self) -> verdict.Noise:
        between = verdict.between_seeds(self.arms[FULL]["to_prompt"])
        return verdict.Noise(1 - np.array(self.pairs["to_full"]), between)


def own(pictures: torch.Tensor, targets: torch.Tensor) -> np.ndarray:
    """How much more alike each picture is to its own prompt's target than chance would have it.

    The table of cosine similarities, pictures by targets, centred on both sides: neither a picture that
    resembles everything nor a target that everything resembles counts. The factor n / (n - 1) makes the
    mean over prompts that of the own pairs minus that of the foreign ones.

    Args:
        pictures, targets: (prompts, seeds, width), two prompts or more.

    Returns:
        (prompts, seeds)
    """
    count = len(pictures)
    alike = torch.einsum("psw,qsw->spq", normalize(pictures, dim=-1), normalize(targets, dim=-1)).double()
    alike = alike - alike.mean(1, keepdim=True)
    alike = alike - alike.mean(2, keepdim=True)
    itself = torch.diagonal(alike, dim1=1, dim2=2) * count / (count - 1)  # (seeds, prompts)
    return itself.T.numpy().round(ROUNDED)


def score(audit: AuditPictures, clip: Clip, progress: OnProgress | None = None) -> Scores:
    """Look at every picture, one prompt and seed at a time, its full picture beside it.

    Raises:
        FileNotFoundError: the audit's pictures are not all there.
    """
    plan, seeds = audit.plan, range(audit.settings.seeds)
    arms = [FULL, *arm_names(plan)]
    scores = Scores(clip.texts([audit.settings.prompts[i] for i in plan.used]), audit.settings.seeds)
    for row, i in enumerate(plan.used):
        if progress:
            progress("looking", row, len(plan.used))
        fulls = []
        for seed in seeds:
            images = [audit.picture(arm, i, seed) for arm in arms]
            features = clip.pictures(images)
            _put_figures(scores, arms, row, seed, features)
            if audit.judge:
                for arm, image in zip(arms, images, strict=True):
                    for name, value in audit.judge(image, i).items():
                        scores.put(arm, name, row, seed, value)
            fulls.append((features.embeds[0], tuple(layer[:1] for layer in features.patches)))
        pairs = list(combinations(fulls, 2))
        scores.pairs["to_full"].append(statistics.fmean(float(cosine(a[0], b[0])) for a, b in pairs))
        scores.pairs["distance"].append(
            statistics.fmean(float(perceptual_distance(a[1], b[1])) for a, b in pairs)
        )
    scores.put_own()
    if progress:
        progress("looking", len(plan.used), len(plan.used))
    return scores


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
        scores.embeds.setdefault(arm, []).append(features.embeds[place])


def arm_names(plan: AuditPlan) -> list[str]:
    """All arms but the full one, as they are called in file names and tables."""
    return [
        *(f"ite {arm}" for arm in plan.ite),
        *(f"idp {arm}" for arm in plan.idp),
        *(keep_arm(count) for count in plan.keep_counts),
    ]
