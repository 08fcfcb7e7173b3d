"""What the second tab shows: tokens, pictures, the keep slider, attention, and the audit's report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ..panel import JobPanel

# Pressed here rather than by drawing anew, which would fold the padding and lose the focus.
_CLICKS = """element.addEventListener('click', event => {
  const chip = event.target.closest('button[data-row]');
  if (!chip) return;
  const on = chip.getAttribute('aria-pressed') !== 'true';
  element.querySelectorAll(`button[data-row="${chip.dataset.row}"]`).forEach(
    same => same.setAttribute('aria-pressed', on));
  const chosen = [...element.querySelectorAll('button[aria-pressed="true"]')];
  trigger('select', {rows: Object.fromEntries(chosen.map(one => [one.dataset.row, one.textContent]))});
});"""
_MEANINGS = """\
A model pads every prompt to a fixed length. Each picture is drawn from a text put together from two: what
is named comes from your prompt, everything else from an empty text. *clean* is all empty, *eos* the end token,
*padding 1/5* the first fifth of the padding; *donor*, beside IDP, is the plain picture that the rows are taken from.
Where *padding* alone still shows your prompt, the padding carries it; where *prompt* looks unlike *full*, it matters.

**ITE** swaps what the text encoder hands over; **IDP** swaps inside the denoiser, at every block. They differ where the
denoiser changes the text (FLUX, SD 3, shapeworld/joint). A UNet only reads it, so there they look alike."""
_STRIP: dict[str, Any] = dict(
    columns=4,
    height="auto",
    object_fit="contain",
    show_label=False,
    fit_columns=False,
    format="png",
    interactive=False,
)


@dataclass(frozen=True)
class KeepViews:
    """How many padding tokens are needed: the curve, and pictures along it.

    Attributes:
        box: around all of it, hidden until there is a curve.
        chart: likeness and time.
        slider: how many tokens are kept.
        pictures: the full one, and the one at the slider.
        measured: the `Curve`.
    """

    box: gr.Column
    chart: gr.HTML
    slider: gr.Slider
    pictures: gr.Gallery
    measured: gr.State


@dataclass(frozen=True)
class PaddingTokensViews:
    """What the second tab shows.

    Attributes:
        chosen_rows: text rows of the chosen chips.
        chips: the tokens.
        chosen_text: which of them are chosen, in words.
        pictures: {"ite" or "idp": its pictures}.
        saves: the same of the downloads.
        keep: the curve.
        attention: the heat maps.
        audit: the verdict and the report.
        save_audit: its download.
    """

    chosen_rows: gr.State
    chips: gr.HTML
    chosen_text: gr.HTML
    pictures: dict[str, gr.Gallery]
    saves: dict[str, gr.DownloadButton]
    keep: KeepViews
    attention: gr.HTML
    audit: gr.HTML
    save_audit: gr.DownloadButton

    @property
    def of_a_job(self) -> list[Any]:
        """What a job changes."""
        keep = self.keep
        return [
            *self.pictures.values(),
            *self.saves.values(),
            *(keep.box, keep.chart, keep.slider, keep.pictures, keep.measured),
            *(self.attention, self.audit, self.save_audit),
        ]


def place(panel: JobPanel) -> PaddingTokensViews:
    """All of them, one below the other."""
    chips = gr.HTML(
        '<p class="soft">reading the tokens</p>',
        js_on_load=_CLICKS,
        elem_id="pad-chips",
        apply_default_css=False,
    )
    chosen_text = gr.HTML("")
    panel.place_status()
    panel.place_link()
    gr.Markdown(_MEANINGS)
    pictures = {
        "ite": _place_strip("ite", "ITE", "swapped in the text encoding"),
        "idp": _place_strip("idp", "IDP", "swapped inside the denoiser"),
    }
    with gr.Row():
        saves = {
            command: gr.DownloadButton(f"Download {command.upper()}", visible=False, size="sm")
            for command in pictures
        }
    keep = _place_keep()
    attention = gr.HTML("", elem_id="pad-attention")
    audit = gr.HTML("", elem_id="pad-audit")
    save_audit = gr.DownloadButton("Download the report", visible=False, size="sm")
    return PaddingTokensViews(
        gr.State([]), chips, chosen_text, pictures, saves, keep, attention, audit, save_audit
    )


def _place_strip(command: str, name: str, what: str) -> gr.Gallery:
    gr.Markdown(f"**{name}**: {what}")  # a label of its own would cover the pictures
    return gr.Gallery(label=f"{name}: {what}", elem_id=f"pad-{command}", **_STRIP)


def _place_keep() -> KeepViews:
    with gr.Column(visible=False) as box:
        chart = gr.HTML("", elem_id="pad-curve")
        slider = gr.Slider(0, 1, 0, step=1, label="Padding tokens kept", elem_id="pad-keep")
        pictures = gr.Gallery(
            label="All padding, and what was kept", elem_id="pad-kept", **(_STRIP | {"columns": 2})
        )
    return KeepViews(box, chart, slider, pictures, gr.State(None))
