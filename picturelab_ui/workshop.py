"""What all tabs share: what this host allows, the runner, the loaded models, a folder for each browser."""

from __future__ import annotations

import contextlib
import copy
import functools
import re
import statistics
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fouriscale import FouriScaleConfig
from fouriscale.loading.configs import unet_config, vae_scale_factor
from fouriscale.loading.pipeline import locate
from fouriscale.recognise import config_for
from fouriscale.reports.explain import Explanation, explain
from fouriscale.sampling.vae import decoder_bytes
from padtone.families.registry import check_known, family_of
from picturelab import models
from picturelab.models import DEFAULT_MODEL
from picturelab.worlds import worlds

from .jobs.runner import Runner

_OWNER = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Host:
    """What this host allows.

    Attributes:
        model: the one that is loaded at the start.
        output: where pictures and reports go; nothing else on the disk is served.
        any_model: whether visitors may name hub ids and folders; else the shipped ones and `model`.
        max_pixels: of a picture.
        max_steps: of a run.
        max_waiting: jobs that may wait.
        max_audit: prompts times seeds of an audit.
    """

    model: str = DEFAULT_MODEL
    output: Path = Path("outputs/page")
    any_model: bool = False
    max_pixels: int = 2048 * 2048
    max_steps: int = 200
    max_waiting: int = 8
    max_audit: int = 64


class Workshop:
    """One page's models and jobs. Pipelines are used in the runner's thread only."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.runner = Runner(host.max_waiting)
        self._pipes: dict[str, Any] = {}
        self._readers: dict[str, Any] = {}
        self._reading = threading.Lock()
        self._rates: dict[
            str, deque[float]
        ] = {}  # the last few: one slow picture is not this machine's speed
        self.explain = functools.lru_cache(maxsize=64)(_explain)
        self.config = functools.lru_cache(maxsize=64)(_config)

    def models(self, with_unet: bool = True) -> list[str]:
        """What may be chosen without typing."""
        shipped = (f"{world}/{name}" for world, one in worlds().items() for name in one.models())
        names = [self.host.model, *shipped]
        return [name for name in dict.fromkeys(names) if not with_unet or _has_unet(name)]

    def check_model(self, name: str, with_unet: bool = True) -> None:
        """Is this a model that visitors may use here? Without UNet: any that padtone knows.

        Raises:
            ValueError: it is not.
        """
        known = self.models(with_unet)
        if name in known:
            return
        if not self.host.any_model:
            raise ValueError(f"this page does not load {name!r}; it has {', '.join(known)}")
        if with_unet:
            locate(name)
        else:
            models.locate(name, lambda index, model: check_known(index.get("_class_name"), model))

    def pipeline(self, name: str) -> Any:
        """A loaded pipeline; the last two are kept. For the runner's thread."""
        if name not in self._pipes:
            while len(self._pipes) > 1:
                oldest = next(iter(self._pipes))
                del self._pipes[oldest]
                self._readers.pop(oldest, None)
            pipe: Any = models.load_pipeline(name)
            pipe.set_progress_bar_config(disable=True)
            self._pipes[name] = pipe
        return self._pipes[name]

    @contextlib.contextmanager
    def reader(self, name: str) -> Any:
        """A pipeline for encoding prompts beside whatever runs: its text encoders are copies.

        Reading attaches to text encoders for a moment, and must not meet a run that is about to encode.
        """
        with self._reading:
            if name not in self._readers:
                job = self.runner.submit(lambda _: _with_own_encoders(self.pipeline(name)))
                job.wait()
                if job.error:
                    raise ValueError(job.error)
                self._readers[name] = job.result
            yield self._readers[name]

    def remember(self, told: Explanation, model: str, seconds: float, scaled: bool) -> None:
        """Learn this machine's speed from a finished picture."""
        factor = told.run_cost if scaled else 1.0
        rates = self._rates.setdefault(model, deque(maxlen=5))
        rates.append(seconds / (told.direct_cost * told.steps * factor))

    def seconds(self, told: Explanation, model: str, scaled: bool) -> float | None:
        """How long a picture would take; None before the first one of this model."""
        rates = self._rates.get(model)
        factor = told.run_cost if scaled else 1.0
        return statistics.median(rates) * told.direct_cost * told.steps * factor if rates else None

    def decoder_bytes(self, model: str, height: int, width: int) -> int | None:
        """What decoding takes at its peak; None while the model is not loaded."""
        pipe = self._pipes.get(model)
        return decoder_bytes(pipe.vae, height, width, 1) if pipe is not None else None

    def folder(self, owner: str, kind: str) -> Path:
        """Where a browser's files of a kind go; a name that is none of ours gets the common one."""
        made = self.host.output.resolve() / (owner if _OWNER.fullmatch(owner or "") else "shared") / kind
        made.mkdir(parents=True, exist_ok=True)
        return made

    def pictures(self, owner: str) -> list[Path]:
        """A browser's pictures, latest first."""
        return sorted(
            self.folder(owner, "pictures").glob("*.png"), key=lambda path: path.stat().st_mtime, reverse=True
        )


def usual_settings(model: str) -> tuple[int, float]:
    """Steps and guidance to begin with: those that its folder names, else those of the paper."""
    usual = {"num_inference_steps": 50, "guidance_scale": 5.0 if "xl" in model.lower() else 7.5}
    usual |= models.usual_call(model)
    return int(usual["num_inference_steps"]), float(usual.get("true_cfg_scale") or usual["guidance_scale"])


def check_whole(name: str, value: Any, least: int, most: int) -> None:
    """Is this a whole number from `least` to `most`?

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, int | float) or not float(value).is_integer():
        raise ValueError(f"{name} is {'empty' if value is None else repr(value)}: give a whole number")
    if not least <= value <= most:
        raise ValueError(f"{name}={value:g}: must be from {least} to {most}")


def _has_unet(name: str) -> bool:
    try:
        return locate(name) is not None
    except ValueError:
        return False


def _config(model: str) -> FouriScaleConfig:
    """The settings for a model, before any weight is loaded.

    Raises:
        ValueError: no preset fits, or there is no such model.
    """
    return config_for(unet_config(model))


def _explain(model: str, height: int, width: int, steps: int, config: FouriScaleConfig) -> Explanation:
    return explain(
        unet_config(model),
        height,
        width,
        steps=steps,
        config=config,
        vae_scale_factor=vae_scale_factor(model),
    )


def _with_own_encoders(pipe: Any) -> Any:
    encoders = {}
    for encoder in family_of(pipe).encoders:
        module = getattr(pipe, encoder.name, None)
        if isinstance(module, torch.nn.Module):
            encoders[encoder.name] = copy.deepcopy(module)
    return type(pipe).from_pipe(pipe, dtype=pipe.dtype, **encoders)  # its own default is float32
