"""The plain choice of how to sample: it writes the settings that it stands for, and follows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fouriscale import FouriScaleConfig
from fouriscale.presets import TRANSFORMER

from ..jobs.files import DIRECT
from ..workshop import Workshop
from . import order
from .config_fields import TRANSFORMER_SETTINGS, UNET_SETTINGS, to_fields

RECOMMENDED, PAPER, PLAIN, OWN = "recommended", "paper", "direct", "own settings"
METHODS = (RECOMMENDED, PAPER, PLAIN, OWN)
_REST = "direct: the model alone; own settings: whatever stands under Every setting"
_BESIDE = ("wrap", "border", "split_rows")  # settings that have nothing to do with the method
_MODES = {RECOMMENDED: "fast", PAPER: "paper"}


def methods_for(denoiser: str) -> list[str]:
    """Those that a kind of denoiser has: the paper knows no transformers."""
    return [name for name in METHODS if name != PAPER or denoiser != TRANSFORMER]


def explanation_for(denoiser: str) -> str:
    """What the methods of a kind of denoiser are."""
    if denoiser == TRANSFORMER:
        return f"recommended: the model's preset, by its positions; {_REST}"
    return (
        "recommended: the mode fast, quicker and more often right in our study; paper: the published method; "
        f"{_REST}"
    )


def settings_of(workshop: Workshop, model: str, method: str) -> dict[str, Any]:
    """The fields that a method writes, without what has nothing to do with it.

    Raises:
        ValueError: no preset fits the model, or there is no such model.
    """
    config = workshop.models.config(model)
    if isinstance(config, FouriScaleConfig):
        config = config.replace(mode=_MODES[method])
    return {name: value for name, value in to_fields(config).items() if name not in _BESIDE}


def choose(workshop: Workshop, values: Mapping[str, Any], method: str) -> dict[str, Any]:
    """The fields that change when somebody chooses a method.

    Raises:
        ValueError: see `settings_of`.
    """
    if method == PLAIN:
        return {"sampling": DIRECT}
    if method not in _MODES:
        return {}
    compared = {"sampling": order.BOTH} if values["sampling"] == DIRECT else {}
    return {"preset": order.AUTO} | compared | settings_of(workshop, values["model"], method)


def method_of(workshop: Workshop, values: Mapping[str, Any]) -> str:
    """The method that the page's values stand for."""
    if values["sampling"] == DIRECT:
        return PLAIN
    denoiser = order.denoiser_of(workshop, values)
    names = TRANSFORMER_SETTINGS if denoiser == TRANSFORMER else UNET_SETTINGS
    for method in methods_for(denoiser):
        if method not in _MODES:
            continue
        try:
            meant = settings_of(workshop, values["model"], method)
        except ValueError:  # the plan says what is wrong
            return OWN
        if all(values[name] == meant[name] for name in names if name not in _BESIDE):
            return method
    return OWN
