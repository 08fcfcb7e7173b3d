"""What will be done, in a line that unfolds into a table: a plan of the page's values before anything is run."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from html import escape
from typing import Any

from fouriscale.reports.explain import Explanation
from fouriscale.reports.explain_model import AnyExplanation, explanation_sentences
from fouriscale.reports.warnings import warnings_of
from fouriscale.sampling.cascade import sentence as cascade_sentence
from picturelab.amounts import duration, gibibytes

from ..forms import FieldProblems
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
    if asked is not None and picture_order.cascade is None:
        size = picture_order.height, picture_order.width
        rows.insert(1, ("cascade", cascade_sentence(asked, config, *size, picture_order.steps)))
    cells = "".join(f"<tr><th scope='row'>{escape(a)}</th><td>{escape(b)}</td></tr>" for a, b in rows)
    return (
        f'<details data-kept="plan"><summary>{escape(_line(workshop, picture_order, explanation))}</summary>'
        f'<table class="plan">{cells}</table></details>'
    )


def _line(workshop: Workshop, picture_order: PictureOrder, explanation: AnyExplanation) -> str:
    """The plan at a glance."""
    height, width = explanation.size
    own_height, own_width = (
        explanation.fit.training_size if isinstance(explanation, Explanation) else explanation.training_size
    )
    times = math.sqrt(height * width / (own_height * own_width))
    same_shape = height * own_width == width * own_height
    sides = "on each side" if same_shape else "on average of the sides"
    mind = "; mind the warning" if warnings_of(explanation) else ""
    return (
        f"{width} x {height}, {times:.2f} times {own_width} x {own_height} {sides}; {_run(picture_order)}; "
        f"{_pictures(picture_order)}, time: {_time(workshop, picture_order, explanation)}{mind}"
    )


def _run(picture_order: PictureOrder) -> str:
    """How many steps, and of what."""
    steps, parts = picture_order.steps, picture_order.cascade
    if picture_order.inputs.strength is not None:
        return f"{picture_order.steps_of(SCALED)} of {steps} steps, from the start picture"
    if parts is not None:
        return f"a cascade of {steps} + {parts.steps(steps, picture_order.config.DENOISER)} steps"
    return f"{steps} steps"


def _start(picture_order: PictureOrder) -> str:
    inputs, steps = picture_order.inputs, picture_order.steps
    masked = "" if inputs.mask is None else "; only what is white in the mask is made anew"
    return (
        f"it is noised, and the last {picture_order.steps_of(SCALED)} of {steps} steps are run: strength "
        f"{inputs.strength:g}{masked}"
    )


def _pictures(picture_order: PictureOrder) -> str:
    methods, seeds = len(picture_order.methods), picture_order.count
    if seeds == 1:
        return "the picture" if methods == 1 else "both pictures"
    each = "" if methods == 1 else f", {methods} of each seed"
    return f"{methods * seeds} pictures{each}"


def _time(workshop: Workshop, picture_order: PictureOrder, explanation: AnyExplanation) -> str:
    """How long all pictures take here."""
    times = [
        workshop.speed.seconds(explanation, picture_order.model, method == SCALED)
        for method in picture_order.methods
    ]
    known = [seconds for seconds in times if seconds is not None]
    return (
        f"about {duration(picture_order.count * sum(known))} here"
        if known
        else "known after the first picture"
    )


def foretold(workshop: Workshop, picture_order: PictureOrder) -> AnyExplanation:
    """What FouriScale would do for an order, and what it would cost.

    Raises:
        ValueError: see `explain`.
        FieldError: so large a picture does not fit into the memory here, where nothing else bounds it.
    """
    explanation = workshop.models.explain(
        picture_order.model,
        picture_order.height,
        picture_order.width,
        picture_order.steps,
        picture_order.config,
        picture_order.cascade,
    )
    if workshop.host.max_pixels is None:
        wrong = FieldProblems()
        with wrong.at("width"):
            workshop.models.check_memory(explanation, picture_order.model)
        wrong.refuse()
    return explanation


def _rows(
    workshop: Workshop, picture_order: PictureOrder, explanation: AnyExplanation
) -> list[tuple[str, str]]:
    """(subject, sentence) of each row."""
    said = [*warnings_of(explanation), *explanation_sentences(explanation)]
    lines = [line.partition(": ") for line in said]
    rows = [(subject, sentence) for subject, _, sentence in lines]
    with contextlib.suppress(ValueError):  # a model that no preset fits has a preset chosen for it
        own = workshop.models.config(picture_order.model).training_sizes
        if picture_order.config.training_sizes != own:
            listed = ", ".join(f"{w}x{h}" for h, w in own[:3])
            rows.insert(0, ("mind", f"these are not this model's own training sizes ({listed})"))
    if picture_order.inputs.strength is not None:
        rows.append(("start picture", _start(picture_order)))
    model = picture_order.model
    rows.append(("time", f"{_time(workshop, picture_order, explanation)}, for {_pictures(picture_order)}"))
    decoding = workshop.models.decoder_bytes(model, picture_order.height, picture_order.width)
    if decoding is not None:
        peak = f"about {gibibytes(decoding)} at its peak"
        rows.append(("decoding", f"{peak}; in tiles where that does not fit"))
    return rows
