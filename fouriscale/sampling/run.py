"""A run of a pipeline with FouriScale or without, and a cascade's two, one after the other."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from PIL import Image

from picturelab.pipeline import Pipeline

from ..config import FouriScaleConfig
from ..config_kinds import Config
from ..hooks.applied import Applied
from ..hooks.patch import current_state, fouriscale
from ..maths.sizes import Size
from ..presets import TRANSFORMER, UNET
from .cascade import Cascade, enlarged
from .conditioning import size_conditioning
from .inputs import Inputs, accepted, resumed
from .vae import tiling

OnStep = Callable[[int, int, float], None]  # steps done, steps in all, a UNet's dilation in the latest step
OnLatents = Callable[[int, torch.Tensor], None]  # steps done, the latents as the pipeline has them
Report = Callable[..., dict[str, Any]]  # what pipelines call after every step
_LATENT_CHANNELS = 4  # by which diffusers tells latents from pictures


class _Noising(NamedTuple):
    """What image to image asks of a scheduler."""

    method: str
    example: str  # of one that has it


_NOISING = {
    UNET: _Noising("add_noise", "EulerDiscrete"),
    TRANSFORMER: _Noising("scale_noise", "FlowMatchEulerDiscrete"),
}


def run(
    runner: Pipeline,
    call: dict[str, Any],
    size: Size,
    config: Config | None,
    report: Report | None = None,
) -> Any:
    """The pipeline's own call.

    Args:
        call: its arguments; of `height` and `width` those that it takes.
        size: (height, width) of the picture in pixels.
        config: None samples directly.
        report: see `reporter`.

    Returns:
        Its output, whose `images` are latents where the call asks for them.
    """
    height, width = size
    scaled: Any = contextlib.nullcontext()
    call = call | {"height": height, "width": width, "callback_on_step_end": report}
    if config is not None:
        scaled = fouriscale(runner, config)
        takes = inspect.signature(type(runner).__call__).parameters
        if isinstance(config, FouriScaleConfig) and "original_size" in takes:
            call |= size_conditioning(config, height, width)
    with scaled:
        return runner(**accepted(runner, call))


def run_cascade(
    first: Pipeline,
    call: dict[str, Any],
    *,
    inputs: Inputs,
    cascade: Cascade,
    sizes: tuple[Size, Size],
    config: Config,
    on_step: OnStep | None,
    on_latents: OnLatents | None,
) -> list[Image.Image]:
    """Pictures at the training size, enlarged, noised and finished with FouriScale.

    Args:
        first: the pipeline that `inputs.prepared` gave for the first size.
        call: its arguments, without a size. Its generators go on where the first run leaves them.
        inputs: what `first` was prepared with.
        cascade: with `vae_tiling` decided.
        sizes: of the first pictures and the finished ones, (height, width) in pixels.
        config: of the second run; the first one is direct.
        on_step, on_latents: called after every step of both.

    Raises:
        ValueError: FouriScale, the scheduler or the enlarging of latents does not fit the pipeline, or its safety
            checker made a first picture black.
    """
    small, large = sizes
    noising = _NOISING[config.DENOISER]
    if not hasattr(first.scheduler, noising.method):
        raise ValueError(
            f"{type(first.scheduler).__name__} cannot noise a picture, as a cascade's second part begins: take another "
            f"scheduler, such as {noising.example}"
        )
    if cascade.upsampling == "latents" and first.vae.config.latent_channels != _LATENT_CHANNELS:
        raise ValueError(
            f"cascade_upsampling='latents': {type(first).__name__} has latents of {first.vae.config.latent_channels} "
            f"channels, and image to image takes latents of {_LATENT_CHANNELS} only; enlarge pixels"
        )
    with fouriscale(first, config):  # refuses here, before any sampling, what does not fit
        pass
    # What may be applied to the pipeline stands aside: a size that is trained at is left as it is.
    direct = config.replace(training_sizes=small) if current_state(first) else None
    steps = call["num_inference_steps"]
    left_out = steps - cascade.steps(steps, config.DENOISER)
    as_latents = {"output_type": "latent"} if cascade.upsampling == "latents" else {}
    report = reporter(on_step, on_latents, left_out_later=left_out)
    with tiling(first.vae, bool(cascade.vae_tiling)):
        output = run(first, call | as_latents, small, direct, report)
    _check_unblackened(output)
    scale = first.vae_scale_factor if as_latents else 1
    start = enlarged(output.images, (large[0] // scale, large[1] // scale))
    second, arguments = resumed(first, inputs, *large, start)
    call = call | arguments | {"strength": cascade.strength}
    report = reporter(on_step, on_latents, before=first.num_timesteps)
    images: list[Image.Image] = run(second, call, large, config, report).images
    return images


def _check_unblackened(output: Any) -> None:
    """Refuse to finish what a safety checker has made black."""
    verdicts = getattr(output, "nsfw_content_detected", None) or ()
    flagged = [str(number) for number, verdict in enumerate(verdicts, 1) if verdict]
    if flagged:
        raise ValueError(
            f"the model's safety checker made the cascade's first picture black (number {', '.join(flagged)} of "
            f"{len(verdicts)}), so there is nothing to finish: take another seed or prompt"
        )


def reporter(
    on_step: OnStep | None,
    on_latents: OnLatents | None,
    *,
    before: int = 0,
    left_out_later: int | None = None,
) -> Report | None:
    """Tells of every step of a run; None where nobody wants to know.

    Args:
        before: steps of the run before it.
        left_out_later: how many of the run's steps the one after it leaves out; None: there is none after it.
    """
    if on_step is None and on_latents is None:
        return None

    def report(pipe: Any, step: int, _: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        attached = current_state(pipe)
        done, total = before + step + 1, before + pipe.num_timesteps
        if left_out_later is not None:  # some schedulers call the UNet more than once a step
            total += pipe.num_timesteps - left_out_later * pipe.scheduler.order
        if on_latents is not None:
            on_latents(done, tensors["latents"])
        if on_step is not None:
            on_step(done, total, attached.dilation if isinstance(attached, Applied) else 1.0)
        return tensors

    return report
