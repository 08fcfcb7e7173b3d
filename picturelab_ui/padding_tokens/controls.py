"""The second tab's fields and buttons, before anything is wired to them."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from ..forms import Form
from ..panel import JobPanel
from ..prompts import readable
from ..workshop import Workshop
from .order import ARMS

_SHAPES = (
    "a large red circle on a blue background",
    "a green triangle left of a yellow square on a black background",
)


@dataclass(frozen=True)
class AuditFields:
    """The audit's own fields, and the button that starts it."""

    prompts: gr.Textbox
    count: gr.Number
    seeds: gr.Number
    run: gr.Button


@dataclass(frozen=True)
class PaddingTokensTools:
    """What stands between the fields and is no field itself.

    Attributes:
        unknown: the remark on words that the model cannot read.
        dice: writes the seed.
        generate, curve, attention: buttons that start something.
        audit: the folded part of its own.
    """

    unknown: gr.HTML
    dice: gr.Button
    generate: gr.Button
    curve: gr.Button
    attention: gr.Button
    audit: AuditFields


def place(workshop: Workshop, panel: JobPanel) -> tuple[Form, PaddingTokensTools]:
    """All fields and buttons, one below the other."""
    form = Form("pad")
    models = workshop.models.names(for_fouriscale=False)
    prompts = readable(models[0], _SHAPES)
    form.add("prompt", gr.Textbox(prompts[0], label="Prompt", lines=2))
    unknown = gr.HTML(visible=False)
    arms = gr.CheckboxGroup(
        list(ARMS),
        value=["full", "prompt", "padding", "clean"],
        label="Keep from the prompt",
        info="one picture each; the rest comes from an empty text",
        elem_classes="chips",
    )
    form.add("arms", arms)
    with gr.Row(elem_classes="beside"):
        form.add("seed", gr.Number(0, label="Seed", precision=0, min_width=110, scale=2))
        dice = gr.Button("Dice", size="sm", min_width=70, scale=1)
        steps, _ = workshop.models.usual_settings(models[0])
        form.add("steps", gr.Number(steps, label="Steps", precision=0, min_width=90, scale=1))
    generate = panel.place_buttons()
    with gr.Row():
        curve = panel.place_starter("How many are needed?", size="sm", min_width=150)
        attention = panel.place_starter("Where does attention go?", size="sm", min_width=150)
    with gr.Accordion("Audit: are the padding tokens used?", open=False):
        audit = _place_audit(panel)
    with gr.Accordion("Model", open=False):
        any_model = workshop.host.any_model
        model = gr.Dropdown(models, value=models[0], label="Model", allow_custom_value=any_model)
        form.add("model", model)
    gr.Examples([[prompt] for prompt in prompts], [form["prompt"]], api_visibility="private")
    return form, PaddingTokensTools(unknown, dice, generate, curve, attention, audit)


def _place_audit(panel: JobPanel) -> AuditFields:
    prompts = gr.Textbox(
        label="Prompts of the audit", info="one a line; empty takes some of our own", lines=4
    )
    with gr.Row():
        count = gr.Number(
            8, label="Number of our prompts", info="a verdict needs 6", precision=0, min_width=100
        )
        seeds = gr.Number(2, label="Seeds", info="2 or more", precision=0, min_width=100)
    return AuditFields(prompts, count, seeds, panel.place_starter("Run audit", min_width=120))
