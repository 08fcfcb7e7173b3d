"""Which pipeline is calling the UNet, and how it arranges the call's rows."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import nn

from picturelab.pipeline import UNetPipeline

from ..maths.plan import Rows
from .rotary_families import FAMILIES

# Where diffusers' pipelines have their base classes. Importing those takes longer than all the rest of FouriScale,
# and where nobody has imported them yet no pipeline can be there.
_PIPELINE = ("diffusers.pipelines.pipeline_utils", "DiffusionPipeline")
_MODULAR = ("diffusers.modular_pipelines.modular_pipeline", "ModularPipeline")
# These batch otherwise, though some of them tell of their guidance as Stable Diffusion's pipelines do.
_OTHER_BATCHES = ("PAG", "InstructPix2Pix", "Panorama", "LEdits", "Kandinsky")
# Whose code may stand between a pipeline and its UNet.
_BETWEEN = ("fouriscale", "torch", "diffusers", "accelerate", "peft", "contextlib", "functools")
_PAIR = {"pred_cond", "pred_uncond"}  # the predictions of a guider that FouriScale can serve


@dataclass(frozen=True)
class OwnLoop:
    """Stands in for a pipeline where somebody samples with a loop of their own."""

    unet: UNet2DConditionModel
    scheduler: Any
    vae_scale_factor: int  # pixels a latent pixel
    guided: bool  # whether the rows are [unconditional, conditional]


Sampler = UNetPipeline | OwnLoop
"""What calls a UNet step by step."""


def bare_unet(model: Any) -> Any:
    """The module inside `torch.compile`'s wrapper, or what was given."""
    return getattr(model, "_orig_mod", model)


def denoiser_of(pipe: Any) -> nn.Module:
    """The UNet or transformer of a pipeline, or the one given; ValueError if FouriScale knows neither."""
    given = bare_unet(pipe)
    transformer = bare_unet(getattr(given, "transformer", given))
    if type(transformer).__name__ in FAMILIES:
        known: nn.Module = transformer
        return known
    return unet_of(pipe)


def unet_of(pipe: UNetPipeline | UNet2DConditionModel) -> UNet2DConditionModel:
    """The UNet of a pipeline, or the UNet given; ValueError if it is none that FouriScale knows."""
    unet = bare_unet(getattr(pipe, "unet", pipe))
    if not isinstance(unet, UNet2DConditionModel):
        raise ValueError(
            f"{type(pipe).__name__} has no UNet2DConditionModel as .unet, nor a transformer that FouriScale knows: "
            "it needs a Stable Diffusion 1.x, 2.x or XL pipeline, or one of a family such as FLUX's"
        )
    return unet


@dataclass(frozen=True)
class Caller:
    """Who is calling a denoiser.

    Attributes:
        pipe: the innermost pipeline with it whose `__call__` this thread is in; None: there is none.
        directly: whether nobody else's code stands between the pipeline and the denoiser, such as a callback's.
        nested: whether the call is made from within another one of the same denoiser.
    """

    pipe: UNetPipeline | None
    directly: bool = True
    nested: bool = False


def caller_of(denoiser: nn.Module, name: str = "unet") -> Caller:
    """Who is calling a denoiser, for a hook on it.

    Several pipelines may share one, and made with `from_pipe` they share the scheduler too. Only the
    call stack tells which of them is running, also where several threads are.

    Args:
        name: of the pipelines' attribute for it.
    """
    frame, calls, directly = sys._getframe(1), 0, True
    while frame:
        function = frame.f_code.co_name
        if function == "_call_impl" and frame.f_locals.get("self") is denoiser:
            calls += 1
        if function == "__call__":
            caller = frame.f_locals.get("self")
            if _is_one(caller, _PIPELINE, _MODULAR):
                model = getattr(caller, name, None)
                if model is not None and bare_unet(model) is denoiser:
                    return Caller(caller, directly, calls > 1)
        directly &= str(frame.f_globals.get("__name__")).split(".")[0] in _BETWEEN
        frame = frame.f_back  # type: ignore[assignment]
    return Caller(None, nested=calls > 1)


def running_pipeline() -> Any:
    """The innermost pipeline, of whatever kind, whose `__call__` this thread is in; None: it is in none."""
    frame = sys._getframe(1)
    while frame:
        if frame.f_code.co_name == "__call__":
            caller = frame.f_locals.get("self")
            if _is_one(caller, _PIPELINE, _MODULAR):
                return caller
        frame = frame.f_back  # type: ignore[assignment]
    return None


def refuse_other_batches(pipe: Sampler) -> None:
    """ValueError if the pipeline's rows are not [unconditional, conditional], or conditional alone."""
    if isinstance(pipe, OwnLoop):
        return
    name = type(pipe).__name__
    if _is_one(pipe, _MODULAR):
        guider = getattr(pipe, "guider", None)
        if guider is not None and not set(guider._input_predictions) <= _PAIR:
            raise ValueError(
                f"{name}'s guider {type(guider).__name__} asks the UNet for {', '.join(guider._input_predictions)}: "
                "FouriScale needs a guider with a conditional and an unconditional prediction, "
                "such as ClassifierFreeGuidance"
            )
        return
    known = hasattr(type(pipe), "do_classifier_free_guidance")
    if not known or any(word in name for word in _OTHER_BATCHES):
        raise ValueError(
            f"{name} arranges the UNet's rows in its own way: FouriScale needs [unconditional, conditional] rows "
            "as in StableDiffusionPipeline and StableDiffusionXLPipeline"
        )


def refuse_early_guidance(pipe: Sampler, factor: float) -> None:
    """ValueError if guidance cannot be amplified, since the pipeline asks for one condition at a time."""
    if factor != 1 and _is_one(pipe, _MODULAR):
        raise ValueError(
            f"early_guidance={factor:g}: {type(pipe).__name__} asks the UNet for one condition at a time, so there is "
            "no difference to amplify; leave it at 1 and raise the guider's guidance_scale"
        )


def rows_of(pipe: Sampler, sample: torch.Tensor, directly: bool = True) -> Rows:
    """How the rows of `sample` (B, C, height, width) are arranged.

    Args:
        pipe: whose call is running.
        directly: whether it is the pipeline itself that calls the UNet.

    Raises:
        ValueError: the pipeline batches in its own way, or with guidance there is an odd number of rows
            or, in a loop of one's own or a callback, the halves differ.
    """
    refuse_other_batches(pipe)
    count = len(sample)
    if _is_one(pipe, _MODULAR):  # one condition a call
        guider = getattr(pipe, "guider", None)
        conditional = count if guider is None or guider.is_conditional else 0
        return Rows(count=count, guided=False, conditional=conditional)
    own = isinstance(pipe, OwnLoop)
    guided = pipe.guided if isinstance(pipe, OwnLoop) else _guided_now(pipe)
    if guided and (own or not directly) and not _twice_the_same(sample):
        without = (
            "without, say apply_fouriscale(unet, config, scheduler=scheduler, guided=False)"
            if own
            else f"inside {type(pipe).__name__}'s call, rows of another kind cannot be told apart"
        )
        raise ValueError(
            f"the UNet was called with {count} rows that are not the same samples twice: with guidance "
            f"FouriScale needs [unconditional, conditional] rows of the same samples; {without}"
        )
    if guided and count % 2:
        raise ValueError(
            f"the UNet was called with {count} rows: with guidance FouriScale needs pairs of them"
        )
    return Rows(count=count, guided=guided, conditional=count // 2 if guided else count)


def outside(pipe: Sampler) -> ValueError:
    """What to raise where a UNet beyond its training size is called while none of its pipelines runs."""
    return ValueError(
        f"the UNet was called outside {type(pipe).__name__}'s own call, so its rows and its step are unknown: for a "
        "loop of your own, use apply_fouriscale(unet, config, scheduler=scheduler, vae_scale_factor=8)"
    )


def _guided_now(pipe: Any) -> bool:
    return bool(pipe.do_classifier_free_guidance)  # computed from what the running call has been given


def _twice_the_same(sample: torch.Tensor) -> bool:
    """Whether the halves are equal; of shapes without values it is taken for granted."""
    half = len(sample) // 2
    return len(sample) % 2 == 0 and (sample.is_meta or torch.equal(sample[:half], sample[half:]))


def _is_one(value: object, *places: tuple[str, str]) -> bool:
    """Whether a value is of one of these classes, (module, name), without importing them."""
    classes = [getattr(sys.modules.get(module), name, None) for module, name in places]
    return isinstance(value, tuple(filter(None, classes)))
