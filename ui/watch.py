"""Progress of a job in words and a bar, the same on every tab."""

from __future__ import annotations

from html import escape

import gradio as gr

from fouriscale_padtone.jobs import Job, Runner

POLL = 0.5  # seconds between two looks at a running job


def status(runner: Runner, job: Job | None) -> str:
    """HTML: where the job stands; read out by screen readers when it changes."""
    if job is None:
        return _box("", "")
    if job.state == "failed":
        return alert(ValueError(job.error))
    if job.state == "cancelled":
        return _box("cancelled", "Cancelled. Nothing was kept of it.")
    if job.state == "done":
        return _box("done", f"Done in {_seconds(job.seconds)}.")
    if job.state == "waiting":
        ahead = runner.position(job)
        return _box("waiting", f"Waiting: {ahead} {'job' if ahead == 1 else 'jobs'} before yours.")
    left = ""
    if job.of and 1 < job.done < job.of:
        left = f", about {_seconds(job.seconds * (job.of - job.done) / job.done)} left"
    bar = f'<progress max="{job.of or 1}" value="{job.done}" aria-label="Progress"></progress>'
    return _box("running", f"{escape(job.note or 'starting')}{left}", bar)


def stamp(job: Job | None) -> tuple[str, int]:
    """Changes whenever there is news of the job."""
    return (job.id, job.version) if job else ("", 0)


def said(sentence: str) -> str:
    """HTML: a remark."""
    return _box("done", escape(sentence))


def alert(error: BaseException) -> str:
    """HTML: what is wrong."""
    return f'<div class="job failed" role="alert">{escape(str(error))}.</div>'


def link(query: str) -> str:
    """HTML: a permanent link to the page with this query."""
    return f'<a href="?{escape(query)}">Permanent link to these settings</a>'


def buttons(running: bool) -> list[gr.Timer | gr.Button]:
    """Updates for a tab's timer, its starting button and its cancelling one."""
    return [gr.Timer(active=running), gr.Button(interactive=not running), gr.Button(interactive=running)]


def lead_to(status: str, *buttons: gr.Button) -> None:
    """On a phone what a button starts lies below the controls: scroll there."""
    go = f"document.getElementById('{status}').scrollIntoView({{block: 'start'}})"
    for button in buttons:
        button.click(None, js=f"() => {{ if (innerWidth < 700) setTimeout(() => {go}, 300) }}", queue=False)


def cancel(runner: Runner, owner: str, kind: str) -> None:
    """Stop the browser's job of this kind, if there is one."""
    job = runner.newest(owner, kind)
    if job:
        runner.cancel(job)


def _box(kind: str, text: str, more: str = "") -> str:
    return f'<div class="job {kind}" role="status" aria-live="polite">{text}{more}</div>'


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 10 else f"{value:.0f} s" if value < 120 else f"{value / 60:.0f} min"
