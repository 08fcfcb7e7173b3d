"""The content of report.json: verdict, arms, the keep-k curve and attention, computed from an audit's scores."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..maths import verdict
from ..maths.metrics import bootstrap, share
from .arms import ANOTHER_SEED, FULL, OTHER, keep_arm
from .end_token import end_token
from .folder import AuditPictures
from .kid import KID_MINIMUM, kid
from .more_prompts import more_prompts
from .plan import AuditPlan
from .scores import ROUNDED, Scores, arm_names

_DOTS = ("to_full", "to_prompt", "own_full")  # figures of which every prompt's is kept
_SEEN = {
    "to_full",
    "to_prompt",
    "own_full",
    "own_prompt",
    "distance",
}  # by the CLIP; all else are a judge's shares
_TICK = 1e-6  # seconds, the least that a piece notes
_FEWEST = 2  # prompts of an arm; one is like none other, and has no interval


def results(audit: AuditPictures, scores: Scores) -> dict[str, Any]:
    """Everything that report.json holds.

    Raises:
        FileNotFoundError: the audit has not come to its end.
        ValueError: an arm that the verdict rests on has pictures of fewer than two prompts.
    """
    plan, settings = audit.plan, audit.settings
    ite_arms, idp_arms, keep_counts = _arms_with_pictures(plan, scores)
    noise, full = scores.noise(), scores.figures(FULL)
    curve = verdict.keep_curve({k: scores.figures(keep_arm(k)) for k in keep_counts}, full, noise)
    ite, idp = (_group(scores, *group) for group in (("ite", ite_arms), ("idp", idp_arms)))
    decision = verdict.judge(full, ite, idp, scores.figures(keep_arm(keep_counts[0])), noise)
    smallest = verdict.smallest_keep(curve) if decision.sees else None
    undecided = verdict.undecided_keep(curve) if decision.sees else None
    keep_k = _keep_k(audit, scores, curve, smallest) | {"undecided": undecided}
    speedup = None if smallest is None else keep_k["curve"][keep_counts.index(smallest)]["speedup"]
    arms = {
        "ite": {arm: _arm(scores, f"ite {arm}" if arm != FULL else FULL) for arm in (FULL, *ite_arms)},
        "idp": {arm: _arm(scores, f"idp {arm}") for arm in idp_arms},
    }
    arms["ite"][ANOTHER_SEED] = _another_seed(scores)
    used = [i for i, whole in zip(scores.prompts, scores.rows(FULL), strict=True) if whole]
    return {
        "model": settings.model,
        "verdict": decision.name,
        "reason": decision.reason,
        "droppable": _droppable(plan, decision, curve, smallest),
        "padding": plan.padding,
        "speedup": speedup,
        "findings": [f.to_dict() for f in decision.findings],
        "answers": verdict.answers(decision.findings),
        "end_token": end_token(scores),
        "more_prompts": more_prompts(decision, curve, smallest),
        "arms": arms,
        "keep_k": keep_k,
        "attention": _attention(audit),
        "kinds": _kinds(audit, scores),
        "left_out": _left_out(plan, scores),
        "notes": [*plan.notes, *_kid_note(arms)],
        "settings": settings.model_dump(mode="json") | {"prompts_used": used, "machine": audit.machine},
        "versions": audit.versions,
    }


def _droppable(
    plan: AuditPlan, decision: verdict.Verdict, curve: Sequence[verdict.KeepPoint], smallest: int | None
) -> int | None:
    """Padding tokens that can go; 0: even the most that were kept change the picture; None: it is not decided."""
    if smallest is not None:
        return plan.dropped(smallest)
    return 0 if verdict.none_can_go(decision, curve) else None


def _arms_with_pictures(plan: AuditPlan, scores: Scores) -> tuple[list[str], list[str], list[int]]:
    """Arms of ITE, arms of IDP and numbers of kept tokens that two prompts or more have pictures of.

    Raises:
        ValueError: the verdict needs one that is none of these.
    """
    enough = {arm for arm in (FULL, *arm_names(plan)) if scores.rows(arm).sum() >= _FEWEST}
    needed = [FULL, *(f"ite {arm}" for arm in ("clean", "padding", OTHER, "prompt"))]
    needed += ["idp padding"] if plan.idp else []
    keeps = [k for k in plan.keep_counts if keep_arm(k) in enough]
    lacking = [arm for arm in needed if arm not in enough] or (
        [] if keeps else [keep_arm(plan.keep_counts[0])]
    )
    if lacking:
        arm = lacking[0]
        why = next((why for (_, name), why in scores.left_out.items() if name in (arm, FULL)), "")
        raise ValueError(
            f"{int(scores.rows(arm).sum())} of {len(plan.readings)} prompts have pictures of the arm {arm!r}; an audit "
            f"needs {_FEWEST}{f' ({why})' if why else ''}"
        )
    ite, idp = (
        [arm for arm in arms if f"{group} {arm}" in enough]
        for group, arms in (("ite", plan.ite), ("idp", plan.idp))
    )
    return ite, idp, keeps


def _left_out(plan: AuditPlan, scores: Scores) -> list[dict[str, Any]]:
    """Prompts that have no pictures of some arms: {"prompt": position, "text", "arms", "why"}; no arms: all of them."""
    arms: dict[tuple[int, str], list[str]] = {(i, why): [] for i, why in plan.left_out.items()}
    whole = {i for (i, arm) in scores.left_out if arm == FULL}
    for (i, arm), why in scores.left_out.items():
        if i not in whole:
            arms.setdefault((i, why), []).append(arm)
        elif arm == FULL:
            arms[i, why] = []
    return [
        {"prompt": i, "text": plan.readings[i].prompt, "arms": names, "why": why}
        for (i, why), names in sorted(arms.items())
    ]


def _group(scores: Scores, group: str, arms: Sequence[str]) -> dict[str, verdict.Figures]:
    return {arm: scores.figures(f"{group} {arm}") for arm in arms}


def _arm(scores: Scores, arm: str) -> dict[str, Any]:
    """Figures over the prompts that have the arm's pictures; KID to the full pictures of the same prompts."""
    rows = scores.rows(arm)
    by_prompt = {name: table[rows].mean(1) for name, table in scores.arms[arm].items()}
    figures = {  # a judge leaves out what a prompt does not ask for
        name: (bootstrap if name in _SEEN else share)(values[np.isfinite(values)]).to_dict()
        for name, values in by_prompt.items()
        if np.isfinite(values).any()
    }
    own, full = (scores.embeds[name][rows].flatten(0, 1) for name in (arm, FULL))
    distance = None if arm == FULL else kid(full, own)
    return {
        "images": len(own),
        "left_out": int((~rows & scores.rows(FULL)).sum()),
        **figures,
        "kid": distance.to_dict() if distance else None,
        "by_prompt": {name: _rounded(by_prompt[name]) for name in _DOTS},
    }


def _another_seed(scores: Scores) -> dict[str, Any]:
    """The yardstick: the full text's picture of one seed against that of another."""
    rows = scores.rows(FULL)
    figures = {name: bootstrap(values[rows]).to_dict() for name, values in scores.pairs.items()}
    embeds = scores.embeds[FULL][rows].flatten(0, 1)
    halves = embeds[0::2], embeds[1::2]  # prompt by prompt, seed by seed
    odd = scores.shape[1] % 2
    distance = None if odd else kid(*halves)
    return {
        "images": len(embeds),
        "left_out": 0,
        "to_prompt": bootstrap(scores.arms[FULL]["to_prompt"][rows].mean(1)).to_dict(),
        **figures,
        "kid": distance.to_dict() if distance else None,
        "by_prompt": {
            "to_full": _rounded(scores.pairs["to_full"][rows]),
            "to_prompt": _rounded(scores.arms[FULL]["to_prompt"][rows].mean(1)),
        },
    }


def _rounded(values: np.ndarray) -> list[float]:
    """Four digits, for a dot in a drawing."""
    return [round(float(value), 4) for value in values]


def _kid_note(arms: dict[str, dict[str, Any]]) -> list[str]:
    """Which arms have no KID, and why."""
    every = {
        f"{group} {arm}": figures
        for group, of_group in arms.items()
        for arm, figures in of_group.items()
        if arm not in (FULL, ANOTHER_SEED)
    }
    most = max(figures["images"] for figures in every.values())
    if most < KID_MINIMUM:
        return [f"KID needs {KID_MINIMUM} pictures an arm; here are {most}, so it was left out."]
    few = [arm for arm, figures in every.items() if figures["images"] < KID_MINIMUM]
    none = [arm for arm, figures in every.items() if figures["kid"] is None and arm not in few]
    notes = []
    if few:
        notes.append(f"KID needs {KID_MINIMUM} pictures an arm, so it was left out of {', '.join(few)}.")
    if none:
        notes.append(f"KID is no finite number for {', '.join(none)} and was left out there.")
    return notes


def _keep_k(
    audit: AuditPictures, scores: Scores, curve: Sequence[verdict.KeepPoint], smallest: int | None
) -> dict[str, Any]:
    """The curve; the last entry is the full text. Time is compared prompt by prompt; means of ratios are geometric."""
    plan = audit.plan
    base = audit.seconds(None)
    rows = []
    for point in curve:
        own = audit.seconds(point.k)
        speed = _speed([base[i] / max(own[i], _TICK) for i in sorted(base.keys() & own.keys())])
        rows.append(
            {"k": point.k, "dropped": plan.dropped(point.k), "changes": point.answer}
            | _arm(scores, keep_arm(point.k))
            | {
                "seconds": round(statistics.fmean(own.values()), ROUNDED),
                "speedup": speed["mean"],
                "speedup_interval": [speed["low"], speed["high"]],
                "findings": [f.to_dict() for f in point.findings],
            }
        )
    everything = {"k": None, "dropped": 0, "changes": verdict.NO} | _arm(scores, FULL)
    rows.append(
        everything
        | {
            "seconds": round(statistics.fmean(base.values()), ROUNDED),
            "speedup": 1.0,
            "speedup_interval": [1.0, 1.0],
            "findings": [],
        }
    )
    typical = statistics.median_low(plan.readings[i].longest for i in plan.used)
    at = next((row["speedup_interval"] for row in rows[:-1] if row["k"] == smallest), None)
    return {"smallest": smallest, "speedup_interval": at, "padding": typical, "curve": rows}


def _speed(ratios: Sequence[float]) -> dict[str, float]:
    """The geometric mean of ratios of time, and its interval."""
    logarithms = bootstrap([math.log(max(ratio, _TICK)) for ratio in ratios])
    ends = {"mean": logarithms.mean, "low": logarithms.low, "high": logarithms.high}
    return {name: round(math.exp(value), ROUNDED) for name, value in ends.items()}


def _attention(audit: AuditPictures) -> dict[str, Any]:
    """Shares of attention, averaged over prompts: per group the mean and a table of (layers, steps)."""
    by_prompt = audit.attention()
    if not by_prompt:
        return {"groups": {}, "prompts": 0, "padding_rows": 0.0}
    tables = list(by_prompt.values())
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
    readings = [audit.plan.readings[i] for i in by_prompt]
    padding = statistics.fmean(sum(reading.padding) / reading.rows for reading in readings)
    return {"groups": averaged, "prompts": len(by_prompt), "padding_rows": round(padding, ROUNDED)}


def _kinds(audit: AuditPictures, scores: Scores) -> dict[str, Any]:
    """Per kind of prompt, the scores of the arms that the verdict rests on."""
    settings = audit.settings
    if not settings.kinds:
        return {}
    wanted = [FULL, *(a for a in scores.arms if a.split(" ", 1)[-1] in ("prompt", "padding", "clean"))]
    kinds: dict[str, Any] = {}
    for kind in dict.fromkeys(settings.kinds):
        of_kind = np.array([settings.kinds[i] == kind for i in scores.prompts])
        rows = {arm: of_kind & scores.rows(arm) for arm in wanted}
        if all(mask.any() for mask in rows.values()):
            means = {
                arm: bootstrap(scores.arms[arm]["to_prompt"][mask].mean(1)) for arm, mask in rows.items()
            }
            kinds[kind] = {"prompts": int(rows[FULL].sum())} | {
                arm: mean.to_dict() for arm, mean in means.items()
            }
    return kinds
