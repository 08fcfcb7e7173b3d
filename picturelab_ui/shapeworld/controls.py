"""The third tab's fields and buttons, before anything is wired to them."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from shapeworld import SAMPLING

from ..forms import Form
from ..panel import JobPanel
from .order import OBJECTS, SIZES, scene_of


@dataclass(frozen=True)
class ShapeworldTools:
    """What stands between the fields and is no field itself: the scene's prompt, and the buttons."""

    prompt: gr.Textbox
    dice: gr.Button
    generate: gr.Button


def place(panel: JobPanel) -> tuple[Form, ShapeworldTools]:
    """All fields and buttons, one below the other."""
    form = Form("world")
    gr.Markdown(
        "A small world of coloured shapes. Every prompt has a true picture, so a checker can say whether a model drew "
        "what was asked, and whether it drew it more than once, as direct sampling often does beyond 128 x 128 px."
    )
    first = "one object"
    prompt = gr.Textbox(
        scene_of(1, first).caption,
        label="Prompt",
        info="the scene's, by its number",
        interactive=False,
        lines=2,
    )
    with gr.Row(elem_classes="beside"):
        form.add("number", gr.Number(1, label="Scene", precision=0, min_width=110, scale=2))
        dice = gr.Button("Dice", size="sm", min_width=70, scale=1)
    form.add("objects", gr.Radio(list(OBJECTS), value=first, label="Objects", elem_classes="chips"))
    size = gr.Radio(list(SIZES), value="256 x 256", label="Width x height, pixels", elem_classes="chips")
    form.add("size", size)
    with gr.Row():
        form.add("seed", gr.Number(1, label="Seed", precision=0, min_width=110))
        form.add("steps", gr.Number(SAMPLING["unet"].steps, label="Steps", precision=0, min_width=110))
    return form, ShapeworldTools(prompt, dice, panel.place_buttons())
