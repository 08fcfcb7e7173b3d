"""What the page says in sentences of HTML: where a job stands, what is wrong, and the permanent link."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from picturelab.amounts import duration

from .errors import sentence, without_paths
from .jobs.page_job import PageJob
from .jobs.runner import MODELS, Runner, Standing


def status(runner: Runner, job: PageJob | None, results: str = "") -> str:
    """Where a job stands, in words and a bar; read out by screen readers when it changes.

    Args:
        results: the id of the element that shows a finished job's result, to be linked.
    """
    if job is None:
        return _box("", "")
    if job.state == "failed":
        return alert(ValueError(job.error))
    if job.state == "cancelled":
        return _box("cancelled", f"Cancelled. {job.outcome or 'What was not finished is not kept'}.")
    if job.state == "done":
        done = ". ".join(filter(None, (f"Done in {duration(job.seconds)}", job.outcome)))
        see = f' <a href="#{results}">See it below</a>' if results else ""
        remarks = "".join(f"<p>{escape(without_paths(text))}</p>" for text in job.remarks)
        return _box("done", f"<span>{done}.{see}</span>", remarks)
    if job.state == "waiting":
        return _box("waiting", f"Waiting: {_before(runner.standing(job))}.")
    left = ""
    if job.of and 1 < job.done < job.of:
        left = f", about {duration(job.seconds * (job.of - job.done) / job.done)} left"
    bar = f'<progress max="{job.of or 1}" value="{job.done}" aria-label="Progress"></progress>'
    others = runner.standing(job).others
    turns = f", in turn with {_count(others, 'other job')}" if others else ""
    return _box("running", f"{escape(job.note or 'starting')}{left}{turns}", bar)


def _before(standing: Standing) -> str:
    """What a job waits for that has not begun."""
    if standing.waits_for == "model":
        return f"{MODELS} models fit here, and yours is loaded when the jobs with one of the others are done"
    if standing.waits_for == "place":
        return f"{_count(standing.before, 'job')} before yours"
    return f"{_count(standing.before, 'turn')} before yours"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def remark(text: str) -> str:
    """What was done, in its place."""
    return _box("done", escape(text))


def alert(error: BaseException) -> str:
    """What is wrong."""
    return f'<div class="job failed" role="alert">{escape(sentence(error))}.</div>'


def field_alerts(problems: Mapping[str, str]) -> str:
    """What is wrong with which field; `links.after_click` repeats each at its field."""
    lines = (f'<p data-field="{escape(name)}">{escape(text)}.</p>' for name, text in problems.items())
    return f'<div class="job failed" role="alert">{"".join(lines)}</div>'


def link(query: str) -> str:
    """A permanent link to the page with this query."""
    return f'<a href="?{escape(query)}">Permanent link to the settings of the last run</a>'


def _box(kind: str, text: str, more: str = "") -> str:
    return f'<div class="job {kind}" role="status" aria-live="polite">{text}{more}</div>'
