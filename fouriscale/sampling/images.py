"""The images of several prompts from one pipeline: a UNet's in one batch, a transformer's one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from picturelab.remarks import remark

from ..config import FouriScaleConfig
from ..config_kinds import Config
from ..maths.sizes import Size
from .cascade import Cascade, first_size
from .inputs import Inputs, prepared, usual_strength
from .prompts import Texts, encode_all, remark_cuts, stacked
from .recipe import Conditioning
from .run import OnLatents, OnStep, reporter, run, run_cascade
from .transformers import text_arguments, token_pixels
from .vae import decodes_in_tiles, tiling
from .wrapping import wrap_of


@dataclass(frozen=True)
class Order:
    """One picture to make.

    Attributes:
        seed: of its initial noise.
    """

    prompt: str
    seed: int


@dataclass(frozen=True)
class Images:
    """Images in the order of their prompts, and what their recipes say of how they were made.

    Attributes:
        batch_size: how many were made at once.
        vae_tiling: whether the VAE decoded in tiles.
        inputs: the files that they were made from.
        cascade: how they began at the training size; None where they were sampled once.
    """

    images: list[Image.Image]
    batch_size: int
    vae_tiling: bool
    inputs: Conditioning
    cascade: Cascade | None = None


def sample_alone(
    pipe: Any,
    orders: Sequence[Order],
    *,
    size: Size,
    steps: int,
    guidance: float,
    negative: str | None,
    config: Config | None,
    vae_tiling: bool | None,
    on_step: OnStep | None,
    on_latents: OnLatents | None,
    inputs: Inputs,
    cascade: Cascade | None,
) -> Images:
    """Pictures of a pipeline with a transformer, each in a call of its own; see `generate` for the arguments."""
    if cascade is not None and config is not None:
        cascade, first = _begun(
            pipe, cascade, vae_tiling, first_size(config, *size, token_pixels(pipe)), size, 1
        )
    tiled = decodes_in_tiles(pipe.vae, vae_tiling, size, 1)
    remark_cuts(pipe, [order.prompt for order in orders], negative, guidance)
    recorded = inputs.recorded()  # before they are read, and not after minutes in which they may change
    images = []
    with tiling(pipe.vae, tiled), prepared(pipe, inputs, *size, wrap_of(config)) as (runner, extra):
        for order in orders:
            call = text_arguments(pipe, order.prompt, negative, guidance) | extra
            call |= {"num_inference_steps": steps, "generator": _noise(order.seed)}
            if cascade is None or config is None:
                images += run(runner, call, size, config, reporter(on_step, on_latents)).images
            else:
                images += run_cascade(
                    runner, call, inputs=inputs, cascade=cascade, sizes=(first, size), config=config,
                    on_step=on_step, on_latents=on_latents,
                )  # fmt: skip
    return Images(images, 1, tiled, recorded, cascade)


def sample_together(
    pipe: Any,
    orders: Sequence[Order],
    *,
    size: Size,
    steps: int,
    guidance: float,
    negative: str | None,
    config: FouriScaleConfig | None,
    vae_tiling: bool | None,
    on_step: OnStep | None,
    on_latents: OnLatents | None,
    inputs: Inputs,
    texts: Sequence[Texts] | None,
    cascade: Cascade | None,
) -> Images:
    """Pictures of a pipeline with a UNet in one batch; see `generate` for the arguments."""
    prompts = [order.prompt for order in orders]
    call: dict[str, Any] = dict(
        num_inference_steps=steps,
        guidance_scale=guidance,
        generator=[_noise(order.seed) for order in orders],
    )
    first = size
    if cascade is not None and config is not None:
        cascade, first = _begun(pipe, cascade, vae_tiling, first_size(config, *size), size, len(prompts))
    vae_tiling = decodes_in_tiles(pipe.vae, vae_tiling, size, len(prompts))
    remark_cuts(pipe, prompts, negative, guidance)
    recorded = inputs.recorded()  # before they are read, and not after minutes in which they may change
    with tiling(pipe.vae, vae_tiling), prepared(pipe, inputs, *first, wrap_of(config)) as (runner, extra):
        inputs.check_steps(steps, usual_strength(runner))
        if texts is None:
            call |= encode_all(runner, prompts, negative, guidance)
        else:
            call |= stacked(texts, pipe.unet.device)
        if cascade is None or config is None:
            images = run(runner, call | extra, size, config, reporter(on_step, on_latents)).images
        else:
            images = run_cascade(
                runner,
                call | extra,
                inputs=inputs,
                cascade=cascade,
                sizes=(first, size),
                config=config,
                on_step=on_step,
                on_latents=on_latents,
            )
    return Images(images, len(prompts), vae_tiling, recorded, cascade)


def _begun(
    pipe: Any, cascade: Cascade, vae_tiling: bool | None, first: Size | None, size: Size, batch: int
) -> tuple[Cascade | None, Size]:
    """The cascade with its tiling decided, None where there is nothing to enlarge, and its first size."""
    if first is None:
        remark(
            f"width {size[1]}, height {size[0]} is at most a tenth beyond the training size: it is sampled once"
        )
        return None, size
    asked = vae_tiling if cascade.vae_tiling is None else cascade.vae_tiling
    tiled = decodes_in_tiles(pipe.vae, asked, first, batch)
    return cascade.model_copy(update={"vae_tiling": tiled}), first


def _noise(seed: int) -> torch.Generator:
    """On the CPU, so that the noise is the same on every device."""
    return torch.Generator().manual_seed(seed)
