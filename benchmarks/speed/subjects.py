"""What is timed: calls of a UNet, and whole pictures. Weights are random, for they do not matter for time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import diffusers
import numpy as np
import torch
import transformers

from fouriscale import FouriScaleConfig, fouriscale
from fouriscale.loading.pipeline import load_pipeline
from fouriscale.loading.single_file import COMPONENTS, tokenizers
from fouriscale.sampling.vae import decoder_overflows, tiling
from picturelab.models import usual_call
from picturelab.textfiles import read_json

from .cases import STEPS, Phase, Shape, phases

PROMPT = "a large red circle on a blue background"
_TEXT_TOKENS = 77  # of CLIP
_SIZES = 6  # numbers about a picture's size that SDXL is told


class Subject(Protocol):
    """What can be done in several modes.

    Attributes:
        unet: what is compiled.
        weight_bytes: of all that stays in memory.
    """

    unet: Any
    weight_bytes: int

    def phases(self, config: FouriScaleConfig | None) -> list[Phase]: ...

    def applied(self, config: FouriScaleConfig | None) -> AbstractContextManager[Any]: ...

    def __call__(self, phase: Phase) -> None: ...


class UNetCalls:
    """One call with guidance, of two rows, at any step of a run."""

    def __init__(self, shape: Shape, scale: int, device: torch.device, dtype: torch.dtype):
        self._shape, self._side = shape, scale * shape.side
        self._scheduler = diffusers.DDIMScheduler()
        self._scheduler.set_timesteps(STEPS, device=device)
        with built(device, dtype):
            self.unet = diffusers.UNet2DConditionModel.from_config(shape.unet).eval()
            config, latent = self.unet.config, self._side // shape.vae_scale_factor
            half = torch.randn(1, config.in_channels, latent, latent)
            self._sample = torch.cat([half, half])
            self._text = torch.randn(2, _TEXT_TOKENS, config.cross_attention_dim)
            self._extra: dict[str, Any] = {}
            if config.addition_embed_type == "text_time":
                sizes = _SIZES * config.addition_time_embed_dim
                self._extra["added_cond_kwargs"] = {
                    "text_embeds": torch.randn(2, config.projection_class_embeddings_input_dim - sizes),
                    "time_ids": torch.zeros(2, _SIZES),
                }
        self.weight_bytes = _bytes(self.unet)

    @torch.no_grad()
    def settle(self) -> None:
        """A small call, so that what torch sets up once is no mode's memory."""
        self.unet(self._sample[..., :16, :16], self._scheduler.timesteps[0], self._text, **self._extra)

    def phases(self, config: FouriScaleConfig | None) -> list[Phase]:
        return phases(config, self._side)

    def applied(self, config: FouriScaleConfig | None) -> AbstractContextManager[Any]:
        if config is None:
            return nullcontext()
        factor = self._shape.vae_scale_factor
        return fouriscale(self.unet, config, scheduler=self._scheduler, vae_scale_factor=factor)

    @torch.no_grad()
    def __call__(self, phase: Phase) -> None:
        step = self._scheduler.timesteps[phase.first]
        self.unet(self._sample, step, self._text, **self._extra, return_dict=False)


class WholePictures:
    """Text encoder, UNet and VAE: one picture from a prompt."""

    def __init__(self, pipe: Any, **call: Any):
        """`call`: arguments of the pipeline's, height and width among them."""
        self._pipe, self._call = pipe, call
        pipe.set_progress_bar_config(disable=True)
        self._tiles = decoder_overflows(pipe.vae, call["height"], call["width"], 1)
        self.unet = pipe.unet
        parts = pipe.components.values()
        self.weight_bytes = sum(_bytes(part) for part in parts if isinstance(part, torch.nn.Module))

    def phases(self, config: FouriScaleConfig | None) -> list[Phase]:
        return [Phase(1.0, 0, 1)]

    @contextlib.contextmanager
    def applied(self, config: FouriScaleConfig | None) -> Iterator[None]:
        scaled = nullcontext() if config is None else fouriscale(self._pipe, config)
        with tiling(self._pipe.vae, self._tiles), scaled:
            yield

    def __call__(self, phase: Phase) -> None:
        generator = torch.Generator().manual_seed(0)
        with np.errstate(invalid="ignore"):  # what random weights paint in float16 may be no numbers
            self._pipe(PROMPT, generator=generator, **self._call)


def whole_pictures(shape: Shape, scale: int, device: torch.device, dtype: torch.dtype) -> WholePictures:
    """Of the shipped model, or of a pipeline of the shape's family with random weights."""
    side = scale * shape.side
    if shape.name == "shapeworld":
        model = "shapeworld/unet"
        pipe = load_pipeline(model, device=str(device), dtype=str(dtype).removeprefix("torch."))
        return WholePictures(pipe, **(usual_call(model) | dict(height=side, width=side)))
    pipe = random_pipeline(shape.name, device, dtype)
    return WholePictures(
        pipe, height=side, width=side, num_inference_steps=STEPS, guidance_scale=7.5, negative_prompt=""
    )


def random_pipeline(family: str, device: torch.device, dtype: torch.dtype) -> Any:
    """A stock pipeline of the true shape of `sd15`, `sdxl` or another family that a single file may be of."""
    folder = COMPONENTS / family
    index = read_json(folder / "model_index.json", f"{family} cannot be built")
    parts: dict[str, Any] = dict(tokenizers(family))
    parts |= {name: value for name, value in index.items() if isinstance(value, bool)}
    parts |= {name: None for name in ("safety_checker", "feature_extractor") if name in index}
    with built(device, dtype):
        for name in ("text_encoder", "text_encoder_2"):
            if name in index:
                config = transformers.CLIPTextConfig.from_pretrained(folder / name, local_files_only=True)
                parts[name] = getattr(transformers, index[name][1])(config).eval()
        for name in ("unet", "vae"):
            kind = getattr(diffusers, index[name][1])
            parts[name] = kind.from_config(kind.load_config(folder / name)).eval()
    kind = getattr(diffusers, index["scheduler"][1])
    parts["scheduler"] = kind.from_config(kind.load_config(folder / "scheduler"))
    return getattr(diffusers, index["_class_name"])(**parts)


@contextlib.contextmanager
def built(device: torch.device, dtype: torch.dtype) -> Iterator[None]:
    """Modules and tensors made inside are there and of this dtype from the beginning, so that none is held twice."""
    before = torch.get_default_dtype()
    torch.manual_seed(0)
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            yield
    finally:
        torch.set_default_dtype(before)


def _bytes(module: torch.nn.Module) -> int:
    return sum(t.numel() * t.element_size() for t in [*module.parameters(), *module.buffers()])
