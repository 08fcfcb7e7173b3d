"""The models of a page: which its visitors may use, what is known of them unloaded, and the loaded ones."""

from __future__ import annotations

import contextlib
import copy
import functools
import threading
from collections.abc import Iterator
from typing import Any

import torch

from fouriscale import FouriScaleConfig
from fouriscale.loading.configs import unet_config, vae_scale_factor
from fouriscale.loading.pipeline import locate
from fouriscale.recognise import config_for
from fouriscale.reports.explain import Explanation, explain
from fouriscale.sampling.vae import decoder_bytes
from padtone.families.registry import check_index, family_of
from picturelab import models, worlds

from .host import Host
from .jobs.runner import Runner

_LOADED = 2  # pipelines that are held at once


class Models:
    """One page's models. Pipelines are used in the runner's thread only."""

    def __init__(self, host: Host, runner: Runner) -> None:
        self._host, self._runner = host, runner
        self._pipes: dict[str, Any] = {}
        self._readers: dict[str, Any] = {}
        self._reading = threading.Lock()
        self.config = functools.lru_cache(maxsize=64)(_config)
        self.explain = functools.lru_cache(maxsize=64)(_explain)

    def names(self, with_unet: bool = True) -> list[str]:
        """What may be chosen without typing, the host's own model first."""
        shipped = (
            f"{world}/{name}" for world, content in worlds.worlds().items() for name in content.models()
        )
        names = dict.fromkeys([self._host.model, *shipped])
        return [name for name in names if not with_unet or _has_unet(name)]

    def first(self) -> str:
        """The one that the page opens with.

        Raises:
            ValueError: no model here has a UNet.
        """
        names = self.names()
        if not names:
            raise ValueError(f"the page needs a model with a UNet, which {self._host.model!r} is not")
        return names[0]

    def check(self, name: str, with_unet: bool = True) -> None:
        """Is this a model that visitors may use here? Without UNet: any that padtone knows.

        Raises:
            ValueError: it is not.
        """
        names = self.names(with_unet)
        if name in names:
            return
        if not self._host.any_model:
            raise ValueError(f"this page does not load {name!r}; it has {', '.join(names)}")
        if with_unet:
            locate(name)
        else:
            models.locate(name, check_index)

    def pipeline(self, name: str) -> Any:
        """A loaded pipeline; the last two stay loaded. For the runner's thread."""
        if name not in self._pipes:
            while len(self._pipes) >= _LOADED:
                oldest = next(iter(self._pipes))
                del self._pipes[oldest]
                self._readers.pop(oldest, None)
            pipe: Any = models.load_pipeline(name)
            pipe.set_progress_bar_config(disable=True)
            self._pipes[name] = pipe
        return self._pipes[name]

    @contextlib.contextmanager
    def reader(self, name: str) -> Iterator[Any]:
        """A pipeline for encoding prompts beside whatever runs: its text encoders are copies.

        Reading attaches to text encoders for a moment, and must not meet a run that is about to encode.
        """
        with self._reading:
            if name not in self._readers:
                job = self._runner.submit(lambda _: _with_own_encoders(self.pipeline(name)))
                job.wait()
                if job.error:
                    raise ValueError(job.error)
                self._readers[name] = job.result
            yield self._readers[name]

    def decoder_bytes(self, name: str, height: int, width: int) -> int | None:
        """What decoding takes at its peak; None while the model is not loaded."""
        pipe = self._pipes.get(name)
        return decoder_bytes(pipe.vae, height, width, 1) if pipe is not None else None


def usual_settings(model: str) -> tuple[int, float]:
    """Steps and guidance to begin with: those that its folder names, else those of the paper."""
    call = {"num_inference_steps": 50, "guidance_scale": 5.0 if "xl" in model.lower() else 7.5}
    call |= models.usual_call(model)
    return int(call["num_inference_steps"]), float(call.get("true_cfg_scale") or call["guidance_scale"])


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
