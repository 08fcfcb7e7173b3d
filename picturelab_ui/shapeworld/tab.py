"""The tab "Shapeworld": scenes with known truth, what the checker saw in each picture, and the score so far."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import partial
from typing import Any

import gradio as gr

from .. import links
from ..events import AT_ONCE, QUIET, News, answer
from ..forms import Form
from ..panel import JobPanel, Look, Start
from ..visitors import Visitor, visitor_of
from ..workshop import Workshop
from . import controls, order
from .controls import ShapeworldTools
from .order import KIND, SIZES, TAB, scene_of
from .views import ShapeworldViews, scoreboard, show_result, show_scene
from .views import place as place_views


def build(workshop: Workshop, owner: gr.BrowserState, named: Any) -> None:
    """The tab's controls and what they do; `named` is the event after which the browser has a name."""
    panel = JobPanel(workshop, owner, KIND, "world")
    with gr.Row():
        with gr.Column(scale=2, min_width=320):
            form, tools = controls.place(panel)
        with gr.Column(scale=3, min_width=320):
            views = place_views(panel)
    _follow_scene(form, tools)
    panel.start_on(
        [tools.generate.click], partial(start, workshop, form, views), form.values(), views.of_a_picture
    )
    views.clear.click(partial(_clear, workshop), owner, views.scoreboard, **AT_ONCE)
    opened = panel.follow(named, partial(show, workshop, views), [*views.of_a_picture, views.scoreboard])

    def from_link(request: gr.Request) -> News:
        query, usual = dict(request.query_params), form.first_values()
        return form.fill(links.reopened(TAB, query, usual, partial(order.problems, workshop)))

    opened.then(from_link, None, [*form.values()], **QUIET)


def start(
    workshop: Workshop, form: Form, views: ShapeworldViews, visitor: Visitor, inputs: Mapping[Any, Any]
) -> Start:
    """What Generate does: the truth is shown at once."""
    values = form.read(inputs)
    job = order.submit(workshop, visitor, values)
    news: News = {}
    for view in views.sampled.values():
        news |= view.clear()
    news |= show_scene(views, scene_of(values["number"], values["objects"]), SIZES[values["size"]])
    return Start(job, links.to_query(TAB, values), news)


def show(workshop: Workshop, views: ShapeworldViews, look: Look) -> News:
    """News of the browser's job: its pictures and the score, once it is done."""
    job, news = look.job, News()
    if job and job.state == "done":
        news |= show_result(views, job.result)
    if look.opening or (job and job.finished):
        news[views.scoreboard] = scoreboard(order.scores_of(workshop, look.owner))
    return news


def _follow_scene(form: Form, tools: ShapeworldTools) -> None:
    """The prompt is the scene's, by its number."""
    number, objects = form["number"], form["objects"]

    def caption(scene: float, count: str) -> Any:
        wrong = order.scene_problems(scene, count)
        return answer({} if wrong else {tools.prompt: scene_of(scene, count).caption})

    tools.dice.click(lambda: random.randrange(10**6), None, number, **AT_ONCE)
    gr.on([number.change, objects.change], caption, [number, objects], tools.prompt, **AT_ONCE)


def _clear(workshop: Workshop, owner: str) -> str:
    file = order.scores_of(workshop, visitor_of(None, owner).name)
    file.unlink(missing_ok=True)
    return scoreboard(file)
