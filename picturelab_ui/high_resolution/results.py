"""What the first tab says before a run and shows after it."""

from __future__ import annotations

import contextlib
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from fouriscale.reports.explain import sentences
from fouriscale.sampling.recipe import Recipe
from fouriscale.sampling.recipe import read as read_recipe

from ..jobs.high_resolution import DIRECT, SCALED, SamplingResult
from ..jobs.spectrum import spectrum_chart
from ..workshop import Workshop
from . import controls, order


def plan(workshop: Workshop, values: dict[str, Any]) -> str:
    """HTML: what would be done for the page's values, or what is wrong with them."""
    wrong = order.problems(workshop, values | {"prompt": "-"})
    if wrong:
        return f'<p class="wrong" role="alert">{escape("; ".join(wrong.values()))}.</p>'
    asked = order.read(workshop, values | {"prompt": "-"})
    try:
        told = workshop.explain(asked.model, asked.height, asked.width, asked.steps, asked.config)
    except ValueError as error:
        return f'<p class="wrong" role="alert">{escape(str(error))}.</p>'
    lines = [line.partition(": ") for line in sentences(told)]
    rows = [(subject, said) for subject, _, said in lines]
    with contextlib.suppress(ValueError):  # a model that no preset fits has a preset chosen for it
        own = workshop.config(asked.model).training_sizes
        if asked.config.training_sizes != own:
            listed = ", ".join(f"{w}x{h}" for h, w in own[:3])
            rows.insert(2, ("mind", f"these are not this model's own training sizes ({listed})"))
    times = [workshop.seconds(told, asked.model, method == SCALED) for method in asked.methods]
    known = [seconds for seconds in times if seconds is not None]
    about = f"about {sum(known):.0f} s here" if known else "known after the first picture"
    rows.append(("time", f"{about}, for {'both pictures' if len(times) == 2 else 'the picture'}"))
    decoding = workshop.decoder_bytes(asked.model, asked.height, asked.width)
    if decoding is not None:
        rows.append(
            ("decoding", f"about {decoding / 1e9:.2f} GB at its peak; in tiles where that does not fit")
        )
    cells = "".join(f"<tr><th scope='row'>{escape(a)}</th><td>{escape(b)}</td></tr>" for a, b in rows)
    return f'<table class="plan">{cells}</table>'


def results(result: SamplingResult) -> dict[str, Any]:
    """What a finished job changes on the page."""
    news = pictures(result.path(SCALED), result.path(DIRECT))
    if result.activity is not None:
        scaled = next(one for one in result.made if one.method == SCALED)
        recipe = Recipe.parse(read_recipe(scaled.path))
        config = order.FouriScaleConfig.from_dict(recipe.config or {})
        runs = {one.method: one.powers for one in result.made}
        chart = spectrum_chart(result.activity, config, runs)
        news["spectrum"] = (
            f'<img class="chart" src="{chart}" alt="Low-pass windows, spectra of the latents along the run, '
            'dilation by step, and what each layer did">' + _SPECTRUM_TEXT
        )
    return news


_SPECTRUM_TEXT = """<p class="soft">Top left: what each layer's filter lets through before its dilated convolution.
Top right: how much of each frequency the unfinished picture holds, from the first step (dark) to the last (light);
dashed is direct sampling. Dotted in the first are the windows of the guidance branch, where there is one. Below: the
dilation falls step by step, and a layer is filtered while its window cuts
anything off.</p>"""


def pictures(scaled: Path | None, direct: Path | None) -> dict[str, Any]:
    """Both in the slider, or the only one as a picture; with their downloads."""
    both = scaled is not None and direct is not None
    only = scaled or direct
    about = f": seed {_seed(only)}" if only else ""
    return {
        "slider": gr.ImageSlider((str(direct), str(scaled)), visible=True, label=controls.COMPARED + about)
        if both
        else gr.ImageSlider(visible=False),
        "image": gr.Image(visible=False)
        if both
        else gr.Image(str(only), visible=True, label=f"Picture{about}"),
        "save_scaled": gr.DownloadButton(value=str(scaled) if scaled else None, visible=scaled is not None),
        "save_direct": gr.DownloadButton(value=str(direct) if direct else None, visible=direct is not None),
    }


def caption(path: Path) -> str:
    """Of a picture in the gallery."""
    return f"{'direct' if path.stem.endswith('-direct') else 'FouriScale'}, seed {_seed(path)}"


def _seed(path: Path) -> str:
    return path.stem.rsplit("-", 3)[-3]


def pair(path: Path) -> tuple[Path | None, Path | None]:
    """The FouriScale picture and the direct one of a job, from either."""
    stem = path.stem.rpartition("-")[0]
    scaled, direct = (path.with_name(f"{stem}-{method.lower()}.png") for method in (SCALED, DIRECT))
    return (scaled if scaled.is_file() else None, direct if direct.is_file() else None)
