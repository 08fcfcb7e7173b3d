"""Real latents for a report: pictures of a folder or of the model's own, encoded, rolled and noised."""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from PIL import Image, ImageOps

from picturelab import worlds
from picturelab.pictures import picture_of
from picturelab.pipeline import UNetPipeline

from ..hooks.pipelines import bare_unet
from ..hooks.wrap import wrap
from ..maths.sizes import Size
from ..sampling.prompts import encode
from . import GROUPS
from .measure import Inputs

_SIZED = "text_time"  # the addition_embed_type of UNets that are also told sizes, as SDXL's


@dataclass(frozen=True)
class Source:
    """Pictures that latents are made of.

    Attributes:
        texts: what the UNet is told of each; "" where nothing is known.
        picture: gives picture i.
    """

    texts: tuple[str, ...]
    picture: Callable[[int], Image.Image]


def from_files(files: Sequence[Path]) -> Source:
    """Pictures of files, of which no text is known."""
    return Source(("",) * len(files), lambda i: picture_of(files[i]))


def own_prompts(model: str, count: int, seed: int, others: Sequence[str]) -> tuple[str, ...]:
    """What a model samples its own pictures of: scenes of its world if it has one, or else `others` in turn."""
    shipped = worlds.split(model)
    if shipped is not None:
        return tuple(scene.caption for scene in shipped[0].scenes(count, seed))
    return tuple(others[i % len(others)] for i in range(count))


class Latents:
    """Batches of inputs for a UNet at each size, always the same ones.

    Args:
        pipe: a pipeline of Stable Diffusion's kind.
        source: where pictures come from.
        seed: of noise and shifts.
        told_size: (height, width) in pixels, that a UNet of SDXL's kind is told.
    """

    def __init__(self, pipe: UNetPipeline, source: Source, seed: int, told_size: Size):
        self._pipe, self._source, self._seed = pipe, source, seed
        self._told_size = told_size
        self._encoded: dict[tuple[int, Size, bool], torch.Tensor] = {}
        self._texts: dict[str, Mapping[str, torch.Tensor]] = {}

    def batches(
        self, size: Size, *, count: int, most: int, rolled: bool, stride: int = 1, repeats: int = 1
    ) -> Iterator[Inputs]:
        """Inputs at a size, each batch of one group.

        Args:
            size: (height, width) in pixels.
            count: how many; pictures are used in turn where there are fewer.
            most: of them in a batch.
            rolled: whether each is rolled by a random shift, so that every place is alike.
            stride: latent pixels by whose multiples the check of the wrapped network rolls.
            repeats: how often each picture is used, with other noise and another shift.
        """
        # Picture i is in group i % GROUPS each time it is used, so that groups have nothing in common.
        pictures = len(self._source.texts)
        used = [i % (pictures // GROUPS * GROUPS) for i in range(count)]
        for repeat in range(repeats):
            for group in range(GROUPS):
                own = list(range(group, count, GROUPS))
                for first in range(0, len(own), most):
                    yield self._batch(own[first : first + most], used, size, group, (rolled, stride, repeat))

    def _batch(
        self, inputs: Sequence[int], used: Sequence[int], size: Size, group: int, how: tuple[bool, int, int]
    ) -> Inputs:
        rolled, stride, repeat = how
        clean, noise, shift = [], [], (0, 0)
        for i in inputs:
            words = f"{self._seed} {repeat} {i}"
            own_seed = int.from_bytes(hashlib.sha256(words.encode()).digest()[:7])
            generator = torch.Generator().manual_seed(own_seed)
            latents = self._latents(used[i], size, rolled)
            height, width = latents.shape[-2:]
            draw = torch.rand(4, generator=generator).tolist()
            if rolled:
                latents = latents.roll((int(draw[0] * height), int(draw[1] * width)), (-2, -1))
            clean.append(latents)
            noise.append(torch.randn(latents.shape, generator=generator).to(latents))
            shift = (
                int(draw[2] * height / stride) * stride,
                int(draw[3] * width / stride) * stride,
            )
        call = [self._call(self._source.texts[used[i]]) for i in inputs]
        return Inputs(group, torch.cat(clean), torch.cat(noise), _joined(call), shift)

    @torch.no_grad()
    def _latents(self, i: int, size: Size, rolled: bool) -> torch.Tensor:
        """(1, C, height, width) of picture i, cut and resized to `size`.

        Those that are to be rolled come from an encoder that wraps, for its own border would be rolled with them;
        others as they were made for training.
        """
        key = i, size, rolled
        if key not in self._encoded:
            image = ImageOps.fit(self._source.picture(i), size[::-1], Image.Resampling.LANCZOS)
            pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
            pixels = pixels.view(1, *size, 3).permute(0, 3, 1, 2) / 127.5 - 1
            vae, unet = self._pipe.vae, bare_unet(self._pipe.unet)
            with _encoding(vae), wrap(vae, "both" if rolled else "none"):
                latents = vae.encode(pixels.to(vae.device, vae.dtype)).latent_dist.mode()
            latents = (latents - (getattr(vae.config, "shift_factor", None) or 0)) * vae.config.scaling_factor
            self._encoded[key] = latents.to(unet.device, unet.dtype)
        return self._encoded[key]

    def _call(self, text: str) -> Mapping[str, torch.Tensor]:
        """What the UNet is told of a picture, one row each."""
        if text not in self._texts:
            unet = bare_unet(self._pipe.unet)
            encoded = encode(self._pipe, text, None, 1.0)
            if encoded is None:
                raise ValueError(
                    f"{type(self._pipe).__name__} encodes its prompts in a way of its own: borders are measured in "
                    "pipelines such as StableDiffusionPipeline and StableDiffusionXLPipeline"
                )
            call = {"encoder_hidden_states": encoded["prompt_embeds"]}
            if unet.config.addition_embed_type == _SIZED:
                told = torch.tensor([[*self._told_size, 0, 0, *self._told_size]])
                call |= {"text_embeds": encoded["pooled_prompt_embeds"], "time_ids": told}
            self._texts[text] = {name: one.to(unet.device, unet.dtype) for name, one in call.items()}
        return self._texts[text]


@contextlib.contextmanager
def _encoding(vae: Any) -> Iterator[None]:
    """Inside the block, a VAE that overflows in float16 is in float32."""
    dtype = vae.dtype
    if dtype != torch.float16 or not getattr(vae.config, "force_upcast", False):
        yield
        return
    vae.to(torch.float32)
    try:
        yield
    finally:
        vae.to(dtype)


def _joined(rows: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, Any]:
    """Arguments of the UNet's call of several rows."""
    joined: dict[str, Any] = {name: torch.cat([row[name] for row in rows]) for name in rows[0]}
    added = {name: joined.pop(name) for name in ("text_embeds", "time_ids") if name in joined}
    return joined | ({"added_cond_kwargs": added} if added else {})


def refuse_unmeasured(pipe: Any, unet: UNet2DConditionModel, prediction_types: Sequence[str]) -> None:
    """Refuse a pipeline whose borders cannot be measured here.

    Args:
        prediction_types: what its UNet may predict.

    Raises:
        ValueError: its UNet takes more than latents and text, predicts something else, or its schedule is of another
            kind; or no convolution of it has zeros beyond the border.
    """
    name = type(pipe).__name__
    config: Any = unet.config
    if not isinstance(bare_unet(pipe.vae), AutoencoderKL):
        raise ValueError(
            f"the autoencoder of this {name} is a {type(pipe.vae).__name__}: borders are measured with an AutoencoderKL"
        )
    if config.in_channels != pipe.vae.config.latent_channels:
        raise ValueError(
            f"the UNet of this {name} takes {config.in_channels} channels and its VAE gives "
            f"{pipe.vae.config.latent_channels}: borders are measured in text-to-image UNets"
        )
    if config.addition_embed_type not in (None, _SIZED) or config.class_embed_type is not None:
        kind = config.addition_embed_type or config.class_embed_type
        raise ValueError(
            f"the UNet of this {name} is told {kind!r} beside the text: borders are measured in UNets of Stable "
            "Diffusion's and SDXL's kind"
        )
    if pipe.config.get("requires_aesthetics_score"):
        raise ValueError(
            f"this {name} is a refiner, which is told a score and begins with a picture: borders are measured in "
            "text-to-image UNets"
        )
    kind = pipe.scheduler.config.get("prediction_type", "epsilon")
    if kind not in prediction_types or not hasattr(pipe.scheduler, "alphas_cumprod"):
        raise ValueError(
            f"the {type(pipe.scheduler).__name__} of this {name} has prediction_type={kind!r}: borders are measured in "
            f"diffusion models with {', '.join(prediction_types)}"
        )
    padded = [
        conv
        for conv in unet.modules()
        if isinstance(conv, torch.nn.Conv2d)
        and math.prod(conv.kernel_size) > 1
        and conv.padding not in ("valid", (0, 0))
        and conv.padding_mode == "zeros"
    ]
    if not padded:
        raise ValueError(
            f"no convolution of this {type(unet).__name__} has zeros beyond its border, so its padding tells nothing: "
            "borders are measured in UNets with zero padding"
        )
