"""The table "What will be done": a plan of the page's values before anything is run."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from html import escape
from typing import Any

from fouriscale import FouriScaleConfig
from fouriscale.reports.explain_model import AnyExplanation, explanation_sentences
from fouriscale.sampling.cascade import sentence as cascade_sentence

from ..jobs.files import SCALED
from ..jobs.high_resolution import PictureOrder
from ..workshop import Workshop
from . import order


def plan(workshop: Workshop, values: Mapping[str, Any]) -> str:
    """HTML: what would be done for the page's values, or what is wrong with them."""
    anything = {**values, "prompt": "-"}  # a plan depends on no prompt
    try:
        picture_order = order.read(workshop, anything)
        explanation = foretold(workshop, picture_order)
    except ValueError as error:
        return f'<p class="wrong" role="alert">{escape(str(error))}.</p>'
    rows = _rows(workshop, picture_order, explanation)
    asked, config = order.chosen_cascade(values), picture_order.config
    if asked is not None and picture_order.cascade is None and isinstance(config, FouriScaleConfig):
        size = picture_order.height, picture_order.width
        rows.insert(1, ("cascade", cascade_sentence(asked, config, *size, picture_order.steps)))
    cells = "".join(f"<tr><th scope='row'>{escape(a)}</th><td>{escape(b)}</td></tr>" for a, b in rows)
    return f'<table class="plan">{cells}</table>'


def foretold(workshop: Workshop, picture_order: PictureOrder) -> AnyExplanation:
    """What FouriScale would do for an order, and what it would cost.

    Raises:
        ValueError: see `explain`.
    """
    return workshop.models.explain(
        picture_order.model,
        picture_order.height,
        picture_order.width,
        picture_order.steps,
        picture_order.config,
        picture_order.cascade,
    )


def _rows(
    workshop: Workshop, picture_order: PictureOrder, explanation: AnyExplanation
) -> list[tuple[str, str]]:
    """(subject, sentence) of each row."""
    lines = [line.partition(": ") for line in explanation_sentences(explanation)]
    rows = [(subject, sentence) for subject, _, sentence in lines]
    with contextlib.suppress(ValueError):  # a model that no preset fits has a preset chosen for it
        own = workshop.models.config(picture_order.model).training_sizes
        if picture_order.config.training_sizes != own:
            listed = ", ".join(f"{w}x{h}" for h, w in own[:3])
            rows.insert(2, ("mind", f"these are not this model's own training sizes ({listed})"))
    model = picture_order.model
    times = [workshop.speed.seconds(explanation, model, method == SCALED) for method in picture_order.methods]
    known = [seconds for seconds in times if seconds is not None]
    about = f"about {sum(known):.0f} s here" if known else "known after the first picture"
    rows.append(("time", f"{about}, for {'both pictures' if len(times) == 2 else 'the picture'}"))
    decoding = workshop.models.decoder_bytes(model, picture_order.height, picture_order.width)
    if decoding is not None:
        peak = f"about {decoding / 1e9:.2f} GB at its peak"
        rows.append(("decoding", f"{peak}; in tiles where that does not fit"))
    return rows
