"""The fields for what goes into a picture beside the prompt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from ..forms import Form, bounded
from ..workshop import Workshop

_PICTURE: dict[str, Any] = dict(
    type="filepath", image_mode=None, sources=["upload"], height=180, buttons=["fullscreen"]
)


def place(form: Form, usual: Mapping[str, Any], workshop: Workshop, transformer: bool) -> gr.Column:
    """All of them, those for files of the host on one's own machine only; the column of those for UNets."""
    with gr.Row():
        form.add("start_image", gr.Image(label="Start from (PNG)", **_PICTURE))
        form.add("mask", gr.Image(label="Mask (PNG): white is drawn anew", **_PICTURE))
    strength = gr.Slider(
        0.05,
        1,
        usual["strength"],
        step=0.05,
        label="Strength",
        info="how much of the start picture is made anew",
    )
    form.add("strength", bounded(strength))
    own = not workshop.host.public
    with gr.Column(visible=own), gr.Column(visible=not transformer) as of_unets:
        loras = gr.Textbox(
            usual["loras"],
            label="LoRAs",
            info=".safetensors files, one a line, with @ and a scale where it is not 1: style.safetensors@0.8",
            lines=2,
        )
        form.add("loras", loras)
        control = gr.Textbox(
            usual["control"],
            label="ControlNet",
            info="a diffusers folder or a hub id; for models with a UNet",
        )
        form.add("control", control)
        with gr.Row():
            form.add("control_image", gr.Image(label="Its picture (PNG): edges, depth ...", **_PICTURE))
            scale = gr.Number(usual["control_scale"], label="Its scale", step=0.05, min_width=90)
            form.add("control_scale", scale)
    return of_unets
