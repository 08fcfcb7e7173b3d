"""From figures to a verdict: the decision rules, all thresholds from the noise between seeds. Pure.

docs/audit.md states the rules in words. A figure is an array of (prompts, seeds); a question is a figure's excess over
what another seed does to it, averaged over the prompts, and where it asks for a sign of the prompt, over chance too.
A prompt that has no pictures in an arm is NaN there, and takes no part in that arm's questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby
from typing import Any

import numpy as np

from .metrics import Interval, bootstrap, short

IGNORED, TEXT, DIFFUSION, INCONCLUSIVE = (
    "ignored",
    "used in text encoding",
    "used in diffusion",
    "inconclusive",
)
YES, NO, UNCLEAR = "yes", "no", "unclear"

# With fewer, the expanded interval asks for tails that resampling cannot reach (5 prompts: one in 1000
# of 126 different resamples), and any verdict would rest on one prompt's whim.
FEWEST_PROMPTS = 6


@dataclass(frozen=True)
class Figures:
    """One arm's figures, (prompts, seeds) if nothing else is said.

    Attributes:
        to_prompt: CLIP score of picture and prompt.
        to_full: CLIP similarity of picture and the full text's picture of the same seed.
        own_prompt, own_full: the part of each that is specific to this prompt, see `padtone.audit.scores.own`.
        between_prompts: 1 - CLIP similarity of a prompt's picture and another prompt's of the same arm and seed, mean
            over the others and the seeds; (prompts,).
        between_seeds: the same of two seeds' pictures of one prompt, (prompts,).
    """

    to_prompt: np.ndarray
    to_full: np.ndarray
    own_prompt: np.ndarray
    own_full: np.ndarray
    between_prompts: np.ndarray
    between_seeds: np.ndarray


@dataclass(frozen=True)
class Noise:
    """The yardstick: what another seed does to each figure of the full text's pictures, (prompts,).

    Attributes:
        to_full: 1 - CLIP similarity of two seeds' pictures.
        to_prompt: absolute difference of two seeds' CLIP scores.
    """

    to_full: np.ndarray
    to_prompt: np.ndarray


@dataclass(frozen=True)
class Finding:
    """The answer to one question by one figure.

    Attributes:
        effect: what was measured, as a mean over prompts.
        noise: what another seed does to the same figure; 0 where it is compared with chance.
        excess: effect - noise, with its interval; the answer is whether that lies above 0.
        prompts: how many it rests on.
        by_prompt: effect - noise of each of them.
    """

    question: str
    figure: str
    effect: float
    noise: float
    excess: Interval
    answer: str
    prompts: int
    by_prompt: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        plain = {"question": self.question, "figure": self.figure, "answer": self.answer}
        return plain | {
            "effect": float(f"{self.effect:.6g}"),
            "noise": float(f"{self.noise:.6g}"),
            "excess": self.excess.to_dict(),
            "prompts": self.prompts,
            "by_prompt": [short(value) for value in self.by_prompt],
        }


@dataclass(frozen=True)
class Verdict:
    """The verdict, why, and the findings that it rests on.

    `sees`: there are prompts enough, and the text's effect stands out from the seeds' noise. Where it
    does not, likeness within that noise says nothing.
    """

    name: str
    reason: str
    findings: tuple[Finding, ...]
    sees: bool


def between_seeds(values: np.ndarray) -> np.ndarray:
    """Mean absolute difference of a figure between two seeds, per prompt. (prompts, seeds) to (prompts,).

    Raises:
        ValueError: fewer than two seeds.
    """
    if values.ndim != 2 or values.shape[1] < 2:
        raise ValueError(f"the noise between seeds needs two seeds or more, got figures of {values.shape}")
    pairs = combinations(range(values.shape[1]), 2)
    return np.mean([np.abs(values[:, a] - values[:, b]) for a, b in pairs], axis=0)


def finding(question: str, figure: str, effect: np.ndarray, noise: np.ndarray) -> Finding:
    """Yes if the whole interval of effect - noise lies above 0, no if none of it does, else unclear.

    Args:
        effect, noise: (prompts,), the larger the more; where either is NaN there were no pictures to compare.

    Raises:
        ValueError: no prompt has both.
    """
    both = np.isfinite(effect) & np.isfinite(noise)
    if not both.any():
        raise ValueError(f"{question!r} cannot be answered: no prompt has the pictures that it compares")
    effect, noise = effect[both], noise[both]
    excess = bootstrap(effect - noise)
    answer = YES if excess.low > 0 else NO if excess.high <= 0 else UNCLEAR
    return Finding(
        question=question,
        figure=figure,
        effect=float(effect.mean()),
        noise=float(noise.mean()),
        excess=excess,
        answer=answer,
        prompts=len(effect),
        by_prompt=tuple((effect - noise).tolist()),
    )


def changes(question: str, arm: Figures, full: Figures, noise: Noise) -> tuple[Finding, Finding]:
    """Does the arm change the picture by more than another seed would?

    By likeness to the full picture, and by how much worse it fits the prompt.
    """
    unlike = finding(question, "to_full", 1 - arm.to_full.mean(1), noise.to_full)
    worse = finding(question, "to_prompt", (full.to_prompt - arm.to_prompt).mean(1), noise.to_prompt)
    return unlike, worse


def shows(question: str, arm: Figures, clean: Figures) -> tuple[Finding, Finding, Finding]:
    """Does the arm show more of its own prompt than the clean text, and does it vary with the prompt at all?

    The first two by what is specific to the prompt, where chance gives 0: a clean text may paint fog, and any picture
    is more like a picture than fog is. The third by the arm's own pictures, which have to differ from prompt to prompt
    by more than from seed to seed; the yardstick of the full pictures says nothing about them. See `shown`.
    """
    chance = np.zeros(len(arm.own_full))
    like = finding(question, "own_full", (arm.own_full - clean.own_full).mean(1), chance)
    fits = finding(question, "own_prompt", (arm.own_prompt - clean.own_prompt).mean(1), chance)
    return like, fits, finding(question, "between_prompts", arm.between_prompts, arm.between_seeds)


def shown(findings: Sequence[Finding]) -> str:
    """The answer of `shows`: yes if the arm varies with the prompt and either figure sees its own prompt in it.

    No if it does not vary, or if neither figure sees anything.
    """
    answers = {either(findings[:2]), findings[2].answer}
    return NO if NO in answers else UNCLEAR if UNCLEAR in answers else YES


def either(findings: Sequence[Finding]) -> str:
    """Yes if any finding says so, no if all say no, else unclear."""
    answers = {f.answer for f in findings}
    return YES if YES in answers else NO if answers == {NO} else UNCLEAR


def answers(findings: Sequence[Finding]) -> dict[str, str]:
    """{question: its answer}, by the rule for its kind: `shows` asks by three figures, `changes` by two.

    Of fewer prompts than a verdict needs all are unclear, whatever their intervals.
    """
    questions = groupby(findings, key=lambda finding: finding.question)
    joined = {question: list(group) for question, group in questions}
    return {question: _answer(group) for question, group in joined.items()}


def _answer(group: Sequence[Finding]) -> str:
    if any(finding.prompts < FEWEST_PROMPTS for finding in group):
        return UNCLEAR
    return (shown if len(group) == 3 else either)(group)


def judge(
    full: Figures,
    ite: Mapping[str, Figures],
    idp: Mapping[str, Figures],
    removed: Figures,
    noise: Noise,
) -> Verdict:
    """The verdict.

    Args:
        ite: arms "prompt", "padding", "other padding" and "clean" at least.
        idp: arm "padding" at least; empty where the denoiser never changes the text, or masks padding.
        removed: pictures without padding, or with as little as was tried.
    """
    seen = changes("Does the text change the picture at all?", ite["clean"], full, noise)
    needed = changes("Does the picture change with an empty text's padding?", ite["prompt"], full, noise)
    read = changes(
        "Does the picture change with another prompt's padding?", ite["other padding"], full, noise
    )
    carried = shows("Does padding alone show the prompt?", ite["padding"], ite["clean"])
    inside: Sequence[Finding] = ()
    if idp:
        inside = shows("Does padding alone show it, inside the denoiser?", idp["padding"], ite["clean"])
    gone = changes("Does the picture change without padding?", removed, full, noise)
    findings = (*seen, *carried, *read, *needed, *inside, *gone)
    prompts = min(f.prompts for f in findings)
    if prompts < FEWEST_PROMPTS:
        reason = f"There are {prompts} prompts; a verdict needs {FEWEST_PROMPTS} or more."
        return Verdict(INCONCLUSIVE, reason, findings, sees=False)
    if either(seen) != YES:
        return Verdict(INCONCLUSIVE, _BLIND, findings, sees=False)
    answers = (shown(carried), either(read), either(needed), shown(inside) if inside else NO, either(gone))
    return Verdict(*_choose(*answers), findings, sees=True)


_BLIND = (
    "Pictures of the empty text are no further from those of the prompt than another seed's are: with this "
    "model, this CLIP and this many pictures no effect of text can be seen."
)


def _choose(carried: str, read: str, needed: str, inside: str, gone: str) -> tuple[str, str]:
    """Verdict and reason from the five answers."""
    if YES in (carried, read, needed):
        signs = {
            "padding alone shows some of the prompt": carried,
            "another prompt's padding changes the picture": read,
            "an empty text's padding does so too"
            if read == YES
            else "an empty text's padding changes the picture": needed,
        }
        parts = [text for text, answer in signs.items() if answer == YES]
        reasons = " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]
        rest = {
            YES: "",
            NO: ". Yet an empty text's padding does as well as its own",
            UNCLEAR: ". Whether an empty text's padding would do as well is unclear",
        }[needed]
        return TEXT, f"{reasons[0].upper()}{reasons[1:]}{rest}."
    if UNCLEAR in (carried, read, needed):
        also = ", though inside the denoiser padding alone does show the prompt" if inside == YES else ""
        return INCONCLUSIVE, (
            "Whether the text encoder's padding says anything about the prompt is lost in the noise between "
            f"seeds{also}."
        )
    if inside == YES:
        return DIFFUSION, (
            "The text encoder's padding says nothing about the prompt, but while the picture is made the "
            "denoiser writes into it and reads it again."
        )
    if UNCLEAR in (inside, gone):
        return INCONCLUSIVE, (
            "The text encoder's padding says nothing about the prompt; whether the denoiser uses it is lost "
            "in the noise between seeds."
        )
    if gone == YES:
        return INCONCLUSIVE, (
            "What stands in the padding makes no difference, but taking it out does: it is attended to as "
            "something constant. Leave it in."
        )
    return IGNORED, (
        "Replacing the padding or taking it out changes the picture by no more than another seed would, and "
        "padding alone shows nothing of the prompt."
    )


@dataclass(frozen=True)
class KeepPoint:
    """What keeping `k` padding tokens does.

    `answer` yes: it changes the picture beyond the seeds' noise.
    """

    k: int
    findings: tuple[Finding, ...]
    answer: str


def keep_curve(arms: Mapping[int, Figures], full: Figures, noise: Noise) -> list[KeepPoint]:
    """For each k, whether keeping only k padding tokens changes the picture beyond another seed."""
    curve = []
    for k in sorted(arms):
        findings = changes(f"Does keeping {k} padding tokens change the picture?", arms[k], full, noise)
        curve.append(KeepPoint(k, findings, either(findings)))
    return curve


def smallest_keep(curve: Sequence[KeepPoint]) -> int | None:
    """The smallest k from which on no tried k changes the picture, each asked of prompts enough; None: no such k."""
    best = None
    for point in sorted(curve, key=lambda point: point.k, reverse=True):
        if point.answer != NO or any(f.prompts < FEWEST_PROMPTS for f in point.findings):
            break
        best = point.k
    return best


def undecided_keep(curve: Sequence[KeepPoint]) -> int | None:
    """The smallest k from which on no tried k is known to change the picture, where that is not yet `smallest_keep`."""
    best = None
    for point in sorted(curve, key=lambda point: point.k, reverse=True):
        if point.answer == YES:
            break
        best = point.k
    return None if best == smallest_keep(curve) else best


def none_can_go(decision: Verdict, curve: Sequence[KeepPoint]) -> bool:
    """Whether even the most tokens that were kept are known to change the picture."""
    return decision.sees and max(curve, key=lambda point: point.k).answer == YES
