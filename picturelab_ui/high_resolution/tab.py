"""The tab "High resolution": direct sampling beside FouriScale, and what is done before it is done."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import partial
from typing import Any

import gradio as gr

from ..events import AT_ONCE, QUIET, News, answer
from ..forms import Form
from ..jobs.files import SCALED, pair
from ..jobs.high_resolution import SamplingResult, sample
from ..jobs.page_job import PageJob
from ..panel import JobPanel, Look, Start
from ..prompts import unknown_words
from ..visitors import Visitor
from ..workshop import Workshop
from . import beside, controls, order, own_pictures, restore, sizes
from .config_fields import SETTINGS, to_fields
from .controls import HighResolutionTools
from .method import choose as choose_method
from .method import method_of
from .plan import foretold, plan
from .views import (
    HighResolutionViews,
    show_example,
    show_frame,
    show_gallery,
    show_pictures,
    show_previews,
    show_result,
    show_unfinished,
)
from .views import place as place_views

KIND = "picture"
_SEEDS = 2**31  # that are drawn from: more can be typed
# What the plan depends on beside the cascade and the settings.
_DECISIVE = ("model", "width", "height", "steps", "sampling", "count", "start_image", "mask", "strength")


def build(workshop: Workshop, owner: gr.BrowserState, named: Any) -> None:
    """The tab's controls and what they do; `named` is the event after which the browser has a name."""
    panel = JobPanel(workshop, owner, KIND, "hires")
    usual, form = order.start(workshop), Form("hires")
    with gr.Row(elem_id="hires-tab"):  # on a phone what is asked comes first, the picture next
        with gr.Column(elem_classes="asked"):
            request = controls.place_request(form, usual, panel)
        with gr.Column(elem_classes="pictures"):
            views = place_views(panel)
        with gr.Column(elem_classes="settings"):
            tools = controls.place_settings(form, usual, request, workshop)
    sizes.wire(form, tools)
    tools.dice.click(lambda: random.randrange(_SEEDS), None, form["seed"], **AT_ONCE)
    _follow_choices(workshop, form, tools)
    _follow_method(workshop, form, tools)
    _follow_plan(workshop, form, tools, views)
    panel.start_on(
        [request.generate.click, form["prompt"].submit],
        partial(start, workshop, form, tools, views),
        [*form.values(), tools.anew],
        [views.previews, form["seed"]],
    )
    opened = panel.follow(named, partial(show, workshop, views), views.of_a_job)
    own_pictures.wire(workshop, owner, views)
    restore.wire(workshop, form, tools, views)
    restore.on_opening(workshop, form, views, opened)


def submit(workshop: Workshop, visitor: Visitor, values: Mapping[str, Any]) -> PageJob:
    """Queue an order.

    Raises:
        ValueError: a value is wrong, or the queue is full.
    """
    picture_order = order.read(workshop, values)
    folder = workshop.folders.of(visitor.name, "pictures")
    explanation = foretold(workshop, picture_order)

    def work(job: PageJob) -> SamplingResult:
        beside.inputs_of(values)  # whose remarks, such as on a mask, are the visitor's
        job.report(0, 0, f"loading {picture_order.model}")
        result = sample(workshop.models.pipeline(picture_order.model), picture_order, folder=folder, job=job)
        last = result.pictures[-1]  # the first one also pays for what happens once
        workshop.speed.learn(explanation, picture_order.model, last.seconds, last.method == SCALED)
        return result

    return workshop.submit(work, visitor, KIND, folder, picture_order.model)


def start(
    workshop: Workshop,
    form: Form,
    tools: HighResolutionTools,
    views: HighResolutionViews,
    visitor: Visitor,
    inputs: Mapping[Any, Any],
) -> Start:
    """What Generate does."""
    values = form.read(inputs)
    if inputs[tools.anew]:
        values["seed"] = random.randrange(_SEEDS)
    job = submit(workshop, visitor, values)
    hidden = gr.Gallery(visible=False)  # of the run before
    news = {views.previews: hidden, form["seed"]: values["seed"]}
    return Start(job, order.link(workshop, values), news)


def show(workshop: Workshop, views: HighResolutionViews, look: Look) -> News:
    """News of the browser's job: previews on the way, then the pictures."""
    job, news = look.job, News()
    ended = job is None or job.finished
    if look.opening or ended:
        files = workshop.folders.pictures(look.owner)
        news |= show_gallery(views, files)
        if job and job.state == "done" and isinstance(job.result, SamplingResult):
            news |= show_result(views, job.result)
        elif look.opening:
            news |= show_pictures(views, *pair(files[0])) if files else show_example(views)
        news |= show_frame(views)  # with what was in it before a run that was cancelled
    if job and (job.id, len(job.previews)) != (look.seen.job, look.seen.previews):
        news |= show_previews(views, job.previews)
        if not ended and job.previews:
            news |= show_unfinished(views, *job.previews[-1])
    return news


def _follow_choices(workshop: Workshop, form: Form, tools: HighResolutionTools) -> None:
    """Model and preset fill the fields below them."""
    model, preset, prompt = form["model"], form["preset"], form["prompt"]

    def choose(name: str, preset_name: str) -> News:
        notes = {tools.notes: controls.notes(preset_name)}
        try:
            workshop.models.check(name)
            config = order.config_for_choice(workshop, name, preset_name)
        except ValueError:  # the plan says what is wrong
            return notes
        return notes | form.fill(to_fields(config)) | tools.for_denoiser(config.DENOISER)

    def usual(name: str) -> Any:
        try:
            workshop.models.check(name)
            return workshop.models.usual_settings(name)
        except ValueError:  # the plan says what is wrong
            return gr.skip()

    parts = tools.by_denoiser
    filled = [tools.notes, *parts, *[form[name] for name in SETTINGS]]
    gr.on([model.input, preset.input], choose, [model, preset], filled, **QUIET)
    model.input(usual, model, [form["steps"], form["guidance"]], **QUIET)
    # Also where a recipe, a link or the gallery has named another model.
    model.change(
        lambda name: tools.for_denoiser(order.denoiser_of(workshop, {"model": name})), model, parts, **QUIET
    )
    gr.on([model.change, prompt.change], unknown_words, [model, prompt], tools.request.unknown, **AT_ONCE)


def _follow_method(workshop: Workshop, form: Form, tools: HighResolutionTools) -> None:
    """The method fills the fields below."""

    def chosen(inputs: Mapping[Any, Any]) -> Any:
        try:
            return answer(form.fill(choose_method(workshop, form.read(inputs), inputs[tools.method])))
        except ValueError:  # the plan says what is wrong
            return gr.skip()

    written = [form[name] for name in ("preset", "sampling", *SETTINGS)]
    tools.method.input(chosen, {*form.values(), tools.method}, written, **QUIET)


def _follow_plan(
    workshop: Workshop, form: Form, tools: HighResolutionTools, views: HighResolutionViews
) -> None:
    """The plan follows everything that it depends on, and the method what it stands for."""
    decisive = [form[name] for name in (*_DECISIVE, *order.CASCADE, *SETTINGS)]

    def follow(inputs: Mapping[Any, Any]) -> News:
        values = form.read(inputs)
        return {views.plan: plan(workshop, values), tools.method: method_of(workshop, values)}

    gr.on(
        [one.change for one in (*decisive, views.gallery)],  # a new picture tells how fast this machine is
        follow,
        set(form.values()),
        [views.plan, tools.method],
        trigger_mode="always_last",
        concurrency_limit=2,
        **QUIET,
    )
