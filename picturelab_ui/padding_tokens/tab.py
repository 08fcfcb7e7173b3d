"""The tab "Padding tokens": what stands in a prompt's padding, what it does, and how much of it is needed."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from ..events import AT_ONCE, QUIET, News
from ..forms import Form
from ..jobs.padding_tokens import AuditResult, attention, audit, both_interventions, curve
from ..jobs.page_job import PageJob
from ..panel import JobPanel, Look, Start
from ..prompts import unknown_words
from ..visitors import Visitor
from ..workshop import Workshop
from . import controls, order, tokens
from .controls import PaddingTokensTools
from .order import AuditOrder, PromptOrder
from .results import SHOWN_IN, follow_slider, show_result
from .views import PaddingTokensViews
from .views import place as place_views

KIND = "padding"
# What a button measures of one prompt: pipeline, order, folder for files, job.
Measurement = Callable[[Any, PromptOrder, Path, PageJob], Any]


def build(workshop: Workshop, owner: gr.BrowserState, named: Any) -> None:
    """The tab's controls and what they do; `named` is the event after which the browser has a name."""
    panel = JobPanel(workshop, owner, KIND, "pad", SHOWN_IN)
    with gr.Row():
        with gr.Column(scale=2, min_width=320):
            form, tools = controls.place(workshop, panel)
        with gr.Column(scale=3, min_width=320):
            views = place_views(panel)
    model, prompt = form["model"], form["prompt"]
    gr.on([model.change, prompt.change], unknown_words, [model, prompt], tools.unknown, **AT_ONCE)
    tools.dice.click(lambda: random.randrange(2**31), None, form["seed"], **AT_ONCE)
    tokens.wire(workshop, form, views, named)
    follow_slider(views.keep)
    _wire_starters(workshop, panel, form, tools, views)
    opened = panel.follow(named, partial(show, views), views.of_a_job)

    def from_link(request: gr.Request) -> News:
        return form.fill(order.of_link(workshop, dict(request.query_params), form.first_values()))

    opened.then(from_link, None, [*form.values()], **QUIET)


def show(views: PaddingTokensViews, look: Look) -> News:
    """News of the browser's job: nothing before it is done."""
    return show_result(views, look.job.result) if look.job and look.job.state == "done" else {}


def submit(
    workshop: Workshop, visitor: Visitor, work: Callable[[Any, PageJob], Any], model: str, folder: Path
) -> PageJob:
    """Queue work on a model, which is called with the loaded pipeline and the job, and writes into a folder.

    Raises:
        ValueError: the queue is full, or the browser's last one is not finished.
    """

    def run(job: PageJob) -> Any:
        job.report(0, 0, f"loading {model}")
        return work(workshop.models.pipeline(model), job)

    return workshop.submit(run, visitor, KIND, folder, model)


def _wire_starters(
    workshop: Workshop, panel: JobPanel, form: Form, tools: PaddingTokensTools, views: PaddingTokensViews
) -> None:
    """The four things to run."""
    for triggers, measure in (
        ([tools.generate.click, form["prompt"].submit], _arms),
        ([tools.curve.click], _curve),
        ([tools.attention.click], _attention),
    ):
        inputs = [views.chosen_rows, *form.values()]
        panel.start_on(triggers, partial(_start, workshop, form, views, measure), inputs)
    fields = tools.audit
    panel.start_on(
        [fields.run.click],
        partial(_start_audit, workshop, form, tools),
        [form["model"], form["steps"], fields.prompts, fields.count, fields.seeds],
    )


def _start(
    workshop: Workshop,
    form: Form,
    views: PaddingTokensViews,
    measure: Measurement,
    visitor: Visitor,
    inputs: Mapping[Any, Any],
) -> Start:
    """Start a measurement of the prompt."""
    values = form.read(inputs)
    prompt_order = order.read(workshop, values, inputs[views.chosen_rows])
    folder = workshop.folders.of(visitor.name, "padding")

    def work(pipe: Any, job: PageJob) -> Any:
        return measure(pipe, prompt_order, folder, job)

    return Start(submit(workshop, visitor, work, prompt_order.model, folder), order.link(values))


def _arms(pipe: Any, prompt_order: PromptOrder, folder: Path, job: PageJob) -> Any:
    return both_interventions(
        pipe,
        prompt_order.prompt,
        prompt_order.arms,
        seed=prompt_order.seed,
        steps=prompt_order.steps,
        folder=folder,
        job=job,
        model=prompt_order.model,
    )


def _curve(pipe: Any, prompt_order: PromptOrder, folder: Path, job: PageJob) -> Any:
    return curve(pipe, prompt_order.prompt, seed=prompt_order.seed, steps=prompt_order.steps, job=job)


def _attention(pipe: Any, prompt_order: PromptOrder, folder: Path, job: PageJob) -> Any:
    return attention(pipe, prompt_order.prompt, seed=prompt_order.seed, steps=prompt_order.steps, job=job)


def _start_audit(
    workshop: Workshop, form: Form, tools: PaddingTokensTools, visitor: Visitor, inputs: Mapping[Any, Any]
) -> Start:
    """Start an audit; it has no link."""
    fields = tools.audit
    audit_order = order.read_audit(
        workshop,
        inputs[form["model"]],
        inputs[form["steps"]],
        inputs[fields.prompts],
        inputs[fields.count],
        inputs[fields.seeds],
    )
    return Start(submit_audit(workshop, visitor, audit_order))


def submit_audit(workshop: Workshop, visitor: Visitor, audit_order: AuditOrder) -> PageJob:
    """Queue an audit.

    Raises:
        ValueError: the queue is full, or the visitor's last one is not finished.
    """
    folder = workshop.folders.of(visitor.name, "audits")

    def work(pipe: Any, job: PageJob) -> AuditResult:
        return audit(
            pipe,
            audit_order.prompts,
            seeds=audit_order.seeds,
            steps=audit_order.steps,
            folder=folder,
            job=job,
            model=audit_order.model,
        )

    return submit(workshop, visitor, work, audit_order.model, folder)
