"""What the third tab shows: the truth beside each sampling's picture, their judgements, and the score so far."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from html import escape
from pathlib import Path

import gradio as gr

from shapeworld import Report, Scene

from ..events import News
from ..jobs.files import DIRECT, SCALED
from ..panel import JobPanel
from .order import JudgedScene
from .outlines import enlarged
from .tally import load, tally


@dataclass(frozen=True)
class PictureViews:
    """A picture and what is said of it."""

    image: gr.Image
    text: gr.HTML

    def clear(self) -> News:
        return {self.image: None, self.text: ""}


@dataclass(frozen=True)
class ShapeworldViews:
    """What the third tab shows: the truth, {method: picture}, the scoreboard and the button that clears it."""

    truth: PictureViews
    sampled: dict[str, PictureViews]
    scoreboard: gr.HTML
    clear: gr.Button

    @property
    def of_a_picture(self) -> list[gr.components.Component]:
        """What a scene changes."""
        return [part for one in (self.truth, *self.sampled.values()) for part in (one.image, one.text)]


def place(panel: JobPanel) -> ShapeworldViews:
    """All of them, one below the other."""
    panel.place_status()
    panel.place_link()
    with gr.Row():
        truth = _place_picture("truth", "The truth")
        direct = _place_picture("direct", "Direct sampling")
        scaled = _place_picture("fouriscale", "FouriScale")
    board = gr.HTML("", elem_id="world-scores")
    clear = gr.Button("Clear the scoreboard", size="sm")
    return ShapeworldViews(truth, {DIRECT: direct, SCALED: scaled}, board, clear)


def _place_picture(name: str, label: str) -> PictureViews:
    with gr.Column(min_width=150):
        gr.Markdown(f"**{label}**")  # a label of its own would cover the picture
        image = gr.Image(
            label=label, show_label=False, interactive=False, format="png", min_width=140,
            elem_id=f"world-{name}", alt_text=label, buttons=["fullscreen"],
        )  # fmt: skip
        return PictureViews(image, gr.HTML(""))


def show_scene(views: ShapeworldViews, scene: Scene, size: tuple[int, int]) -> News:
    """The true picture at a size (height, width), and what it shows."""
    image, text = enlarged(scene.render(*size)), f"<p>{escape(scene.caption)}</p>"
    return {views.truth.image: image, views.truth.text: text}


def show_result(views: ShapeworldViews, result: JudgedScene) -> News:
    """The truth, and each picture with its judgement."""
    news = show_scene(views, result.scene, result.size)
    for method, (image, report) in result.pictures.items():
        news |= {views.sampled[method].image: image, views.sampled[method].text: verdict(report)}
    return news


def verdict(report: Report) -> str:
    """HTML: repeated or not, correct or not, and which objects are on it."""
    counts = Counter(
        f"{one.color} {'thing of no known shape' if one.shape == 'unknown' else one.shape}"
        for one in report.objects
    )
    objects = ", ".join(f"{count} x {name}" if count > 1 else name for name, count in counts.items())
    marks = "".join(
        f'<li class="{"good" if good else "bad"}">{text}</li>'
        for good, text in (
            (not report.repeated, "repeated" if report.repeated else "not repeated"),
            (report.correct, "correct" if report.correct else "not correct"),
        )
    )
    return (
        f'<ul class="verdict">{marks}</ul>'
        f'<p class="soft">Found {escape(objects or "nothing")} on {escape(report.background)}.</p>'
    )


def scoreboard(file: Path) -> str:
    """HTML: a browser's counts by size and sampling; `file`: of its scores."""
    rows = tally(load(file))
    if not rows:
        return '<p class="soft">The scoreboard fills as you generate.</p>'
    head = "".join(
        f"<th scope='col'>{name}</th>" for name in ("size", "sampling", "pictures", "repeated", "correct")
    )
    body = "".join("<tr>" + "".join(f"<td>{escape(str(v))}</td>" for v in row) + "</tr>" for row in rows)
    return f'<h3>Scoreboard</h3><table class="plan scores"><tr>{head}</tr>{body}</table>'
