"""A finished job of the second tab, as news for what it shows."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from padtone.reports.charts import attention_chart, keep_chart

from ..events import AT_ONCE, News, answer
from ..jobs.curve import Curve
from ..jobs.padding_tokens import ArmPictures, AttentionResult, AuditResult
from .order import CHOSEN
from .views import KeepViews, PaddingTokensViews

# The ids of the elements that show each kind of result.
SHOWN_IN: dict[type, str] = {
    ArmPictures: "pad-ite",
    Curve: "pad-curve",
    AttentionResult: "pad-attention",
    AuditResult: "pad-audit",
}


def show_result(views: PaddingTokensViews, result: Any) -> News:
    """What a result changes on the page."""
    if isinstance(result, ArmPictures):
        return _show_arms(views, result)
    if isinstance(result, Curve):
        return _show_curve(views.keep, result)
    if isinstance(result, AttentionResult):
        return {views.attention: _attention(result)}
    if isinstance(result, AuditResult):
        download = gr.DownloadButton(value=str(result.page), visible=True)
        return {views.audit: _report(result), views.save_audit: download}
    return {}


def follow_slider(keep: KeepViews) -> None:
    """The picture with the measured number of tokens nearest to the slider's."""

    def show(curve: Curve | None, tokens: float) -> Any:
        return answer({keep.pictures: _along_curve(curve, tokens)} if curve else {})

    keep.slider.change(
        show, [keep.measured, keep.slider], keep.pictures, trigger_mode="always_last", **AT_ONCE
    )


def _show_arms(views: PaddingTokensViews, result: ArmPictures) -> News:
    news: News = {}
    for command, pictures in result.pictures.items():
        news[views.pictures[command]] = [(image, _arm_name(arm)) for arm, image in pictures.items()]
        news[views.saves[command]] = gr.DownloadButton(value=str(result.grids[command]), visible=True)
    return news


def _show_curve(keep: KeepViews, curve: Curve) -> News:
    return {
        keep.box: gr.Column(visible=True),
        keep.chart: _curve(curve),
        keep.slider: gr.Slider(maximum=curve.padding, value=0),
        keep.pictures: _along_curve(curve, 0),
        keep.measured: curve,
    }


def _arm_name(arm: str) -> str:
    return CHOSEN if arm.startswith("[") else arm


def _curve(curve: Curve) -> str:
    chart = keep_chart(curve.rows(), curve.padding, curve.noise)
    return (
        "<h3>How many padding tokens are needed</h3>"
        f'<div class="scroll"><img class="chart" style="{_NARROW}" src="{chart}" '
        'alt="Likeness to the full picture and time per picture against the padding tokens kept"></div>'
        '<p class="soft">One prompt, two seeds; bars go from one seed to the other. Points below the dashed line '
        "differ from the full picture more than another seed would.</p>"
    )


def _along_curve(curve: Curve, tokens: float) -> list[tuple[Any, str]]:
    """The full picture, and the one with the measured number of tokens nearest to `tokens`."""
    measured = [k if k is not None else curve.padding for k in curve.keeps]
    place = min(range(len(measured)), key=lambda i: abs(measured[i] - tokens))
    likeness = sum(curve.likeness[place]) / len(curve.likeness[place])
    nearest = "" if measured[place] == tokens else ", the nearest to that"
    caption = f"{measured[place]} kept{nearest}: likeness {likeness:.2f}, {curve.seconds[place]:.2f} s"
    return [(curve.images[-1][0], f"all {curve.padding}"), (curve.images[place][0], caption)]


def _attention(shares: AttentionResult) -> str:
    groups = {group: {"layers": table} for group, table in shares.groups.items()}
    chart = attention_chart(groups, ("prompt", "padding"))
    alt = "Heat maps of the picture's attention to each part of the text, by layer and step"
    image = f'<div class="scroll"><img class="chart" style="{_NARROW}" src="{chart}" alt="{alt}"></div>'
    return f"<h3>Where the attention goes</h3>{image}{_ATTENTION_TEXT}"


_NARROW = "width: auto; min-width: 0; max-width: 100%"  # these drawings fit a telephone
_ATTENTION_TEXT = """<p class="soft">The share of the picture's attention that each part of the text gets, mean over
heads and pixels: layers from top to bottom, steps from left to right. A token that is looked at need not matter.</p>"""


def _report(result: AuditResult) -> str:
    page = escape(result.page.read_text(encoding="utf-8"), quote=True)
    verdict, reason = (escape(result.results[key]) for key in ("verdict", "reason"))
    return (
        f"<h3>Verdict: {verdict}</h3><p>{reason}</p>"
        f'<iframe class="report" title="Audit report" sandbox="" srcdoc="{page}"></iframe>'
    )
