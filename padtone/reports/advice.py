"""What to do with a model's padding, from its audit's report.json, by the rules of docs/audit.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from picturelab.failures import printable
from picturelab.textfiles import read_json

from ..maths.verdict import DIFFUSION, IGNORED, INCONCLUSIVE, NO, TEXT, UNCLEAR, YES

_EMPTY = "Does the picture change with an empty text's padding?"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)  # a report holds much besides


class _Answer(_Part):
    question: str
    answer: Literal["yes", "no", "unclear"]


class _KeepCurve(_Part):
    smallest: Annotated[int, Field(ge=0)] | None


class _Settings(_Part):
    seeds: int
    prompts_used: list[int]
    revision: str | None
    call: dict[str, Any]


class AuditReport(_Part):
    """What advice needs of a report.json."""

    model: str
    verdict: str
    reason: str
    padding: int
    droppable: int | None = 0  # None: not decided
    findings: list[_Answer]
    keep_k: _KeepCurve
    settings: _Settings

    @classmethod
    def read(cls, path: Path) -> Self:
        """From a report.json, or the folder of an audit.

        Raises:
            ValueError: it cannot be read, or is no report of an audit.
        """
        file = path / "report.json" if path.is_dir() else path
        values = read_json(file, f"{printable(str(file))} cannot be read as the report of an audit")
        try:
            report = cls.model_validate(values)
        except ValidationError as error:
            place = ".".join(map(str, error.errors()[0]["loc"]))
            raise ValueError(
                f"{printable(str(file))} is no report of an audit: {place!r} is missing or wrong"
            ) from None
        if report.verdict not in (IGNORED, TEXT, DIFFUSION, INCONCLUSIVE):
            raise ValueError(
                f"{printable(str(file))} is no report of an audit: its verdict is {report.verdict!r}"
            )
        return report

    def check_model(self, model: str, revision: str | None) -> None:
        """Is it about these weights?

        Raises:
            ValueError: it is not.
        """
        if revision != self.settings.revision:
            raise ValueError(
                f"the report is about {self.model} with weights {self.settings.revision}, and {model} has {revision}: "
                "run the audit for these"
            )

    def answer(self, question: str) -> str:
        """Yes if a figure says so, no if all do, else unclear."""
        answers = {finding.answer for finding in self.findings if finding.question == question}
        return YES if YES in answers else NO if answers == {NO} else UNCLEAR


@dataclass(frozen=True)
class Advice:
    """What to do with the padding.

    Attributes:
        action: "trim", "keep" or "inconclusive".
        tokens_kept: of trimming, in each encoder; None where nothing is to be trimmed.
        reason: why, a sentence or two.
        replacing: what the audit says of an empty text's rows in the padding's place.
    """

    action: str
    tokens_kept: int | None
    reason: str
    replacing: str


def advise(report: AuditReport | None, padding: int, masked: bool) -> Advice:
    """What to do, by an audit's answers.

    Args:
        report: None: there was no audit.
        padding: the most padding tokens that this prompt leaves an encoder.
        masked: the denoiser masks its padding by itself.
    """
    if not padding:
        return Advice("keep", None, "This prompt leaves no padding.", "")
    if masked:
        return Advice("trim", 0, "The denoiser masks its padding, so the picture is the same without it.", "")
    if report is None:
        return Advice(
            "inconclusive",
            None,
            "Nothing is known of this model's padding: run padtone audit, and name its --report.",
            "",
        )
    replacing = {
        YES: "An empty text's rows in its place (replace_padding) change the picture.",
        NO: "An empty text's rows in its place (replace_padding) change the picture no more than another seed does.",
        UNCLEAR: "Whether an empty text's rows could be in its place (replace_padding) is unclear.",
    }[report.answer(_EMPTY)]
    smallest = report.keep_k.smallest
    if smallest is None:
        undecided = report.verdict == INCONCLUSIVE or report.droppable is None
        named = (
            f"How many padding tokens may go is not known with {len(report.settings.prompts_used)} prompts."
        )
        if report.droppable is not None:
            named = "No number of padding tokens could be named that may go."
        return Advice("inconclusive" if undecided else "keep", None, f"{named} {report.reason}", replacing)
    if padding <= smallest:
        reason = f"This prompt leaves {padding} padding tokens, and {smallest} are to stay."
        return Advice("keep", None, reason, replacing)
    reason = (
        f"With the {smallest} padding tokens next to the prompt the picture changes no more than another seed would "
        f"change it, as CLIP sees it. {report.reason}"
    )
    return Advice("trim", smallest, reason, replacing)


def about(report: AuditReport, call: Mapping[str, Any]) -> str:
    """What the advice rests on; how the audit's pictures were made where that differs from `call`."""
    pictures = f"an audit of {len(report.settings.prompts_used)} prompts x {report.settings.seeds} seeds"
    differ = [
        f"{name} {report.settings.call.get(name)} (here {call.get(name)})"
        for name in ("height", "width", "num_inference_steps", "max_sequence_length")
        if name in report.settings.call
        and report.settings.call[name] != call.get(name, report.settings.call[name])
    ]
    return pictures + (f" with {', '.join(differ)}" if differ else "")
