"""The figures of an audit, computed from the pictures and pieces that lie in its folder."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, fields
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn.functional import normalize

from ..maths import verdict
from ..maths.metrics import KID_MINIMUM, bootstrap, cosine, kid, perceptual_distance
from .arms import keep_arm
from .run import machine, picture_name

if TYPE_CHECKING:
    from picturelab.runs.folder import OnProgress

    from .clip import Clip, Seen
    from .run import Audit, AuditPlan

FULL, SEED = "full", "another seed"
_ROUNDED = 6


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
    return itself.T.numpy().round(_ROUNDED)


def score(audit: Audit, clip: Clip, progress: OnProgress | None = None) -> Scores:
    """Look at every picture, one prompt and seed at a time, its full picture beside it."""
    plan, seeds = audit.plan, range(audit.settings.seeds)
    arms = [FULL, *arm_names(plan)]
    scores = Scores(clip.texts([audit.settings.prompts[i] for i in plan.used]), audit.settings.seeds)
    for row, i in enumerate(plan.used):
        if progress:
            progress("looking", row, len(plan.used))
        fulls = []
        for seed in seeds:
            images = [audit.store.picture(picture_name(arm, i, seed)) for arm in arms]
            seen = clip.pictures(images)
            _put_figures(scores, arms, row, seed, seen)
            if audit.judge:
                for arm, image in zip(arms, images, strict=True):
                    for name, value in audit.judge(image, i).items():
                        scores.put(arm, name, row, seed, value)
            fulls.append((seen.embeds[0], tuple(layer[:1] for layer in seen.patches)))
        pairs = list(combinations(fulls, 2))
        scores.pairs["to_full"].append(statistics.fmean(float(cosine(a[0], b[0])) for a, b in pairs))
        scores.pairs["distance"].append(
            statistics.fmean(float(perceptual_distance(a[1], b[1])) for a, b in pairs)
        )
    scores.put_own()
    if progress:
        progress("looking", len(plan.used), len(plan.used))
    return scores


def _put_figures(scores: Scores, arms: Sequence[str], row: int, seed: int, seen: Seen) -> None:
    full = [layer[:1].expand_as(layer) for layer in seen.patches]
    columns = {
        "to_prompt": cosine(seen.embeds, scores.texts[row].expand_as(seen.embeds)),
        "to_full": cosine(seen.embeds, seen.embeds[:1].expand_as(seen.embeds)),
        "distance": perceptual_distance(seen.patches, full),
    }
    for place, arm in enumerate(arms):
        for name, column in columns.items():
            scores.put(arm, name, row, seed, round(float(column[place]), _ROUNDED))
        scores.embeds.setdefault(arm, []).append(seen.embeds[place])


def arm_names(plan: AuditPlan) -> list[str]:
    """All arms but the full one, as they are called in file names and tables."""
    return [
        *(f"ite {arm}" for arm in plan.ite),
        *(f"idp {arm}" for arm in plan.idp),
        *(keep_arm(keep) for keep in plan.keeps),
    ]


def results(audit: Audit, clip: Clip, progress: OnProgress | None = None) -> dict[str, Any]:
    """Everything that report.json holds.

    Raises:
        FileNotFoundError: the audit's pictures are not all there.
    """
    plan, settings = audit.plan, audit.settings
    scores = score(audit, clip, progress)
    noise, full = scores.noise(), scores.figures(FULL)
    curve = verdict.keep_curve({k: scores.figures(keep_arm(k)) for k in plan.keeps}, full, noise)
    ite, idp = (_group(scores, *group) for group in (("ite", plan.ite), ("idp", plan.idp)))
    found = verdict.judge(full, ite, idp, scores.figures(keep_arm(plan.keeps[0])), noise)
    smallest = verdict.smallest_keep(curve) if found.sees else None
    keep_k = _keep_k(audit, scores, curve, smallest)
    speedup = None if smallest is None else keep_k["curve"][plan.keeps.index(smallest)]["speedup"]
    arms = {
        "ite": {arm: _arm(scores, f"ite {arm}" if arm != FULL else FULL) for arm in (FULL, *plan.ite)},
        "idp": {arm: _arm(scores, f"idp {arm}") for arm in plan.idp},
    }
    arms["ite"][SEED] = _another_seed(scores)
    return {
        "model": settings.model,
        "verdict": found.name,
        "reason": found.reason,
        "droppable": 0 if smallest is None else plan.dropped(smallest),
        "padding": plan.padding,
        "speedup": speedup,
        "findings": [f.to_dict() for f in found.findings],
        "arms": arms,
        "keep_k": keep_k,
        "attention": _attention(audit),
        "kinds": _kinds(audit, scores),
        "notes": [*plan.notes, *_kid_note(scores)],
        "settings": json.loads(json.dumps(asdict(settings)))
        | {"prompts_used": list(plan.used), "machine": machine(audit.pipe)},
        "versions": audit.versions,
    }


def _group(scores: Scores, group: str, arms: Sequence[str]) -> dict[str, verdict.Figures]:
    return {arm: scores.figures(f"{group} {arm}") for arm in arms}


def _arm(scores: Scores, arm: str) -> dict[str, Any]:
    figures = {name: bootstrap(table.mean(1)).to_dict() for name, table in scores.arms[arm].items()}
    embeds = torch.stack(scores.embeds[arm])
    distance = None if arm == FULL else kid(torch.stack(scores.embeds[FULL]), embeds)
    return {"images": len(embeds), **figures, "kid": distance.to_dict() if distance else None}


def _another_seed(scores: Scores) -> dict[str, Any]:
    """The yardstick: the full text's picture of one seed against that of another."""
    full = scores.arms[FULL]
    figures = {name: bootstrap(values).to_dict() for name, values in scores.pairs.items()}
    embeds = torch.stack(scores.embeds[FULL])
    halves = embeds[0::2], embeds[1::2]  # prompt by prompt, seed by seed
    odd = scores.shape[1] % 2
    distance = None if odd else kid(*halves)
    return {
        "images": len(embeds),
        "to_prompt": bootstrap(full["to_prompt"].mean(1)).to_dict(),
        **figures,
        "kid": distance.to_dict() if distance else None,
    }


def _kid_note(scores: Scores) -> list[str]:
    images = scores.shape[0] * scores.shape[1]
    if images >= KID_MINIMUM:
        return []
    return [f"KID needs {KID_MINIMUM} pictures an arm; here are {images}, so it was left out."]


def _keep_k(
    audit: Audit, scores: Scores, curve: Sequence[verdict.Kept], smallest: int | None
) -> dict[str, Any]:
    """The curve; the last entry is the full text. Time is compared prompt by prompt, and the median taken."""
    plan = audit.plan
    base = _seconds(audit, None)
    rows = []
    for kept in curve:
        own = _seconds(audit, kept.k)
        ratios = [a / b for a, b in zip(base, own, strict=True)]
        rows.append(
            {"k": kept.k, "dropped": plan.dropped(kept.k), "changes": kept.answer}
            | _arm(scores, keep_arm(kept.k))
            | {
                "seconds": _median(own),
                "speedup": _median(ratios),
                "speedup_range": _middle_half(ratios),
                "findings": [f.to_dict() for f in kept.findings],
            }
        )
    everything = {"k": None, "dropped": 0, "changes": verdict.NO} | _arm(scores, FULL)
    rows.append(
        everything | {"seconds": _median(base), "speedup": 1.0, "speedup_range": [1.0, 1.0], "findings": []}
    )
    typical = statistics.median_low(plan.readings[i].longest for i in plan.used)
    at = next((row["speedup_range"] for row in rows[:-1] if row["k"] == smallest), None)
    return {"smallest": smallest, "speedup_range": at, "padding": typical, "curve": rows}


def _seconds(audit: Audit, keep: int | None) -> list[float]:
    return [_piece(audit, f"p{i:03} {keep_arm(keep)}")["seconds"] for i in audit.plan.used]


def _piece(audit: Audit, key: str) -> dict[str, Any]:
    notes = audit.store.piece(key)
    if notes is None:
        raise FileNotFoundError(f"{audit.store.folder} holds no piece {key}: run the audit to its end first")
    return notes


def _median(values: Sequence[float]) -> float:
    return round(statistics.median(values), _ROUNDED)


def _middle_half(values: Sequence[float]) -> list[float]:
    return [round(float(q), _ROUNDED) for q in np.quantile(values, [0.25, 0.75])]


def _attention(audit: Audit) -> dict[str, Any]:
    """Shares of attention, averaged over prompts: per group the mean and a table of (layers, steps)."""
    used = audit.plan.used[: audit.settings.looks]
    tables = [_piece(audit, f"p{i:03} attention")["attention"] for i in used]
    groups = sorted({group for table in tables for group in table})
    averaged: dict[str, Any] = {}
    for group in groups:
        zeros = [np.zeros_like(np.array(layer)) for layer in next(iter(tables[0].values()))]
        layers = [
            np.mean([table[group][n] if group in table else zeros[n] for table in tables], axis=0)
            for n in range(len(zeros))
        ]
        averaged[group] = {
            "mean": round(float(np.mean([layer.mean() for layer in layers])), _ROUNDED),
            "layers": [[round(float(share), _ROUNDED) for share in layer] for layer in layers],
        }
    rows = [(sum(r.padding), sum(r.padding) + sum(r.start)) for r in (audit.plan.readings[i] for i in used)]
    share = statistics.fmean(padding / total for padding, total in rows)
    return {"groups": averaged, "prompts": len(used), "padding_rows": round(share, _ROUNDED)}


def _kinds(audit: Audit, scores: Scores) -> dict[str, Any]:
    """Per kind of prompt, the scores of the arms that the verdict rests on."""
    settings, used = audit.settings, audit.plan.used
    if not settings.kinds:
        return {}
    wanted = [FULL, *(a for a in scores.arms if a.split(" ", 1)[-1] in ("prompt", "padding", "clean"))]
    kinds: dict[str, Any] = {}
    for kind in dict.fromkeys(settings.kinds):
        rows = [row for row, i in enumerate(used) if settings.kinds[i] == kind]
        if rows:
            means = {arm: bootstrap(scores.arms[arm]["to_prompt"][rows].mean(1)) for arm in wanted}
            kinds[kind] = {"prompts": len(rows)} | {arm: mean.to_dict() for arm, mean in means.items()}
    return kinds
