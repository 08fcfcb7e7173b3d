"""The models of a page: which its visitors may use, what is known of them unloaded, and the loaded ones."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import functools
from pathlib import Path
from typing import Any

import torch

from fouriscale.config_kinds import Config
from fouriscale.loading.configs import denoiser_config, denoiser_part, part_config, transformer_parts
from fouriscale.loading.parameters import sizes_of
from fouriscale.loading.pipeline import load_pipeline, locate
from fouriscale.presets import TRANSFORMER
from fouriscale.recognise import config_for
from fouriscale.reports.card import RESERVED, needed
from fouriscale.reports.explain import Explanation
from fouriscale.reports.explain_model import AnyExplanation, explain_model
from fouriscale.reports.fit_words import parts_of
from fouriscale.sampling.cascade import Cascade
from fouriscale.sampling.transformers import usual_settings
from fouriscale.sampling.vae import decoder_bytes
from padtone.families.registry import check_index, family_of
from picturelab import models, worlds
from picturelab.amounts import gibibytes
from picturelab.bounds import shown
from picturelab.memory import memory_of

from .errors import hide
from .host import Host
from .jobs.own_pipeline import own_pipeline
from .jobs.page_job import PageJob
from .jobs.runner import MODELS, Runner

_LONGEST = 300  # letters of a model's name
_LOOK, _LONGEST_WAIT = 0.1, 60.0  # seconds, for a model to be loaded


class Models:
    """One page's models, by the names that visitors know. Pipelines are loaded and used by the job whose turn it is.

    A folder or file of the host is known by its last part: where it lies is the host's own affair.
    """

    def __init__(self, host: Host, runner: Runner) -> None:
        self._host, self._runner = host, runner
        self._own = host.model
        self._addresses: dict[str, str] = {}  # {name: where it lies}
        if host.models is not None:
            hide(host.models)
            self._addresses = _models_in(host.models)
        if Path(host.model).exists():
            hide(host.model)
            self._own = Path(host.model).resolve().name
            self._addresses[self._own] = host.model
        self._pipes: dict[str, Any] = {}
        self._readers: dict[str, Any] = {}
        self._loading: dict[str, PageJob] = {}  # the jobs that bring readers
        self.config = functools.lru_cache(maxsize=64)(self._config)
        self.denoiser = functools.lru_cache(maxsize=64)(self._denoiser)
        self.explain = functools.lru_cache(maxsize=64)(self._explain)
        self.sizes = functools.lru_cache(maxsize=64)(lambda name: sizes_of(self.address(name)))

    def names(self, for_fouriscale: bool = True) -> list[str]:
        """What may be chosen without typing, the host's own model first."""
        shipped = (
            f"{world}/{name}" for world, content in worlds.worlds().items() for name in content.models()
        )
        names = dict.fromkeys([self._own, *shipped, *self._addresses])
        return [name for name in names if not for_fouriscale or _is_for_fouriscale(self.address(name))]

    def address(self, name: str) -> str:
        """What a model's name stands for here: itself, or a folder or file of the host."""
        return self._addresses.get(name, name)

    def recorded(self, name: str) -> str:
        """What recipes call a model: on one's own machine where it lies, so that `fouriscale remake` finds it."""
        return name if self._host.public else self.address(name)

    def name_of(self, recorded: str) -> str:
        """The name here of a model that a recipe calls so."""
        return next((name for name, address in self._addresses.items() if address == recorded), recorded)

    def first(self) -> str:
        """The one that the page opens with.

        Raises:
            ValueError: no model here is one for FouriScale.
        """
        names = self.names()
        if not names:
            raise ValueError(
                f"the page needs a model with a UNet, or a transformer that FouriScale knows, "
                f"which {self._host.model!r} is not"
            )
        return names[0]

    def check(self, name: Any, for_fouriscale: bool = True) -> None:
        """Is this a model that visitors may use here? Not for FouriScale: any that padtone knows.

        Raises:
            ValueError: it is not.
        """
        if not isinstance(name, str) or len(name) > _LONGEST:
            raise ValueError(f"model={shown(name)}: must be text of at most {_LONGEST} letters")
        names = self.names(for_fouriscale)
        if name in names:
            return
        if not self._host.any_model:
            raise ValueError(
                f"this page does not load {name!r}; it has {', '.join(names)} (its host adds some with --models)"
            )
        if for_fouriscale:
            locate(name)
        else:
            models.locate(name, check_index)

    def pipeline(self, name: str) -> Any:
        """A pipeline of a job's own, for that job in its turn; see `own_pipeline`.

        The last two models stay loaded, and the host's own before others; none that a job needs which takes turns.
        """
        return own_pipeline(self._loaded(name))

    def _loaded(self, name: str) -> Any:
        if name not in self._pipes:
            while len(self._pipes) >= MODELS and (unused := self._unused()):
                del self._pipes[unused[0]]
                self._readers.pop(unused[0], None)
            pipe: Any = load(self.address(name))
            pipe.set_progress_bar_config(disable=True)
            self._pipes[name] = pipe
            with contextlib.suppress(ValueError):  # padtone does not know it: `_bring_reader` says so
                self._readers[name] = _with_own_encoders(pipe)
        return self._pipes[name]

    def _unused(self) -> list[str]:
        """Loaded models that no job needs which takes turns, the host's own last."""
        needed = self._runner.models()
        return sorted(
            (name for name in self._pipes if name not in needed), key=lambda name: name == self._own
        )

    async def until_readable(self, name: str, group: str) -> None:
        """Wait until a model's prompts can be read, without holding anything that others need.

        Args:
            group: whose limit of jobs the loading counts for; "" has none.

        Raises:
            ValueError: it cannot be loaded, or has to wait too long.
        """
        job = self._load(name, group)
        waited = 0.0
        while job is not None and not job.finished and name not in self._readers:
            await asyncio.sleep(_LOOK)
            waited += _LOOK
            if waited > _LONGEST_WAIT:
                raise ValueError(
                    f"{name!r} is not loaded yet, for other jobs run before: try again in a while"
                )
        if job is not None and job.error:
            raise ValueError(job.error)

    def reader(self, name: str) -> Any:
        """A pipeline for encoding prompts beside whatever runs: its text encoders are copies.

        Reading attaches to text encoders for a moment, and must not meet a run that is about to encode, nor another
        reading: for the thread of `Workshop.readings` only.

        Raises:
            ValueError: it is not loaded, or not any more.
        """
        reader = self._readers.get(name)
        if reader is None:
            raise ValueError(f"{shown(name)} is not loaded, for others need the memory: try again")
        return reader

    def _load(self, name: str, group: str) -> PageJob | None:
        """The job that loads a model, the same for all who wait for it; None: it is loaded."""
        if name in self._readers:
            return None
        job = self._loading.get(name)
        if job is None or job.finished:
            job = self._loading[name] = self._runner.submit(
                lambda _: self._bring_reader(name), group=group, model=name
            )
        return job

    def _bring_reader(self, name: str) -> None:
        pipe = self._loaded(name)
        if name not in self._readers:
            self._readers[name] = _with_own_encoders(pipe)

    def usual_settings(self, name: str) -> tuple[int, float]:
        """Steps and guidance to begin with: those that its folder names, else the paper's, or a transformer's own."""
        with contextlib.suppress(ValueError):  # that there is no such model is said elsewhere
            if self.denoiser(name) == TRANSFORMER:
                parts = transformer_parts(self.address(name))
                if parts.pipeline is not None:
                    return usual_settings(parts.pipeline, parts.transformer, self.address(name))
        call = {"num_inference_steps": 50, "guidance_scale": 5.0 if "xl" in name.lower() else 7.5}
        call |= models.usual_call(self.address(name))
        return int(call["num_inference_steps"]), float(call.get("true_cfg_scale") or call["guidance_scale"])

    def own_sampler(self, name: str) -> str | None:
        """The model's own scheduler, without "Scheduler"; None where its folder does not say."""
        with contextlib.suppress(ValueError):
            kind = part_config(self.address(name), "scheduler").get("_class_name")
            return str(kind).removesuffix("Scheduler") if kind else None
        return None

    def check_memory(self, explanation: AnyExplanation, name: str) -> None:
        """Does a run fit into the memory here, decoding in tiles? Of a transformer the run itself tells.

        Raises:
            ValueError: it does not.
        """
        if not isinstance(explanation, Explanation):
            return
        device = models.choose_device(None)
        parts = parts_of(explanation, self.sizes(name), models.choose_dtype(None, device))
        switches = ["tiles", *(["split"] if explanation.config.split_rows else [])]
        need, here = needed(parts, switches), memory_of(device)
        if device.type == "cuda":
            here -= int(RESERVED)
        elif name in self._pipes:  # and so taken from what is free already
            need -= parts.unet + parts.text + parts.vae
        if need > here:
            height, width = explanation.size
            raise ValueError(
                f"width {width}, height {height} needs {gibibytes(need)}, decoding in tiles, and {gibibytes(here)} "
                f"are free here: choose a smaller size or the mode fast; `fouriscale explain --model {name} --size "
                f"{width}x{height}` says what else helps"
            )

    def decoder_bytes(self, name: str, height: int, width: int) -> int | None:
        """What decoding takes at its peak; None while the model is not loaded."""
        pipe = self._pipes.get(name)
        return decoder_bytes(pipe.vae, height, width, 1) if pipe is not None else None

    def _denoiser(self, name: str) -> str:
        """Whether a model has a "unet" or a "transformer".

        Raises:
            ValueError: there is no such model.
        """
        return denoiser_part(self.address(name))

    def _config(self, name: str) -> Config:
        """The settings for a model, before any weight is loaded.

        Raises:
            ValueError: no preset fits, or there is no such model.
        """
        return config_for(denoiser_config(self.address(name)))

    def _explain(
        self,
        name: str,
        height: int,
        width: int,
        steps: int,
        config: Config,
        cascade: Cascade | None = None,
    ) -> AnyExplanation:
        return explain_model(self.address(name), height, width, steps=steps, config=config, cascade=cascade)


def load(address: str) -> Any:
    """A pipeline of any kind, or a single file with a UNet."""
    if address.endswith(".safetensors") and Path(address).is_file():
        return load_pipeline(address)
    return models.load_pipeline(address)


def _models_in(folder: Path) -> dict[str, str]:
    """{name: path} of the diffusers folders and single files in a folder."""
    found = sorted(folder.iterdir(), key=lambda path: path.name.lower())
    return {
        path.name: str(path)
        for path in found
        if (path / "model_index.json").is_file() or (path.suffix == ".safetensors" and path.is_file())
    }


def _is_for_fouriscale(name: str) -> bool:
    try:
        return locate(name) is not None
    except ValueError:
        return False


def _with_own_encoders(pipe: Any) -> Any:
    encoders = {}
    for encoder in family_of(pipe).encoders:
        module = getattr(pipe, encoder.name, None)
        if isinstance(module, torch.nn.Module):
            encoders[encoder.name] = copy.deepcopy(module)
    return type(pipe).from_pipe(pipe, dtype=pipe.dtype, **encoders)  # its own default is float32
