"""What an audit will make: read off the prompts and the pipeline before anything is painted."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from picturelab.failures import reason
from picturelab.pipeline import Pipeline

from ..families.family import Family
from ..families.registry import family_of
from .arms import IDP_ARMS, ITE_ARMS, Reading, Work, keep_arm, partner, read_prompt
from .settings import AuditSettings

FEWEST_PADDING = 5  # tokens; below, a fifth of the padding is empty


@dataclass(frozen=True)
class AuditPlan:
    """What an audit will make.

    Attributes:
        readings: what the pipeline makes of each prompt.
        used: positions of the prompts that leave enough padding; the others are left out.
        left_out: {position: why it is not used}.
        keep_counts: numbers of padding tokens to keep, below what most prompts have.
        ite, idp: arms; idp is empty where it says nothing that ITE doesn't.
        notes: what was left out and why, sentences.
    """

    readings: tuple[Reading, ...]
    used: tuple[int, ...]
    left_out: Mapping[int, str]
    keep_counts: tuple[int, ...]
    ite: tuple[str, ...]
    idp: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def padding(self) -> int:
        """Padding tokens of the typical prompt (the median)."""
        return statistics.median_low(sum(self.readings[i].padding) for i in self.used)

    def dropped(self, tokens_kept: int) -> int:
        """Padding tokens that go for the typical prompt when each encoder keeps `tokens_kept`."""
        return statistics.median_low(self.readings[i].dropped(tokens_kept) for i in self.used)

    def partner(self, i: int) -> int:
        """Position of the prompt that lends `i` its padding."""
        return self.used[partner([self.readings[j] for j in self.used], self.used.index(i))]


@dataclass(frozen=True)
class Piece:
    """One unit of work: its name, the prompt's position, and what to make; None: measure the attention."""

    key: str
    prompt: int
    work: Work | None

    @property
    def pictures(self) -> int:
        """How many it makes."""
        return len(self.work.arms) * len(self.work.seeds) if self.work else 0


def make_plan(pipe: Pipeline, settings: AuditSettings) -> AuditPlan:
    """Read the prompts and decide what can be asked of this pipeline.

    Raises:
        ValueError: the pipeline is unknown, hands its denoiser no padding, or fewer than two prompts leave enough.
    """
    family = family_of(pipe)
    if not family.pads:
        raise ValueError(
            f"{family.title} hands the denoiser no padding, so there is none to audit: {family.note}"
        )
    readings, left_out = _readings(pipe, settings)
    used = tuple(i for i in range(len(readings)) if i not in left_out)
    if len(used) < 2:
        why = next((why for i, why in left_out.items() if not readings[i].rows), None)
        most = max(r.longest for r in readings)
        raise ValueError(
            f"an audit needs two prompts that leave {FEWEST_PADDING} padding tokens or more; "
            + (
                f"here {len(used)} can be used ({why})"
                if why
                else f"here at most {most} are left: {family.note}"
            )
        )
    ite, idp = ITE_ARMS, IDP_ARMS if family.joint and not family.denoiser_masks else ()
    with_end = all(readings[i].eos for i in used)
    if not with_end:
        ite, idp = (tuple(arm for arm in arms if arm != "eos") for arms in (ite, idp))
    typical = statistics.median_low(readings[i].longest for i in used)
    counts = settings.keeps or (0, *(2**n for n in range(typical.bit_length())))
    keep_counts = tuple(sorted({k for k in counts if k < typical}))
    return AuditPlan(
        readings, used, left_out, keep_counts, ite, idp, _notes(family, readings, used, with_end)
    )


def _readings(pipe: Pipeline, settings: AuditSettings) -> tuple[tuple[Reading, ...], dict[int, str]]:
    """What the pipeline makes of each prompt, and {position: why it cannot be used}."""
    readings, left_out = [], {}
    for i, prompt in enumerate(settings.prompts):
        try:
            reading = read_prompt(pipe, prompt, settings.call)
        except ValueError as error:
            reading, left_out[i] = Reading(prompt, (), (), False), reason(error)
        else:
            if reading.longest < FEWEST_PADDING:
                left_out[i] = f"it leaves {reading.longest} padding tokens, fewer than {FEWEST_PADDING}"
        readings.append(reading)
    return tuple(readings), left_out


def _notes(
    family: Family, readings: Sequence[Reading], used: Sequence[int], with_end: bool
) -> tuple[str, ...]:
    """What is left out and why, in sentences."""
    notes = []
    short = sum(bool(r.rows) and r.longest < FEWEST_PADDING for r in readings)
    if short:
        notes.append(
            f"{short} of {len(readings)} prompts leave fewer than {FEWEST_PADDING} padding tokens and were left out."
        )
    unread = len(readings) - len(used) - short
    if unread:
        notes.append(f"{unread} of {len(readings)} prompts cannot be read and were left out.")
    if not with_end:
        notes.append("The text has no end token, so the arm that keeps it alone was left out.")
    if not family.joint:
        notes.append(
            "The denoiser reads the text by cross-attention and never changes it, so swapping rows inside "
            "it (IDP) is the same as swapping them before it (ITE): only ITE was run."
        )
    elif family.denoiser_masks:
        notes.append("The denoiser masks padding by itself, so IDP has nothing to swap: only ITE was run.")
    return tuple(notes)


def pieces_of(plan: AuditPlan, settings: AuditSettings) -> list[Piece]:
    """All units of work, in order. They don't depend on one another.

    All numbers of kept tokens of a prompt follow each other, so that a busy machine slows all alike.
    """
    pieces: list[Piece] = []
    seeds = tuple(range(settings.seeds))
    for i in plan.used:
        prompt, other = settings.prompts[i], settings.prompts[plan.partner(i)]
        work = [Work("plain", prompt, seeds, (keep_arm(k),)) for k in (None, *plan.keep_counts)]
        for seed in seeds:
            work.append(Work("ite", prompt, (seed,), plan.ite, other, f"{i}"))
            if plan.idp:
                work.append(Work("idp", prompt, (seed,), plan.idp, salt=f"{i}"))
        pieces += [Piece(piece_key(i, w), i, w) for w in work]
    return pieces + [Piece(attention_key(i), i, None) for i in prompts_looked_at(plan, settings)]


def prompts_looked_at(plan: AuditPlan, settings: AuditSettings) -> Sequence[int]:
    """Positions of the prompts whose attention is measured."""
    return plan.used[: settings.looks]


def piece_key(prompt: int, work: Work) -> str:
    """The name of a piece of pictures."""
    name = work.arms[0] if work.kind == "plain" else f"s{work.seeds[0]} {work.kind}"
    return f"p{prompt:03} {name}"


def attention_key(prompt: int) -> str:
    """The name of a piece that measures attention."""
    return f"p{prompt:03} attention"
