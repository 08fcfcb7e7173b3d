"""What the second tab shows of a finished job."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from padtone.reports.charts import attention_chart, keep_chart

from ..jobs.curve import Curve
from ..jobs.padding_tokens import Arms, Attention, Audited
from .controls import CHOSEN

SHOWN_IN = {Arms: "pad-ite", Curve: "pad-curve", Attention: "pad-attention", Audited: "pad-audit"}


def shown(result: Any) -> dict[str, Any]:
    """What a result changes on the page."""
    if isinstance(result, Arms):
        news: dict[str, Any] = {}
        for command, pictures in result.pictures.items():
            news[command] = [(image, _arm_name(arm)) for arm, image in pictures.items()]
            news[f"save_{command}"] = gr.DownloadButton(value=str(result.grids[command]), visible=True)
        return news
    if isinstance(result, Curve):
        return {
            "curve_box": gr.Column(visible=True),
            "curve": _curve_text(result),
            "keep": gr.Slider(maximum=result.padding, value=0),
            "kept": kept_pictures(result, 0),
            "measured": result,
        }
    if isinstance(result, Attention):
        groups = {group: {"layers": table} for group, table in result.groups.items()}
        chart = attention_chart(groups, ("prompt", "padding"))
        alt = "Heat maps of the picture's attention to each part of the text, by layer and step"
        image = f'<div class="scroll"><img class="chart" src="{chart}" alt="{alt}"></div>'
        return {"attention": f"<h3>Where the attention goes</h3>{image}{_ATTENTION_TEXT}"}
    if isinstance(result, Audited):
        return {
            "audit": _report(result),
            "save_audit": gr.DownloadButton(value=str(result.page), visible=True),
        }
    return {}


_ATTENTION_TEXT = """<p class="soft">The share of the picture's attention that each part of the text gets, mean over
heads and pixels: layers from top to bottom, steps from left to right. A token that is looked at need not matter.</p>"""


def _arm_name(arm: Any) -> str:
    return CHOSEN if str(arm).startswith("[") else str(arm)


def _curve_text(result: Curve) -> str:
    chart = keep_chart(result.rows(), result.padding, result.noise)
    return (
        "<h3>How many padding tokens are needed</h3>"
        f'<div class="scroll"><img class="chart" src="{chart}" '
        'alt="Likeness to the full picture and time per picture against the padding tokens kept"></div>'
        '<p class="soft">One prompt, two seeds; bars go from one seed to the other. Points below the dashed line '
        "differ from the full picture more than another seed would.</p>"
    )


def kept_pictures(result: Curve, keep: float) -> list[tuple[Any, str]]:
    """The full picture, and the one with the measured number of tokens nearest to `keep`."""
    measured = [k if k is not None else result.padding for k in result.keeps]
    place = min(range(len(measured)), key=lambda i: abs(measured[i] - keep))
    likeness = sum(result.likeness[place]) / len(result.likeness[place])
    nearest = "" if measured[place] == keep else ", the nearest to that"
    caption = f"{measured[place]} kept{nearest}: likeness {likeness:.2f}, {result.seconds[place]:.2f} s"
    return [(result.images[-1][0], f"all {result.padding}"), (result.images[place][0], caption)]


def _report(result: Audited) -> str:
    found = result.results
    page = escape(result.page.read_text(encoding="utf-8"), quote=True)
    return (
        f"<h3>Verdict: {escape(found['verdict'])}</h3><p>{escape(found['reason'])}</p>"
        f'<iframe class="report" title="Audit report" sandbox="" srcdoc="{page}"></iframe>'
    )
