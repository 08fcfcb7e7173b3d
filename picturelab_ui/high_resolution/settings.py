"""A sentence for every setting, from the one place that documents them: the config's own docstring. Pure."""

from __future__ import annotations

import dataclasses
import inspect
import re

from fouriscale.config import FouriScaleConfig


def setting_sentences() -> dict[str, str]:
    """{setting: what it does}, in the order of `FouriScaleConfig`'s fields."""
    text = inspect.getdoc(FouriScaleConfig) or ""
    listed = text.partition("Attributes:\n")[2].partition("\n\n")[0]
    entries = re.split(r"^    (?=\w+: )", listed, flags=re.MULTILINE)[1:]
    found = {name: " ".join(said.split()) for name, _, said in (e.partition(": ") for e in entries)}
    return {field.name: found[field.name] for field in dataclasses.fields(FouriScaleConfig)}
