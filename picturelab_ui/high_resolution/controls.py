"""The first tab's fields and buttons, before anything is wired to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from fouriscale import FouriScaleConfig, PositionConfig, preset_names
from fouriscale.presets import TRANSFORMER, preset_notes
from fouriscale.sampling.cascade import UPSAMPLINGS

from ..forms import Form
from ..panel import JobPanel
from ..prompts import readable
from ..workshop import Workshop
from . import order
from .config_fields import OFFERED
from .order import AUTO, BOTH, SAMPLINGS

RATIOS = {"1:1": (1, 1), "3:2": (3, 2), "16:9": (16, 9), "9:16": (9, 16), "21:9": (21, 9)}
FREE = "free"
_EXAMPLES = ("prompt", "width", "height", "seed", "steps", "guidance", "sampling")
# What can be seen at these sizes with the toy model: width, height, seed, steps, guidance.
_SHAPE_EXAMPLES = ((256, 256, order.SEED, 25, 4.0), (384, 256, 1, 25, 4.0), (512, 512, 2, 12, 4.0))


@dataclass(frozen=True)
class HighResolutionTools:
    """What stands between the fields and is no field itself.

    Attributes:
        unknown: the remark on words that the model cannot read.
        ratio, scale: buttons and slider that write width and height.
        dice, reuse: buttons that write the seed.
        generate: the button.
        notes: what the preset says of itself.
        of_unets, of_transformers: the parts of the page that hold what is for one kind of model alone.
    """

    unknown: gr.HTML
    ratio: gr.Radio
    scale: gr.Slider
    dice: gr.Button
    reuse: gr.Button
    generate: gr.Button
    notes: gr.HTML
    of_unets: list[gr.blocks.BlockContext]
    of_transformers: list[gr.blocks.BlockContext]

    def for_denoiser(self, denoiser: str) -> dict[Any, Any]:
        """The news that show what is for this kind of denoiser, and hide what is for the other."""
        chosen = denoiser == TRANSFORMER
        shown = dict.fromkeys(self.of_transformers, chosen) | dict.fromkeys(self.of_unets, not chosen)
        return {part: gr.update(visible=visible) for part, visible in shown.items()}


def place(workshop: Workshop, usual: Mapping[str, Any], panel: JobPanel) -> tuple[Form, HighResolutionTools]:
    """All fields and buttons, one below the other; `usual` is what they begin with."""
    chosen = order.denoiser_of(workshop, usual) == TRANSFORMER
    form = Form("hires")
    gr.Markdown(
        "Beyond the size that a model was trained at, it draws its objects twice and breaks them. In the "
        "first part of the run **FouriScale** shows its deep layers as much as they saw at that size, and leaves out "
        "what they can't know; to a transformer it shows positions that it has seen. Generate draws both ways from the "
        "same noise."
    )
    form.add("prompt", gr.Textbox(usual["prompt"], label="Prompt", lines=2))
    unknown = gr.HTML(visible=False)
    ratio, scale = _size(form, usual)
    dice, reuse = _seed(form, usual)
    generate = panel.place_buttons()
    with gr.Accordion("Model and sampling", open=False):
        _sampling(form, usual, workshop)
    with gr.Accordion("Cascade", open=False, visible=not chosen) as cascade:
        _cascade(form, usual)
    with gr.Accordion("Presets", open=False):
        form.add(
            "preset", gr.Radio([AUTO, *preset_names()], value=AUTO, label="Preset", elem_classes="chips")
        )
        preset_text = gr.HTML(notes(AUTO))
    with gr.Accordion("Every setting", open=False):
        convolutions, positions = _settings(form, usual, chosen)
    _examples(form, usual)
    tools = HighResolutionTools(
        unknown, ratio, scale, dice, reuse, generate, preset_text, [cascade, convolutions], [positions]
    )
    return form, tools


def _size(form: Form, usual: Mapping[str, Any]) -> tuple[gr.Radio, gr.Slider]:
    ratio = gr.Radio(
        [*RATIOS, FREE], value="1:1", label="Aspect ratio, width to height", elem_classes="chips"
    )
    scale = gr.Slider(
        1, 4, 2, step=0.25, label="Scale", info="times the training size, on each side", elem_id="hires-scale"
    )
    _bound(scale)
    with gr.Row():
        for name in ("width", "height"):
            field = gr.Number(
                usual[name], label=name.capitalize(), info="pixels", precision=0, step=8, min_width=100
            )
            form.add(name, field)
    return ratio, scale


def _bound(slider: gr.Slider) -> None:
    """Have a typed number beyond an end mean that end; Gradio answers with an error of its own."""
    preprocess = slider.preprocess
    slider.preprocess = lambda value: preprocess(min(max(value, slider.minimum), slider.maximum))


def _seed(form: Form, usual: Mapping[str, Any]) -> tuple[gr.Button, gr.Button]:
    with gr.Row(elem_classes="seed"):
        form.add("seed", gr.Number(usual["seed"], label="Seed", precision=0, min_width=110, scale=2))
        dice = gr.Button("Dice", size="sm", min_width=70, scale=1)
        reuse = gr.Button("Reuse", size="sm", min_width=70, scale=1)
    return dice, reuse


def _sampling(form: Form, usual: Mapping[str, Any], workshop: Workshop) -> None:
    any_model = workshop.host.any_model
    model = gr.Dropdown(
        workshop.models.names(),
        value=usual["model"],
        label="Model",
        info="a hub id or a folder works too" if any_model else "what this page has",
        allow_custom_value=any_model,
    )
    form.add("model", model)
    form.add("negative", gr.Textbox(label="Negative prompt", info="what not to draw"))
    with gr.Row():
        form.add("steps", gr.Number(usual["steps"], label="Steps", precision=0, min_width=100))
        guidance = gr.Number(
            usual["guidance"], label="Guidance", info="1 and below: none", min_width=100, step=0.5
        )
        form.add("guidance", guidance)
    form.add("sampling", gr.Radio(list(SAMPLINGS), value=usual["sampling"], label="Sampling"))


def _cascade(form: Form, usual: Mapping[str, Any]) -> None:
    on = gr.Checkbox(
        usual["cascade"],
        label="Begin at the training size",
        info="FouriScale's picture is sampled directly at the training size, enlarged, noised again and finished at "
        "the size above, in the mode below; in the mode fast it is the quickest way to large pictures",
    )
    form.add("cascade", on)
    strength = gr.Slider(
        0.05,
        1,
        usual["cascade_strength"],
        step=0.05,
        label="Strength",
        info="how much of the run finishes it: less keeps more of the first picture, more draws more anew",
    )
    _bound(strength)
    form.add("cascade_strength", strength)
    form.add(
        "cascade_upsampling",
        gr.Radio(
            list(UPSAMPLINGS), value=usual["cascade_upsampling"], label="Enlarged as", elem_classes="chips"
        ),
    )


def _settings(form: Form, usual: Mapping[str, Any], transformer: bool) -> tuple[gr.Column, gr.Column]:
    """A control for every setting; the columns of those for UNets and of those for transformers."""
    of_unets, of_transformers = FouriScaleConfig.setting_docs(), PositionConfig.setting_docs()
    for name in of_unets.keys() & of_transformers.keys():
        form.add(name, _setting(name, of_unets[name], usual[name]))
    columns = []
    for docs, visible in ((of_unets, not transformer), (of_transformers, transformer)):
        with gr.Column(visible=visible) as column:
            for name in [name for name in docs if name not in form]:
                form.add(name, _setting(name, docs[name], usual[name]))
        columns.append(column)
    return columns[0], columns[1]


_ONE_A_LINE = " One a line."
_HOW_TO_WRITE = {
    "training_sizes": " Here as WIDTHxHEIGHT, one a line.",
    "layers": _ONE_A_LINE,
    "unfiltered": _ONE_A_LINE,
    "grid_phases": " Here as 0.5: 1, 0.8: 2, or one a line.",
}


def _setting(name: str, sentence: str, value: Any) -> gr.components.Component:
    """A control for one field of the config, by the kind of its value."""
    info = sentence.replace("None takes", "empty takes") + _HOW_TO_WRITE.get(name, "")
    texts: dict[str, Any] = dict(label=name, info=info)
    if isinstance(value, bool):
        return gr.Checkbox(value, **texts)
    if name in OFFERED:
        return gr.Dropdown(list(OFFERED[name]), value=value, **texts)
    if isinstance(value, str):
        return gr.Textbox(value, lines=min(5, 1 + value.count("\n")), max_lines=8, **texts)
    whole = isinstance(value, int) or name == "grid_level"
    return gr.Number(value, step=1 if whole else 0.05, **texts)


def _examples(form: Form, usual: Mapping[str, Any]) -> None:
    """Requests that fill the fields at a click: those of the toy world, or some at the model's usual settings."""
    prompts = readable(usual["model"], order.SHAPES)
    own = usual["width"], usual["height"], order.SEED, usual["steps"], usual["guidance"]
    settings = _SHAPE_EXAMPLES if prompts == order.SHAPES else [own] * len(prompts)
    examples = [[prompt, *row, BOTH] for prompt, row in zip(prompts, settings, strict=True)]
    gr.Examples(
        examples,
        [form[name] for name in _EXAMPLES],
        example_labels=[f"{prompt}, {width} x {height}" for prompt, width, height, *_ in examples],
        api_visibility="private",
    )


def notes(preset: str) -> str:
    """What a preset says of itself, as HTML."""
    if preset == AUTO:
        return '<p class="soft">The preset of the model\'s family, with layers of its own where its blocks differ.</p>'
    entry = preset_notes(preset)
    return f"<p>{escape(entry['description'])}</p><p class='soft'>Checked with: {escape(entry['checked_with'])}</p>"
