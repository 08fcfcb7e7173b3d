"""Progress of a job in words and a bar, the same on every tab."""

from __future__ import annotations

from html import escape

import gradio as gr

from picturelab.worlds import split

from .jobs.runner import PageJob, Runner

POLL = 0.5  # seconds between two looks at a running job


def status(runner: Runner, job: PageJob | None, results: str = "") -> str:
    """HTML: where the job stands; read out by screen readers when it changes.

    Args:
        results: the id of the element that shows a finished job's result, to be linked.
    """
    if job is None:
        return _box("", "")
    if job.state == "failed":
        return alert(ValueError(job.error))
    if job.state == "cancelled":
        return _box("cancelled", "Cancelled. What was not finished is not kept.")
    if job.state == "done":
        see = f' <a href="#{results}">See it below</a>' if results else ""
        return _box("done", f"<span>Done in {_seconds(job.seconds)}.{see}</span>")
    if job.state == "waiting":
        ahead = runner.position(job)
        return _box("waiting", f"Waiting: {ahead} {'job' if ahead == 1 else 'jobs'} before yours.")
    left = ""
    if job.of and 1 < job.done < job.of:
        left = f", about {_seconds(job.seconds * (job.of - job.done) / job.done)} left"
    bar = f'<progress max="{job.of or 1}" value="{job.done}" aria-label="Progress"></progress>'
    return _box("running", f"{escape(job.note or 'starting')}{left}", bar)


def stamp(job: PageJob | None) -> tuple[str, int]:
    """Changes whenever there is news of the job."""
    return (job.id, job.version) if job else ("", 0)


def said(sentence: str) -> str:
    """HTML: a remark."""
    return _box("done", escape(sentence))


def alert(error: BaseException) -> str:
    """HTML: what is wrong."""
    return f'<div class="job failed" role="alert">{escape(str(error))}.</div>'


def problems(wrong: dict[str, str]) -> str:
    """HTML: what is wrong with which field; `links.after_click` repeats each at its field."""
    said = "".join(f'<p data-field="{escape(name)}">{escape(text)}.</p>' for name, text in wrong.items())
    return f'<div class="job failed" role="alert">{said}</div>'


def known(model: str, prompt: str) -> gr.HTML:
    """A remark on words that a shipped model cannot read; hidden where there are none."""
    shipped = split(model)
    unknown = shipped[0].unknown_words(prompt) if shipped else []
    if not shipped or not unknown:
        return gr.HTML(visible=False)
    said = f"This small model does not know {', '.join(unknown[:8])}. Its words are {', '.join(shipped[0].words())}."
    return gr.HTML(f'<p class="soft">{escape(said)}</p>', visible=True)


def link(query: str) -> str:
    """HTML: a permanent link to the page with this query."""
    return f'<a href="?{escape(query)}">Permanent link to these settings</a>'


def buttons(running: bool) -> list[gr.Timer | gr.Button]:
    """Updates for a tab's timer, its starting button and its cancelling one."""
    return [gr.Timer(active=running), gr.Button(interactive=not running), gr.Button(interactive=running)]


def cancel(runner: Runner, owner: str, kind: str) -> None:
    """Stop the browser's job of this kind, if there is one."""
    job = runner.newest(owner, kind)
    if job:
        runner.cancel(job)


def _box(kind: str, text: str, more: str = "") -> str:
    return f'<div class="job {kind}" role="status" aria-live="polite">{text}{more}</div>'


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 10 else f"{value:.0f} s" if value < 120 else f"{value / 60:.0f} min"
