"""The command `fouriscale explain`: what would be done and what it takes, before anything is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from picturelab.cli.arguments import Bounded
from picturelab.cli.options import Device, Dtype
from picturelab.cli.run import say
from picturelab.quiet import quieten
from picturelab.worlds import DEFAULT_MODEL

from .options import (
    EXAMPLE,
    CascadeOn,
    CascadeStrength,
    CascadeUpsampling,
    Mode,
    Preset,
    in_mode,
    read_preset,
    sampled_size,
)

if TYPE_CHECKING:
    import torch

    from ..reports.card import Parts
    from ..reports.explain import Explanation
    from ..reports.measure import StepTimes


def explain(
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT.")],
    model: Annotated[
        str, typer.Option(help="A preset, a folder with configs, or what `generate --model` takes.")
    ] = DEFAULT_MODEL,
    preset: Preset = None,
    mode: Mode = None,
    steps: Annotated[int, typer.Option(parser=Bounded("steps"), metavar="<int>", help="Of the run.")] = 50,
    cascade: CascadeOn = False,
    cascade_strength: CascadeStrength = None,
    cascade_upsampling: CascadeUpsampling = None,
    memory: Annotated[
        float | None,
        typer.Option(
            parser=Bounded("memory", "gibibytes"),
            metavar="<float>",
            help="A card's, in GiB, such as 12; what is here if left out.",
        ),
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Time a step on this machine, with a UNet of this shape.")
    ] = False,
    device: Device = None,
    dtype: Dtype = None,
) -> None:
    """Print what would be done for a size, whether it fits, how long it takes, and the code; no weight is loaded."""
    from picturelab.model_names import check_dtype

    from ..loading.names import check_configs
    from ..sampling.cascade import Cascade

    height, width = sampled_size(size)
    config = read_preset(preset, mode)
    check_dtype(dtype)
    check_configs(model)
    parts = Cascade.chosen(cascade, cascade_strength, cascade_upsampling)
    quieten()
    from picturelab.memory import memory_of
    from picturelab.models import choose_device, choose_dtype

    from ..loading.configs import unet_config, vae_scale_factor
    from ..loading.parameters import sizes_of
    from ..recognise import config_for, family_of
    from ..reports import card, fit_words, measured, paste
    from ..reports.explain import explain as explain_run
    from ..reports.explain_words import sentences
    from ..sampling.cascade import config_for_run

    where = choose_device(device)
    precision = choose_dtype(dtype or (None if memory is None else "float16"), where)
    unet, factor = unet_config(model, preset), vae_scale_factor(model, preset)
    explanation = explain_run(
        unet,
        height,
        width,
        steps=steps,
        config=config or in_mode(config_for_run(unet, parts), mode),
        vae_scale_factor=factor,
        cascade=parts,
    )
    held = fit_words.parts_of(explanation, sizes_of(model, preset), precision)
    there = memory_of(where) if memory is None else memory * card.GIB
    switches = card.switches_for(held, there)
    times = _times(unet, explanation, held, where, precision, factor) if measure else None
    name = str(precision).removeprefix("torch.")
    family = family_of(unet)
    lines = [
        *sentences(explanation),
        *fit_words.fit_sentences(
            held, dtype=name, memory=there, asked=memory is not None, switches=switches, steps=steps
        ),
        fit_words.time_sentence(explanation, times, measured.estimate(explanation, family)),
        *fit_words.warnings_of(explanation),
        "code:",
        *paste.code(
            explanation,
            prompt=EXAMPLE,
            model=paste.loadable(model, family),
            own=read_preset(preset) or config_for(unet),
            preset=preset,
            dtype=name,
            switches=switches or (),
            place="cuda" if memory is not None and where.type == "cpu" else where.type,
        ),
    ]
    say("\n".join(lines))


def _times(
    unet: dict[str, Any],
    explanation: Explanation,
    parts: Parts,
    device: torch.device,
    dtype: torch.dtype,
    vae_scale_factor: int,
) -> StepTimes:
    """Of one step on this machine.

    Raises:
        ValueError: the UNet and its feature maps do not fit here.
    """
    from picturelab.memory import memory_of

    from ..reports.card import GIB
    from ..reports.measure import measure

    need, here = parts.unet + parts.sampling, memory_of(device)
    if need > here:
        raise ValueError(
            f"--measure needs {need / GIB:.3g} GiB for the UNet and its maps, and here are {here / GIB:.3g} GiB: "
            "leave it out, or measure a smaller size"
        )
    return measure(unet, explanation, device=device, dtype=dtype, vae_scale_factor=vae_scale_factor)
