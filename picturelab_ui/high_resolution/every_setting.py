"""A control for every setting, by what it is about, with a sentence on each group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from fouriscale import FouriScaleConfig, PositionConfig

from ..forms import Form
from .config_fields import OFFERED

# {title: (what it is about, settings)}
SHARED: dict[str, tuple[str, tuple[str, ...]]] = {
    "Training size": (
        "What the model has seen: everything else is measured by it. Recognised from the model.",
        ("training_sizes",),
    ),
    "Pictures that wrap": ("Tiles and panoramas, whose opposite edges meet.", ("wrap",)),
}
OF_UNETS: dict[str, tuple[str, tuple[str, ...]]] = {
    "Mode": (
        "Decides what the settings below say where they are left to it.",
        ("mode", "size_rule"),
    ),
    "When": (
        "The run begins far from the plain model and ends with it. The deep grid has phases of its own in their place.",
        ("start", "stop", "anneal", "early_guidance"),
    ),
    "Which layers, and what they are filtered by": (
        "The paper's method: convolutions reach further apart, and what they would alias is filtered out before.",
        ("layers", "unfiltered", "floor", "weak_dilation_divisor", "third_branch", "convolution"),
    ),
    "Attention": (
        "How many places the model's attention compares with each other.",
        ("attention", "late_attention"),
    ),
    "Deep grid": (
        "The mode fast: the deep blocks work on as many places as in training, which costs the least.",
        ("grid", "grid_phases", "grid_level", "grid_resampling"),
    ),
    "Edges": (
        "What dilated convolutions see beyond the edge of a picture that does not wrap; an experiment.",
        ("border",),
    ),
    "Memory": ("Less of it, in more time.", ("split_rows",)),
}
OF_TRANSFORMERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "Positions": (
        "A transformer knows places by numbers; beyond its training size it is shown numbers that it has seen.",
        ("rule", "dynamic", "axes", "temperature"),
    ),
    "Schedule": ("Larger pictures are given more noise for longer.", ("shift",)),
}
_ONE_A_LINE = " One a line."
_OPTIONAL = ("grid_level",)  # numbers that may be empty; none of them can be 0
_HOW_TO_WRITE = {
    "training_sizes": " Here as WIDTHxHEIGHT, one a line.",
    "layers": _ONE_A_LINE,
    "unfiltered": _ONE_A_LINE,
    "grid_level": " 0 is empty too.",
    "grid_phases": " Here as 0.5: 1, 0.8: 2, or one a line.",
}


def place(form: Form, usual: Mapping[str, Any], transformer: bool) -> tuple[gr.Column, gr.Column]:
    """All controls; the columns of those for UNets and of those for transformers."""
    docs = PositionConfig.setting_docs() | FouriScaleConfig.setting_docs()
    _place_groups(form, usual, docs, SHARED)
    columns = []
    for groups, visible in ((OF_UNETS, not transformer), (OF_TRANSFORMERS, transformer)):
        with gr.Column(visible=visible) as column:
            _place_groups(form, usual, docs, groups)
        columns.append(column)
    return columns[0], columns[1]


def _place_groups(
    form: Form,
    usual: Mapping[str, Any],
    docs: Mapping[str, str],
    groups: Mapping[str, tuple[str, tuple[str, ...]]],
) -> None:
    for title, (about, names) in groups.items():
        gr.HTML(f'<h3 class="group">{title}</h3><p class="soft">{about}</p>')
        for name in names:
            form.add(name, _control(name, docs[name], usual[name]), zero_is_empty=name in _OPTIONAL)


def _control(name: str, sentence: str, value: Any) -> gr.components.Component:
    """A control for one field of the config, by the kind of its value."""
    info = sentence.replace("None takes", "empty takes") + _HOW_TO_WRITE.get(name, "")
    texts: dict[str, Any] = dict(label=name, info=info)
    if isinstance(value, bool):
        return gr.Checkbox(value, **texts)
    if name in OFFERED:
        return gr.Dropdown(list(OFFERED[name]), value=value, **texts)
    if isinstance(value, str):
        return gr.Textbox(value, lines=min(5, 1 + value.count("\n")), max_lines=8, **texts)
    whole = isinstance(value, int) or name in _OPTIONAL
    return gr.Number(value, step=1 if whole else 0.05, **texts)
