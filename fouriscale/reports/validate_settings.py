"""What a validation is run with."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from pydantic import model_validator

from picturelab.bounds import check, check_prompt
from picturelab.models import origin
from picturelab.pipeline import Pipeline
from picturelab.settings import Settings

from ..config import MODES, FouriScaleConfig
from ..config_kinds import Config
from ..position_config import PositionConfig
from ..sampling.generate import check_request

# Methods, of which the last is not always there.
DIRECT, SCALED, FAST = "direct", "FouriScale", "FouriScale fast"


class ValidationSettings(Settings):
    """What a validation is run with; a killed one goes on only with the same.

    Raises:
        ValueError: a value is out of range, or there is no prompt or no size.
    """

    model: str
    """A name, for the report."""

    revision: str | None
    """Of its weights."""

    prompts: tuple[str, ...]
    """Picture i of every size and method is of prompt i."""

    sizes: tuple[tuple[int, int], ...]
    """(height, width) in pixels."""

    seed: int
    """Of the first prompt's noise; the next prompt's is one higher."""

    steps: int
    """Of every picture."""

    guidance: float
    """Of every picture."""

    config: dict[str, Any]
    """FouriScale's settings."""

    further: dict[str, dict[str, Any]]
    """{method: FouriScale's settings} of those that are drawn beside these two."""

    precision: str
    """The weights' dtype."""

    device: str
    """Where it runs, such as "cuda (NVIDIA A100-SXM4-80GB)"."""

    @property
    def configs(self) -> dict[str, dict[str, Any] | None]:
        """{method: FouriScale's settings} in their order; None samples directly."""
        return {DIRECT: None, SCALED: self.config, **self.further}

    @model_validator(mode="after")
    def _check(self) -> ValidationSettings:
        if not self.prompts or not self.sizes:
            raise ValueError(
                f"{len(self.prompts)} prompts and {len(self.sizes)} sizes: give at least one each"
            )
        if len(set(self.sizes)) < len(self.sizes):
            raise ValueError(f"sizes are {list(self.sizes)}; give each once")
        check("prompts", len(self.prompts))
        for prompt in self.prompts:
            check_prompt("the prompt", prompt)
        check("steps", self.steps)
        check("guidance", self.guidance)
        seeds = range(self.seed, self.seed + len(self.prompts))
        check("seed", seeds[0])
        check("seed", seeds[-1])
        for height, width in self.sizes:
            check("height", height)
            check("width", width)
            check_request(height, width, seeds, self.steps, self.guidance)
        return self


def check_scales(scales: Sequence[float]) -> None:
    """Are they sizes beyond the training size, and each there once?

    Raises:
        ValueError: they are not.
    """
    for scale in scales:
        if not 1 < scale <= 8:
            raise ValueError(f"scale={scale:g}: must be above 1 and at most 8 times the training size")
    if len(set(scales)) < len(scales):
        raise ValueError(f"scale is {', '.join(f'{scale:g}' for scale in scales)}; give each once")


def configs_to_compare(config: Config) -> dict[str, Config]:
    """{method: settings} that are drawn beside direct sampling where no mode is asked for.

    A UNet's are in the settings' own mode, or in paper mode where that is fast mode, which is drawn too. A transformer
    has no modes.
    """
    if isinstance(config, PositionConfig):
        return {SCALED: config}
    own = config if config.mode != "fast" else _in_whole_mode(config, "paper")
    return {SCALED: own, FAST: config if config.mode == "fast" else _in_whole_mode(config, "fast")}


def _in_whole_mode(config: FouriScaleConfig, mode: str) -> FouriScaleConfig:
    """The settings in another mode, with everything that a mode decides left to it."""
    return config.replace(mode=mode, **dict.fromkeys(MODES[mode]))


def settings_for(
    pipe: Pipeline,
    configs: Mapping[str, Config],
    *,
    prompts: Sequence[str],
    scales: Sequence[float],
    seed: int,
    steps: int,
    guidance: float,
) -> ValidationSettings:
    """A validation's settings for a loaded pipeline, at `scales` times its training size.

    Args:
        configs: by method, `SCALED` and perhaps more.

    Raises:
        ValueError: a value is out of range.
    """
    check_scales(scales)
    where = origin(pipe)
    # With nothing left to the mode, as recipes have them.
    resolved = {method: config.resolved().to_dict() for method, config in configs.items()}
    return ValidationSettings(
        model=where.model,
        revision=where.revision,
        prompts=tuple(prompts),
        sizes=tuple(configs[SCALED].scaled_size(scale) for scale in scales),
        seed=seed,
        steps=steps,
        guidance=guidance,
        config=resolved.pop(SCALED),
        further=resolved,
        precision=str(pipe.dtype).removeprefix("torch."),
        device=_in_words(pipe.device),
    )


def _in_words(device: torch.device) -> str:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return f"{device.type} ({name})"
