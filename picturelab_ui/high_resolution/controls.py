"""The first tab's fields and buttons, before anything is wired to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from fouriscale import preset_names
from fouriscale.presets import TRANSFORMER, preset_notes
from fouriscale.sampling.cascade import UPSAMPLINGS

from ..forms import Form, bounded
from ..panel import JobPanel
from ..prompts import readable
from ..workshop import Workshop
from . import beside, beside_controls, every_setting, order
from .method import explanation_for, method_of, methods_for
from .order import AUTO, BOTH, SAMPLINGS

RATIOS = {
    "1:1": (1, 1), "3:2": (3, 2), "4:3": (4, 3), "16:9": (16, 9), "21:9": (21, 9),
    "2:3": (2, 3), "3:4": (3, 4), "9:16": (9, 16),
}  # fmt: skip
FREE = "free"
# Not to be taken for the method's names.
_SAMPLINGS = [(name if name == BOTH else f"{name} only", name) for name in SAMPLINGS]
_EXAMPLES = ("prompt", "width", "height", "seed", "steps", "guidance", "sampling")
# What can be seen at these sizes with the toy model: width, height, seed, steps, guidance.
_SHAPE_EXAMPLES = ((256, 256, order.SEED, 25, 4.0), (384, 256, 1, 25, 4.0), (512, 512, 2, 12, 4.0))


@dataclass(frozen=True)
class Request:
    """What is asked first, above everything else.

    Attributes:
        unknown: the remark on words that the model cannot read.
        generate: the button.
    """

    unknown: gr.HTML
    generate: gr.Button


@dataclass(frozen=True)
class HighResolutionTools:
    """What stands between the fields and is no field itself.

    Attributes:
        request: what is asked first.
        method: the plain choice of how to sample, which writes settings.
        ratio, swap, scale: buttons and slider that write width and height.
        dice, reuse: buttons that write the seed.
        anew: whether each run writes another one.
        notes: what the preset says of itself.
        of_unets, of_transformers: the parts of the page that hold what is for one kind of model alone.
    """

    request: Request
    method: gr.Radio
    ratio: gr.Radio
    swap: gr.Button
    scale: gr.Slider
    dice: gr.Button
    reuse: gr.Button
    anew: gr.Checkbox
    notes: gr.HTML
    of_unets: list[gr.blocks.BlockContext]
    of_transformers: list[gr.blocks.BlockContext]

    @property
    def by_denoiser(self) -> list[Any]:
        """What `for_denoiser` changes."""
        return [*self.of_unets, *self.of_transformers, self.method]

    def for_denoiser(self, denoiser: str) -> dict[Any, Any]:
        """The news that show what is for this kind of denoiser, and hide what is for the other."""
        chosen = denoiser == TRANSFORMER
        shown = dict.fromkeys(self.of_transformers, chosen) | dict.fromkeys(self.of_unets, not chosen)
        news: dict[Any, Any] = {part: gr.update(visible=visible) for part, visible in shown.items()}
        return news | {self.method: gr.update(choices=methods_for(denoiser), info=explanation_for(denoiser))}


def place_request(form: Form, usual: Mapping[str, Any], panel: JobPanel) -> Request:
    """The prompt and the buttons: on a phone they stand above the picture."""
    form.add("prompt", gr.Textbox(usual["prompt"], label="Prompt", lines=2))
    unknown = gr.HTML(visible=False, elem_id="hires-unknown")
    generate = panel.place_buttons()
    return Request(unknown, generate)


def place_settings(
    form: Form, usual: Mapping[str, Any], request: Request, workshop: Workshop
) -> HighResolutionTools:
    """All other fields and buttons, one below the other; `usual` is what they begin with."""
    denoiser = order.denoiser_of(workshop, usual)
    chosen = denoiser == TRANSFORMER
    method = gr.Radio(
        methods_for(denoiser),
        value=method_of(workshop, usual),
        label="Method",
        info=explanation_for(denoiser),
        elem_classes="chips",
        elem_id="hires-method",
    )
    ratio, swap, scale = _size(form, usual)
    dice, reuse, anew = _seed(form, usual, workshop)
    with gr.Accordion("Model and sampling", open=False):
        _sampling(form, usual, workshop)
    with gr.Accordion("Start picture, LoRA, ControlNet", open=False):
        further = beside_controls.place(form, usual, workshop, chosen)
    with gr.Accordion("Cascade", open=False):
        _cascade(form, usual)
    with gr.Accordion("Presets", open=False):
        form.add(
            "preset", gr.Radio([AUTO, *preset_names()], value=AUTO, label="Preset", elem_classes="chips")
        )
        preset_text = gr.HTML(notes(AUTO))
    with gr.Accordion("Every setting", open=False):
        convolutions, positions = every_setting.place(form, usual, chosen)
    _examples(form, usual)
    return HighResolutionTools(
        request,
        method,
        ratio,
        swap,
        scale,
        dice,
        reuse,
        anew,
        preset_text,
        [further, convolutions],
        [positions],
    )


def _size(form: Form, usual: Mapping[str, Any]) -> tuple[gr.Radio, gr.Button, gr.Slider]:
    ratio = gr.Radio(
        [*RATIOS, FREE], value="1:1", label="Aspect ratio, width to height", elem_classes="chips"
    )
    scale = gr.Slider(
        1, 4, 2, step=0.25, label="Scale", info="times the training size, on each side", elem_id="hires-scale"
    )
    bounded(scale)
    with gr.Row(elem_classes="beside"):
        for name in ("width", "height"):
            field = gr.Number(
                usual[name], label=name.capitalize(), info="pixels", precision=0, step=8, min_width=100
            )
            form.add(name, field)
        swap = gr.Button("Swap", size="sm", min_width=70, scale=0)
    return ratio, swap, scale


def _seed(
    form: Form, usual: Mapping[str, Any], workshop: Workshop
) -> tuple[gr.Button, gr.Button, gr.Checkbox]:
    with gr.Row(elem_classes="beside"):
        form.add("seed", gr.Number(usual["seed"], label="Seed", precision=0, min_width=110, scale=2))
        dice = gr.Button("Dice", size="sm", min_width=70, scale=1)
        reuse = gr.Button("Reuse", size="sm", min_width=70, scale=1)
    with gr.Row():
        anew = gr.Checkbox(label="New each time", min_width=150, elem_id="hires-anew")
        count = gr.Number(
            usual["count"],
            label="Pictures",
            info=f"up to {workshop.host.max_pictures}: seed, seed + 1 ...",
            precision=0,
            min_width=110,
        )
        form.add("count", count)
    form.add(
        "sampling",
        gr.Radio(
            _SAMPLINGS,
            value=usual["sampling"],
            label="Which pictures",
            info="of each seed",
            elem_classes="chips",
        ),
    )
    return dice, reuse, anew


def _sampling(form: Form, usual: Mapping[str, Any], workshop: Workshop) -> None:
    any_model = workshop.host.any_model
    model = gr.Dropdown(
        workshop.models.names(),
        value=usual["model"],
        label="Model",
        info="or type a folder, a .safetensors file or a hub id" if any_model else "what this page has",
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
    form.add("sampler", gr.Dropdown(list(beside.SAMPLERS), value=usual["sampler"], label="Sampler"))


def _cascade(form: Form, usual: Mapping[str, Any]) -> None:
    on = gr.Checkbox(
        usual["cascade"],
        label="Begin at the training size",
        info="FouriScale's picture is sampled directly at the training size, enlarged, noised again and finished at "
        "the size above, by the method chosen; recommended, it is the quickest way to large pictures",
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
    form.add("cascade_strength", bounded(strength))
    form.add(
        "cascade_upsampling",
        gr.Radio(
            list(UPSAMPLINGS), value=usual["cascade_upsampling"], label="Enlarged as", elem_classes="chips"
        ),
    )


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
