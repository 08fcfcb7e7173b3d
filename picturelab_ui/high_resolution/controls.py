"""The first tab's controls, before anything is wired to them."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from fouriscale import preset_names
from fouriscale.presets import preset_notes

from .. import watch
from ..workshop import Workshop
from . import order
from .order import AUTO, BOTH, SAMPLINGS
from .settings import setting_sentences

RATIOS = {"1:1": (1, 1), "3:2": (3, 2), "16:9": (16, 9), "9:16": (9, 16), "21:9": (21, 9)}
FREE = "free"
COMPARED = "Direct (left), FouriScale (right)"


def inputs(workshop: Workshop, usual: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    made: dict[str, Any] = {}
    size: dict[str, Any] = {}
    host = workshop.host
    gr.Markdown(
        "Beyond the size that a model was trained at, it draws its objects twice and breaks them. **FouriScale** has "
        "its convolutions look as far apart as they did at that size, and filters out what they can't know, in the "
        "first part of the run. Generate draws both ways from the same noise."
    )
    made["prompt"] = gr.Textbox(usual["prompt"], label="Prompt", lines=2, elem_id="hires-prompt")
    size["unknown"] = gr.HTML(visible=False)
    size["ratio"] = gr.Radio(
        [*RATIOS, FREE], value="1:1", label="Aspect ratio, width to height", elem_classes="chips"
    )
    size["scale"] = gr.Slider(
        1, 4, 2, step=0.25, label="Scale", info="times the training size, on each side", elem_id="hires-scale"
    )
    _bound(size["scale"])
    with gr.Row():
        made["width"] = gr.Number(
            usual["width"], label="Width", info="pixels", precision=0, step=8, min_width=100
        )
        made["height"] = gr.Number(
            usual["height"], label="Height", info="pixels", precision=0, step=8, min_width=100
        )
    with gr.Row(elem_classes="seed"):
        made["seed"] = gr.Number(usual["seed"], label="Seed", precision=0, min_width=110, scale=2)
        size["dice"] = gr.Button("Dice", size="sm", min_width=70, scale=1)
        size["reuse"] = gr.Button("Reuse", size="sm", min_width=70, scale=1)
    with gr.Row():
        size["go"] = gr.Button("Generate", variant="primary", elem_id="hires-generate", min_width=120)
        size["stop"] = gr.Button(
            "Cancel", variant="stop", interactive=False, elem_id="hires-cancel", min_width=120
        )
    with gr.Accordion("Model and sampling", open=False):
        made["model"] = gr.Dropdown(
            workshop.models(),
            value=usual["model"],
            label="Model",
            info="a hub id or a folder works too" if host.any_model else "what this page has",
            allow_custom_value=host.any_model,
        )
        made["negative"] = gr.Textbox(label="Negative prompt", info="what not to draw")
        with gr.Row():
            made["steps"] = gr.Number(usual["steps"], label="Steps", precision=0, min_width=100)
            made["guidance"] = gr.Number(
                usual["guidance"], label="Guidance", info="1 and below: none", min_width=100, step=0.5
            )
        made["sampling"] = gr.Radio(list(SAMPLINGS), value=usual["sampling"], label="Sampling")
    with gr.Accordion("Presets", open=False):
        made["preset"] = gr.Radio([AUTO, *preset_names()], value=AUTO, label="Preset", elem_classes="chips")
        size["notes"] = gr.HTML(notes(AUTO))
    with gr.Accordion("Every setting", open=False):
        for name, sentence in setting_sentences().items():
            made[name] = _setting(name, sentence, usual[name])
    examples = [
        [order.PROMPT, 256, 256, order.SEED, 25, 4.0, BOTH],
        ["a green triangle left of a yellow square on a black background", 384, 256, 1, 25, 4.0, BOTH],
        ["a small purple square on a white background", 512, 512, 2, 12, 4.0, BOTH],
    ]
    names = ("prompt", "width", "height", "seed", "steps", "guidance", "sampling")
    for name, field in made.items():
        field.elem_id = f"hires-{name}"  # `links.after_click` says there what is wrong
    gr.Examples(
        examples,
        [made[name] for name in names],
        example_labels=[f"{e[0]}, {e[1]} x {e[2]}" for e in examples],
        api_visibility="private",
    )
    return made, size


def _bound(slider: gr.Slider) -> None:
    """Have a typed number beyond an end mean that end; Gradio answers with an error of its own."""
    usual = slider.preprocess
    slider.preprocess = lambda value: usual(min(max(value, slider.minimum), slider.maximum))


_ONE_A_LINE = " One a line."
_WRITTEN = {
    "training_sizes": " Here as WIDTHxHEIGHT, one a line.",
    "layers": _ONE_A_LINE,
    "unfiltered": _ONE_A_LINE,
}


def _setting(name: str, sentence: str, value: Any) -> gr.components.Component:
    """A control for one field of the config, by the kind of its value."""
    said: dict[str, Any] = dict(
        label=name, info=sentence.replace("None takes", "empty takes") + _WRITTEN.get(name, "")
    )
    if isinstance(value, bool):
        return gr.Checkbox(value, **said)
    if name in order.OFFERED:
        return gr.Dropdown(list(order.OFFERED[name]), value=value, **said)
    if isinstance(value, str):
        return gr.Textbox(value, lines=min(5, 1 + value.count("\n")), max_lines=8, **said)
    return gr.Number(value, step=1 if isinstance(value, int) else 0.05, **said)


def outputs() -> dict[str, Any]:
    made: dict[str, Any] = {"seen": gr.State(("", 0)), "files": gr.State([]), "shown": gr.State(0)}
    made["timer"] = gr.Timer(watch.POLL, active=False)
    with gr.Accordion("What will be done", open=True):
        made["plan"] = gr.HTML('<p class="soft">working it out</p>', elem_id="hires-plan")
    made["status"] = gr.HTML("", elem_id="hires-status")
    made["slider"] = gr.ImageSlider(
        label=COMPARED, type="filepath", format="png",
        interactive=False, elem_id="hires-slider", max_height=640,
    )  # fmt: skip
    made["image"] = gr.Image(
        label="Picture", type="filepath", format="png", interactive=False, visible=False, elem_id="hires-image",
        alt_text="the picture made last",
    )  # fmt: skip
    made["previews"] = gr.Gallery(
        label="Previews", columns=5, height="auto", allow_preview=False, visible=False, elem_id="hires-previews",
        format="png", interactive=False,
    )  # fmt: skip
    with gr.Row():
        made["save_scaled"] = gr.DownloadButton("Download FouriScale", visible=False, size="sm")
        made["save_direct"] = gr.DownloadButton("Download direct", visible=False, size="sm")
    made["link"] = gr.HTML("", elem_id="hires-link")
    with gr.Accordion("Spectrum: how it works, on this picture", open=False):
        made["spectrum"] = gr.HTML('<p class="soft">Generate a picture with FouriScale first.</p>')
    made["gallery"] = gr.Gallery(
        label="Your pictures: a click restores their settings",
        columns=5,
        height="auto",
        object_fit="contain",
        fit_columns=False,
        allow_preview=False,
        elem_id="hires-gallery",
        format="png",
        interactive=False,
    )
    made["recipe"] = gr.File(
        label="Load recipe from image",
        file_types=[".png"],
        type="filepath",
        height=120,
        elem_id="hires-recipe",
    )
    made["said"] = gr.HTML("", elem_id="hires-said")
    return made


def notes(preset: str) -> str:
    """What a preset says of itself, as HTML."""
    if preset == AUTO:
        return '<p class="soft">The preset of the model\'s family, with layers of its own where its blocks differ.</p>'
    said = preset_notes(preset)
    return f"<p>{escape(said['description'])}</p><p class='soft'>Checked with: {escape(said['checked_with'])}</p>"
