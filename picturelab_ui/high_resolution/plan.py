"""The table "What will be done": a plan of the page's values before anything is run."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from html import escape
from typing import Any

from fouriscale.reports.explain import Explanation, sentences
from fouriscale.sampling.cascade import first_size, multiply_adds, sentence

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
    cells = "".join(f"<tr><th scope='row'>{escape(a)}</th><td>{escape(b)}</td></tr>" for a, b in rows)
    return f'<table class="plan">{cells}</table>'


def foretold(workshop: Workshop, picture_order: PictureOrder) -> Explanation:
    """What FouriScale would do for an order, and what it would cost; with a cascade, both parts together.

    Raises:
        ValueError: see `explain`.
    """
    wanted, cascade = picture_order, picture_order.cascade

    def explained(height: int, width: int) -> Explanation:
        return workshop.models.explain(wanted.model, height, width, wanted.steps, wanted.config)

    whole = explained(wanted.height, wanted.width)
    size = first_size(wanted.config, wanted.height, wanted.width)
    if cascade is None or size is None:
        return whole
    active = whole.active * whole.step_cost
    late = (whole.run_cost * whole.steps - active) / max(whole.steps - whole.active, 1)
    costs = [whole.step_cost if d > 1 else late for d in whole.dilations]
    first = explained(*size).direct_cost / whole.direct_cost
    return dataclasses.replace(whole, run_cost=multiply_adds(cascade, first, costs) / whole.steps)


def _rows(workshop: Workshop, picture_order: PictureOrder, explanation: Explanation) -> list[tuple[str, str]]:
    """(subject, sentence) of each row."""
    lines = [line.partition(": ") for line in sentences(explanation)]
    rows = [(subject, text) for subject, _, text in lines]
    if picture_order.cascade is not None:
        settings = picture_order.config, picture_order.height, picture_order.width, picture_order.steps
        rows.insert(1, ("cascade", sentence(picture_order.cascade, *settings)))
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
