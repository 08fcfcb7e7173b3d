"""What the first tab shows: plan, pictures, spectrum, gallery."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from fouriscale import FouriScaleConfig
from fouriscale.config_kinds import config_of
from fouriscale.maths.wrap import NOWHERE, Axes
from fouriscale.sampling.recipe import Recipe
from fouriscale.sampling.recipe import read as read_recipe
from fouriscale.sampling.wrapping import wrap_of

from ..events import News
from ..jobs.files import DIRECT, SCALED, method_of, seed_of
from ..jobs.high_resolution import SamplingResult
from ..panel import JobPanel
from .spectrum_chart import spectrum_chart
from .wrapped import AS_IT_IS, VIEWS

_COMPARED = "Direct | FouriScale"  # left and right; short enough for a phone
_EXAMPLES = Path(__file__).with_name("examples")  # what the page's first values draw
_PACK = "Download all as a zip"
_DELETE, _DELETE_BOTH = "Delete the shown picture", "Delete both shown pictures"
_TALLEST = 2000  # pixels: the frame's own height is in the style sheet
_HOW_IT_WORKS = (
    "Beyond the size that a model was trained at, it draws its objects twice and breaks them. In the first part of the "
    "run **FouriScale** shows its deep layers as much as they saw at that size, and leaves out what they can't know; "
    "to a transformer it shows positions that it has seen. Both ways are drawn from the same noise."
)


@dataclass(frozen=True)
class HighResolutionViews:
    """What the first tab shows.

    Attributes:
        files: the gallery's, in its order.
        shown: the files of the frame, FouriScale's first; none of an example.
        wrapped: how a picture that wraps is seen.
        delete, pack: buttons for the shown pictures and for all.
        archive: the download of all, which `pack` presses.
        own_remark: what came of these buttons and of a click in the gallery.
        plan: what will be done.
        frame: what holds the finished pictures.
        unfinished: a run's latest preview, in the frame's place.
        slider: both pictures.
        image: the only picture, where there is one.
        previews: of the run.
        save_scaled, save_direct: downloads.
        spectrum: the drawing.
        gallery: the browser's pictures.
        recipe: where a picture with a recipe is dropped.
        recipe_remark: what came of that.
    """

    files: gr.State
    shown: gr.State
    wrapped: gr.Radio
    delete: gr.Button
    pack: gr.Button
    archive: gr.DownloadButton
    own_remark: gr.HTML
    plan: gr.HTML
    frame: gr.Column
    unfinished: gr.Image
    slider: gr.ImageSlider
    image: gr.Image
    previews: gr.Gallery
    save_scaled: gr.DownloadButton
    save_direct: gr.DownloadButton
    spectrum: gr.HTML
    gallery: gr.Gallery
    recipe: gr.File
    recipe_remark: gr.HTML

    @property
    def pictures(self) -> list[Any]:
        """What `show_pictures` changes."""
        pictures = [self.frame, self.unfinished, self.slider, self.image, self.shown, self.wrapped]
        return [*pictures, self.save_scaled, self.save_direct, self.delete]

    @property
    def of_a_job(self) -> list[Any]:
        """What a job changes."""
        return [*self.pictures, self.previews, self.spectrum, self.gallery, self.files, self.pack]


def place(panel: JobPanel) -> HighResolutionViews:
    """All of them, one below the other: the frame first, so that a picture is in sight without scrolling."""
    looks: dict[str, Any] = dict(type="filepath", format="png", interactive=False, elem_classes="frame")
    looks["buttons"] = ["fullscreen", "download"]
    with gr.Column(elem_id="hires-frame") as frame:
        slider = gr.ImageSlider(label=_COMPARED, elem_id="hires-slider", max_height=_TALLEST, **looks)
        image = gr.Image(
            label="Picture", visible=False, elem_id="hires-image", alt_text="the picture made last", **looks
        )
    unfinished = gr.Image(
        label="Unfinished",
        visible=False,
        elem_id="hires-unfinished",
        alt_text="the unfinished picture",
        **looks,
    )
    panel.place_status()
    plan = gr.HTML('<p class="soft">working out what will be done</p>', elem_id="hires-plan")
    with gr.Row():
        save_scaled = gr.DownloadButton("Download FouriScale", visible=False, size="sm")
        save_direct = gr.DownloadButton("Download direct", visible=False, size="sm")
    wrapped = gr.Radio(
        VIEWS, value=AS_IT_IS, label="Seen", visible=False, elem_classes="chips", elem_id="hires-wrapped"
    )
    panel.place_link()
    gallery = gr.Gallery(
        label="Your pictures: a click shows one and restores its settings", columns=5, height="auto",
        object_fit="contain", fit_columns=False, allow_preview=False, elem_id="hires-gallery", format="png",
        interactive=False,
    )  # fmt: skip
    with gr.Row():
        pack = gr.Button(_PACK, visible=False, size="sm", min_width=120)
        delete = gr.Button(
            _DELETE, visible=False, size="sm", min_width=120, elem_id="hires-delete", elem_classes="confirmed"
        )
    archive = gr.DownloadButton("The zip", elem_id="hires-archive", elem_classes="unseen")
    own_remark = gr.HTML("", elem_id="hires-own")
    previews = gr.Gallery(
        label="On the way", columns=5, height="auto", allow_preview=False, visible=False, elem_id="hires-previews",
        format="png", interactive=False,
    )  # fmt: skip
    with gr.Accordion("Spectrum: how it works, on this picture", open=False):
        gr.Markdown(_HOW_IT_WORKS)
        spectrum = gr.HTML('<p class="soft">Generate a picture with FouriScale first.</p>')
    recipe = gr.File(
        label="Load recipe from image", file_types=[".png"], type="filepath", height=120, elem_id="hires-recipe"
    )  # fmt: skip
    recipe_remark = gr.HTML("", elem_id="hires-said")
    return HighResolutionViews(
        files=gr.State([]),
        shown=gr.State([]),
        wrapped=wrapped,
        delete=delete,
        pack=pack,
        archive=archive,
        own_remark=own_remark,
        plan=plan,
        frame=frame,
        unfinished=unfinished,
        slider=slider,
        image=image,
        previews=previews,
        save_scaled=save_scaled,
        save_direct=save_direct,
        spectrum=spectrum,
        gallery=gallery,
        recipe=recipe,
        recipe_remark=recipe_remark,
    )


def show_example(views: HighResolutionViews) -> News:
    """A pair of pictures for those who have none yet."""
    with Image.open(_EXAMPLES / "direct.png") as direct, Image.open(_EXAMPLES / "fouriscale.png") as scaled:
        pair = direct.convert("RGB"), scaled.convert("RGB")
    return {
        views.slider: gr.ImageSlider(pair, visible=True, label=f"Example: {_COMPARED}"),
        views.image: gr.Image(visible=False),
        views.save_scaled: _download(None),
        views.save_direct: _download(None),
        views.delete: gr.Button(visible=False),
        views.shown: [],
        views.wrapped: gr.Radio(visible=False),
    } | show_frame(views)


def show_previews(views: HighResolutionViews, previews: list[tuple[Any, str]]) -> News:
    """The last ones of a run, below the frame."""
    return {views.previews: gr.Gallery(previews[-10:], visible=bool(previews))}


def show_unfinished(views: HighResolutionViews, picture: Any, label: str) -> News:
    """A preview in the frame's place."""
    unfinished = gr.Image(picture, visible=True, label=f"Unfinished: {label}")
    return {views.unfinished: unfinished, views.frame: gr.Column(visible=False)}


def show_frame(views: HighResolutionViews) -> News:
    """The finished pictures again, whichever they are."""
    return {views.unfinished: gr.Image(visible=False), views.frame: gr.Column(visible=True)}


def show_result(views: HighResolutionViews, result: SamplingResult) -> News:
    """What a finished job changes."""
    news = show_pictures(views, result.path(SCALED), result.path(DIRECT))
    scaled = result.path(SCALED)
    if result.activity is None:
        news[views.spectrum] = f'<p class="soft">{_NO_SPECTRUM}</p>'
    elif scaled is not None:
        config = FouriScaleConfig.from_dict(Recipe.parse(read_recipe(scaled)).config or {})
        runs = {picture.method: picture.powers for picture in result.pictures}
        chart = spectrum_chart(result.activity, config, runs)
        alternative, text = _GRID_TEXT if config.deep else _SPECTRUM_TEXT
        news[views.spectrum] = (
            f'<img class="chart" src="{chart}" alt="{alternative}"><p class="soft">{text}</p>'
        )
    return news


_NO_SPECTRUM = "Nothing was filtered here: directly, or with a transformer, no map's frequencies are changed."
# The drawing in words, for those who don't see it and for those who do.
_SPECTRA = """Top right: how much of each frequency the unfinished picture holds, from the first step (dark) to the
last (light); dashed is direct sampling."""
_SPECTRUM_TEXT = (
    "Low-pass windows, spectra of the latents along the run, dilation by step, and what each layer did",
    f"""Top left: what each layer's filter lets through before its dilated convolution; dotted are the windows of the
guidance branch, where there is one. {_SPECTRA} Below: the dilation falls step by step, and a layer is filtered while
its window cuts anything off.""",
)
_GRID_TEXT = (
    "Low-pass windows of the deep grid, spectra of the latents along the run, by how much the grid is smaller, and "
    "which blocks ran on it",
    f"""Top left: what the deep blocks' maps keep of each frequency where they run on the smaller grid: what it can
hold; the blocks above keep everything. {_SPECTRA} Below: by how much the grid is smaller step by step, and which
blocks run on it.""",
)


def show_pictures(views: HighResolutionViews, scaled: Path | None, direct: Path | None) -> News:
    """Both in the slider, or the only one as a picture; with their downloads."""
    only = scaled or direct
    about = f", seed {seed_of(only)}" if only else ""
    if scaled is not None and direct is not None:
        slider = gr.ImageSlider((str(direct), str(scaled)), visible=True, label=_COMPARED + about)
        image = gr.Image(visible=False)
    else:
        slider = gr.ImageSlider(visible=False)
        image = gr.Image(str(only), visible=True, label=f"Picture{about}")
    return {
        views.slider: slider,
        views.image: image,
        views.save_scaled: _download(scaled),
        views.save_direct: _download(direct),
        views.delete: gr.Button(_DELETE_BOTH if scaled and direct else _DELETE, visible=True),
        views.shown: [str(file) for file in (scaled, direct) if file],
        views.wrapped: gr.Radio(value=AS_IT_IS, visible=scaled is not None and any(wrap_axes(scaled))),
    } | show_frame(views)


def wrap_axes(picture: Path) -> Axes:
    """On which axes a picture of ours wraps."""
    try:
        config = read_recipe(picture)["config"]
        return wrap_of(config_of(config)) if config else NOWHERE
    except (ValueError, TypeError, KeyError):  # no recipe: nothing is known
        return NOWHERE


def show_gallery(views: HighResolutionViews, files: list[Path]) -> News:
    """A browser's pictures, with captions."""
    captions = [(str(file), f"{method_of(file)}, seed {seed_of(file)}") for file in files]
    return {
        views.files: [str(file) for file in files],
        views.gallery: gr.Gallery(captions, selected_index=None),  # which would be another picture's now
        views.pack: gr.Button(visible=bool(files)),
    }


def _download(file: Path | None) -> gr.DownloadButton:
    return gr.DownloadButton(value=str(file) if file else None, visible=file is not None)
