"""The second tab's controls, before anything is wired to them."""

from __future__ import annotations

from typing import Any

import gradio as gr

from padtone.audit.arms import FIFTHS

from .. import watch
from ..workshop import Workshop, usual_settings

CHOSEN = "chosen chips"
_EXAMPLES = (
    "a large red circle on a blue background",
    "a green triangle left of a yellow square on a black background",
)
ARMS = ("full", "prompt", "padding", "eos", "clean", *FIFTHS, CHOSEN)
_CLICKS = """element.addEventListener('click', event => {
  const chip = event.target.closest('button[data-row]');
  if (!chip) return;
  const on = chip.getAttribute('aria-pressed') !== 'true';
  element.querySelectorAll(`button[data-row="${chip.dataset.row}"]`).forEach(
    same => same.setAttribute('aria-pressed', on));
  const chosen = [...element.querySelectorAll('button[aria-pressed="true"]')];
  trigger('select', {rows: Object.fromEntries(chosen.map(one => [one.dataset.row, one.textContent]))});
});"""
MEANINGS = """A model pads every prompt to a fixed length. Each picture is drawn from a text put together from two: what
is named comes from your prompt, everything else from an empty text. *clean* is all empty, *eos* the end token,
*padding 1/5* the first fifth of the padding; *donor*, beside IDP, is the plain picture that the rows are taken from.
Where *padding* alone still shows your prompt, the padding carries it; where *prompt* looks unlike *full*, it matters.

**ITE** swaps what the text encoder hands over; **IDP** swaps inside the denoiser, at every block. They differ where the
denoiser changes the text (FLUX, SD 3, shapeworld/joint). A UNet only reads it, so there they look alike."""


def inputs(workshop: Workshop) -> tuple[dict[str, Any], dict[str, Any]]:
    models = workshop.models(with_unet=False)
    made: dict[str, Any] = {}
    tools: dict[str, Any] = {}
    made["prompt"] = gr.Textbox(_EXAMPLES[0], label="Prompt", lines=2)
    tools["unknown"] = gr.HTML(visible=False)
    made["arms"] = gr.CheckboxGroup(
        list(ARMS),
        value=["full", "prompt", "padding", "clean"],
        label="Keep from the prompt",
        info="one picture each; the rest comes from an empty text",
        elem_classes="chips",
    )
    with gr.Row(elem_classes="seed"):
        made["seed"] = gr.Number(0, label="Seed", precision=0, min_width=110, scale=2)
        tools["dice"] = gr.Button("Dice", size="sm", min_width=70, scale=1)
        made["steps"] = gr.Number(
            usual_settings(models[0])[0], label="Steps", precision=0, min_width=90, scale=1
        )
    with gr.Row():
        tools["go"] = gr.Button("Generate", variant="primary", min_width=120)
        tools["stop"] = gr.Button("Cancel", variant="stop", interactive=False, min_width=120)
    with gr.Row():
        tools["curve"] = gr.Button("How many are needed?", size="sm", min_width=150)
        tools["attention"] = gr.Button("Where does attention go?", size="sm", min_width=150)
    with gr.Accordion("Audit: are the padding tokens used?", open=False):
        tools["prompts"] = gr.Textbox(
            label="Prompts of the audit", info="one a line; empty takes some of our own", lines=4
        )
        with gr.Row():
            tools["count"] = gr.Number(
                8, label="Number of our prompts", info="a verdict needs 6", precision=0, min_width=100
            )
            tools["seeds"] = gr.Number(2, label="Seeds", info="2 or more", precision=0, min_width=100)
        tools["audit"] = gr.Button("Run audit", min_width=120)
    with gr.Accordion("Model", open=False):
        made["model"] = gr.Dropdown(
            models, value=models[0], label="Model", allow_custom_value=workshop.host.any_model
        )
    for name, field in made.items():
        field.elem_id = f"pad-{name}"  # `links.after_click` says there what is wrong
    gr.Examples([[e] for e in _EXAMPLES], [made["prompt"]], api_visibility="private")
    return made, tools


def outputs() -> dict[str, Any]:
    made: dict[str, Any] = {"seen": gr.State(("", 0)), "chosen": gr.State([]), "measured": gr.State(None)}
    made["timer"] = gr.Timer(watch.POLL, active=False)
    made["chips"] = gr.HTML(
        '<p class="soft">reading the tokens</p>',
        js_on_load=_CLICKS,
        elem_id="pad-chips",
        apply_default_css=False,
    )
    made["chosen_said"] = gr.HTML("")
    made["status"] = gr.HTML("", elem_id="pad-status")
    made["link"] = gr.HTML("", elem_id="pad-link")
    gr.Markdown(MEANINGS)
    strip: dict[str, Any] = dict(
        columns=4,
        height="auto",
        object_fit="contain",
        show_label=False,
        fit_columns=False,
        format="png",
        interactive=False,
    )
    gr.Markdown("**ITE**: swapped in the text encoding")  # a label of its own would cover the pictures
    made["ite"] = gr.Gallery(label="ITE: swapped in the text encoding", elem_id="pad-ite", **strip)
    gr.Markdown("**IDP**: swapped inside the denoiser")
    made["idp"] = gr.Gallery(label="IDP: swapped inside the denoiser", elem_id="pad-idp", **strip)
    with gr.Row():
        made["save_ite"] = gr.DownloadButton("Download ITE", visible=False, size="sm")
        made["save_idp"] = gr.DownloadButton("Download IDP", visible=False, size="sm")
    with gr.Column(visible=False) as made["curve_box"]:
        made["curve"] = gr.HTML("", elem_id="pad-curve")
        made["keep"] = gr.Slider(0, 1, 0, step=1, label="Padding tokens kept", elem_id="pad-keep")
        made["kept"] = gr.Gallery(
            label="All padding, and what was kept", elem_id="pad-kept", **(strip | {"columns": 2})
        )
    made["attention"] = gr.HTML("", elem_id="pad-attention")
    made["audit"] = gr.HTML("", elem_id="pad-audit")
    made["save_audit"] = gr.DownloadButton("Download the report", visible=False, size="sm")
    return made


# Pressed here rather than by drawing anew, which would fold the padding and lose the focus.
