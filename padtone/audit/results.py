"""The content of report.json: verdict, arms, the keep-k curve and attention, computed from an audit's scores."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ..maths import verdict
from ..maths.metrics import bootstrap
from .arms import ANOTHER_SEED, FULL, keep_arm
from .folder import AuditPictures
from .kid import KID_MINIMUM, kid
from .plan import prompts_looked_at
from .scores import ROUNDED, Scores


def results(audit: AuditPictures, scores: Scores) -> dict[str, Any]:
    """Everything that report.json holds.

    Raises:
        FileNotFoundError: the audit's pictures are not all there.
    """
    plan, settings = audit.plan, audit.settings
    noise, full = scores.noise(), scores.figures(FULL)
    curve = verdict.keep_curve({k: scores.figures(keep_arm(k)) for k in plan.keep_counts}, full, noise)
    ite, idp = (_group(scores, *group) for group in (("ite", plan.ite), ("idp", plan.idp)))
    decision = verdict.judge(full, ite, idp, scores.figures(keep_arm(plan.keep_counts[0])), noise)
    smallest = verdict.smallest_keep(curve) if decision.sees else None
    keep_k = _keep_k(audit, scores, curve, smallest)
    speedup = None if smallest is None else keep_k["curve"][plan.keep_counts.index(smallest)]["speedup"]
    arms = {
        "ite": {arm: _arm(scores, f"ite {arm}" if arm != FULL else FULL) for arm in (FULL, *plan.ite)},
        "idp": {arm: _arm(scores, f"idp {arm}") for arm in plan.idp},
    }
    arms["ite"][ANOTHER_SEED] = _another_seed(scores)
    return {
        "model": settings.model,
        "verdict": decision.name,
        "reason": decision.reason,
        "droppable": 0 if smallest is None else plan.dropped(smallest),
        "padding": plan.padding,
        "speedup": speedup,
        "findings": [f.to_dict() for f in decision.findings],
        "arms": arms,
        "keep_k": keep_k,
        "attention": _attention(audit),
        "kinds": _kinds(audit, scores),
        "notes": [*plan.notes, *_kid_note(scores)],
        "settings": settings.model_dump(mode="json")
        | {"prompts_used": list(plan.used), "machine": audit.machine},
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
    audit: AuditPictures, scores: Scores, curve: Sequence[verdict.KeepPoint], smallest: int | None
) -> dict[str, Any]:
    """The curve; the last entry is the full text. Time is compared prompt by prompt, and the median taken."""
    plan = audit.plan
    base = audit.seconds(None)
    rows = []
    for point in curve:
        own = audit.seconds(point.k)
        ratios = [a / b for a, b in zip(base, own, strict=True)]
        rows.append(
            {"k": point.k, "dropped": plan.dropped(point.k), "changes": point.answer}
            | _arm(scores, keep_arm(point.k))
            | {
                "seconds": _median(own),
                "speedup": _median(ratios),
                "speedup_range": _middle_half(ratios),
                "findings": [f.to_dict() for f in point.findings],
            }
        )
    everything = {"k": None, "dropped": 0, "changes": verdict.NO} | _arm(scores, FULL)
    rows.append(
        everything | {"seconds": _median(base), "speedup": 1.0, "speedup_range": [1.0, 1.0], "findings": []}
    )
    typical = statistics.median_low(plan.readings[i].longest for i in plan.used)
    at = next((row["speedup_range"] for row in rows[:-1] if row["k"] == smallest), None)
    return {"smallest": smallest, "speedup_range": at, "padding": typical, "curve": rows}


def _median(values: Sequence[float]) -> float:
    return round(statistics.median(values), ROUNDED)


def _middle_half(values: Sequence[float]) -> list[float]:
    return [round(float(q), ROUNDED) for q in np.quantile(values, [0.25, 0.75])]


def _attention(audit: AuditPictures) -> dict[str, Any]:
    """Shares of attention, averaged over prompts: per group the mean and a table of (layers, steps)."""
    used = prompts_looked_at(audit.plan, audit.settings)
    tables = [audit.attention(i) for i in used]
    groups = sorted({group for table in tables for group in table})
    averaged: dict[str, Any] = {}
    for group in groups:
        zeros = [np.zeros(len(layer)) for layer in next(iter(tables[0].values()))]
        layers = [
            np.mean([np.array(table[group][n]) if group in table else zeros[n] for table in tables], axis=0)
            for n in range(len(zeros))
        ]
        averaged[group] = {
            "mean": round(float(np.mean([layer.mean() for layer in layers])), ROUNDED),
            "layers": [[round(float(share), ROUNDED) for share in layer] for layer in layers],
        }
    rows = [(sum(r.padding), sum(r.padding) + sum(r.start)) for r in (audit.plan.readings[i] for i in used)]
    share = statistics.fmean(padding / total for padding, total in rows)
    return {"groups": averaged, "prompts": len(used), "padding_rows": round(share, ROUNDED)}


def _kinds(audit: AuditPictures, scores: Scores) -> dict[str, Any]:
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
