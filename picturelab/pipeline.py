"""What is needed of a diffusers pipeline, so that one of your own can offer the same."""

from __future__ import annotations

from typing import Any, Protocol

import torch


class Pipeline(Protocol):
    """A text-to-image pipeline: called with a prompt, it returns something with `images`.

    Attributes:
        scheduler: whose `timesteps` say where in a run a call of the denoiser is.
        vae: decodes latents, (batch, channels, height, width).
        config: what it was loaded with; its `_name_or_path` names pipelines that we have not loaded.
        components: {name: module, tokenizer, scheduler ...}, as `from_pipe` takes them.
        device, dtype: of its modules.
        vae_scale_factor: pixels a latent pixel.
        num_timesteps: of the latest run.
        _execution_device: where it computes; under offload another than where its weights lie.
    """

    scheduler: Any
    vae: Any
    config: Any
    components: dict[str, Any]
    vae_scale_factor: int

    @property
    def num_timesteps(self) -> int: ...

    @property
    def device(self) -> torch.device: ...

    @property
    def dtype(self) -> torch.dtype: ...

    @property
    def _execution_device(self) -> torch.device: ...

    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

    def encode_prompt(self, *args: Any, **kwargs: Any) -> Any:
        """The prompt's rows for the denoiser, then whatever else the family hands it."""

    def set_progress_bar_config(self, **kwargs: Any) -> None: ...


class UNetPipeline(Pipeline, Protocol):
    """A pipeline of Stable Diffusion's kind.

    Attributes:
        unet: a UNet2DConditionModel, or torch.compile's wrapper of one.
    """

    unet: Any
