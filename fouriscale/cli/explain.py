"""The command `fouriscale explain`: what would be done and what it takes, before anything is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from picturelab.amounts import gibibytes
from picturelab.cli.arguments import Bounded, gibibytes_typed
from picturelab.cli.options import Device, Dtype
from picturelab.cli.run import say
from picturelab.quiet import quieten
from picturelab.worlds import DEFAULT_MODEL

from .options import (
    EXAMPLE,
    Axes,
    CascadeOn,
    CascadeStrength,
    CascadeUpsampling,
    Dynamic,
    Mode,
    Preset,
    Rule,
    Shift,
    Temperature,
    Wrap,
    chosen_config,
    chosen_settings,
    sampled_size,
)

if TYPE_CHECKING:
    import torch

    from ..reports.card import Parts
    from ..reports.explain import Explanation
    from ..reports.explain_positions import PositionsExplanation
    from ..reports.measure import StepTimes


def explain(
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT.")],
    model: Annotated[
        str, typer.Option(help="A preset, a folder with configs, or what `generate --model` takes.")
    ] = DEFAULT_MODEL,
    preset: Preset = None,
    mode: Mode = None,
    rule: Rule = None,
    dynamic: Dynamic = None,
    axes: Axes = None,
    temperature: Temperature = None,
    shift: Shift = None,
    wrap: Wrap = None,
    steps: Annotated[
        int | None,
        typer.Option(
            parser=Bounded("steps"), metavar="<int>", help="Of the run; the model's own if left out."
        ),
    ] = None,
    cascade: CascadeOn = False,
    cascade_strength: CascadeStrength = None,
    cascade_upsampling: CascadeUpsampling = None,
    memory: Annotated[
        float | None,
        typer.Option(
            parser=gibibytes_typed,
            metavar="<float>",
            help="A card's, in GiB, such as 12; what is here if left out.",
        ),
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Time a step on this machine, with a UNet of this shape.")
    ] = False,
    batch: Annotated[
        bool, typer.Option("--batch", help="Time a step of 1, 2, 4 and 8 pictures at once here, and choose.")
    ] = False,
    device: Device = None,
    dtype: Dtype = None,
) -> None:
    """Print what would be done for a size, whether it fits, how long it takes, and the code; no weight is loaded."""
    from picturelab.model_names import check_dtype

    from ..loading.names import check_configs, part_here
    from ..presets import TRANSFORMER
    from ..sampling.cascade import Cascade

    height, width = sampled_size(size)
    check_dtype(dtype)
    check_configs(model)
    changes = chosen_settings(
        mode=mode, rule=rule, dynamic=dynamic, axes=axes, temperature=temperature, shift=shift, wrap=wrap
    )
    config = chosen_config(preset, model, changes)
    parts = Cascade.chosen(cascade, cascade_strength, cascade_upsampling)
    if part_here(model) == TRANSFORMER:
        _refuse_timing(model, measure, batch)
        if parts is not None:
            parts.check_transformer()
    quieten()
    from picturelab.models import choose_device

    from ..config_kinds import check_kind
    from ..loading.configs import denoiser_config, denoiser_part
    from ..reports.explain_model import explain_model, explanation_sentences
    from ..reports.explain_positions import PositionsExplanation
    from ..sampling.cascade import config_for_run

    where = choose_device(device)
    config = config or config_for_run(denoiser_config(model, preset), parts).replace(**changes)
    check_kind(config, denoiser_part(model), model)  # which only a hub may have been able to tell
    explanation = explain_model(
        model, height, width, steps=steps, config=config, cascade=parts, preset=preset
    )
    lines = explanation_sentences(explanation)
    if isinstance(explanation, PositionsExplanation):
        _refuse_timing(model, measure, batch)
        lines += _transformer_on_a_card(explanation, model, preset, where, dtype=dtype, memory=memory)
    else:
        if batch:
            lines.append(_batches(explanation, model, preset, where, dtype))
        lines += _on_a_card(explanation, model, preset, where, dtype=dtype, memory=memory, measure=measure)
    say("\n".join(lines))


def _refuse_timing(model: str, measure: bool, batch: bool) -> None:
    """Refuse to time here what is timed of UNets only."""
    if measure:
        raise ValueError(
            f"--measure: a step is timed with UNets only, and {model} has a transformer; leave it out"
        )
    if batch:
        raise ValueError(
            f"--batch: {model} has a transformer, whose pictures are made one at a time; leave it out"
        )


def _transformer_on_a_card(
    explanation: PositionsExplanation,
    model: str,
    preset: str | None,
    device: torch.device,
    *,
    dtype: str | None,
    memory: float | None,
) -> list[str]:
    """Whether a transformer's run fits, how long it takes, and the code; see `_on_a_card`."""
    from picturelab.memory import memory_of
    from picturelab.models import choose_dtype

    from ..config_kinds import named_config
    from ..loading.configs import transformer_parts
    from ..loading.parameters import sizes_of
    from ..recognise import config_for, preset_of
    from ..reports import card, paste
    from ..reports.fit_words import where_of
    from ..reports.published import as_published, published_sizes
    from ..reports.transformer_card import card_sentences
    from ..reports.warnings import warnings_of

    configs = as_published(model, transformer_parts(model))
    return warnings_of(explanation) + card_sentences(
        explanation,
        configs,
        published_sizes(model) or sizes_of(model, preset),
        prompt=EXAMPLE,
        model=paste.loadable(model, preset_of(configs.transformer)),
        own=config_for(configs.transformer) if preset is None else named_config(preset),
        preset=preset,
        dtype=choose_dtype(dtype or (None if memory is None else "bfloat16"), device),
        memory=memory_of(device) if memory is None else memory * card.GIB,
        where=where_of(memory is not None, device.type),
        place=_place(memory, device),
    )


def _place(memory: float | None, device: torch.device) -> str:
    """Where the printed code puts the pipeline: on a card that was asked about, wherever it is."""
    return "cuda" if memory is not None and device.type == "cpu" else device.type


def _batches(
    explanation: Explanation, model: str, preset: str | None, device: torch.device, dtype: str | None
) -> str:
    """How many pictures to make at once on this machine.

    Raises:
        ValueError: not even one fits.
    """
    from picturelab.memory import memory_of
    from picturelab.models import choose_dtype

    from ..loading.configs import unet_config, vae_scale_factor
    from ..loading.parameters import sizes_of
    from ..reports import batch_words, fit_words
    from ..reports.measure import measure_batches

    precision = choose_dtype(dtype, device)
    held = fit_words.parts_of(explanation, sizes_of(model, preset), precision)
    pictures = batch_words.fitting(held, memory_of(device))
    times = measure_batches(
        unet_config(model, preset),
        explanation,
        pictures,
        device=device,
        dtype=precision,
        vae_scale_factor=vae_scale_factor(model, preset),
    )
    return batch_words.batch_sentence(times)


def _on_a_card(
    explanation: Explanation,
    model: str,
    preset: str | None,
    device: torch.device,
    *,
    dtype: str | None,
    memory: float | None,
    measure: bool,
) -> list[str]:
    """Whether a UNet's run fits, how long it takes, what to mind, and the code.

    Args:
        memory: of the card that is asked about, in GiB; None: of this device.
        measure: whether to time a step here.
    """
    from picturelab.memory import memory_of
    from picturelab.models import choose_dtype

    from ..config_kinds import named_config
    from ..loading.configs import unet_config, vae_scale_factor
    from ..loading.parameters import sizes_of
    from ..recognise import config_for, preset_of
    from ..reports import card, fit_words, measured, paste
    from ..reports.other_cards import elsewhere_sentence
    from ..reports.warnings import warnings_of

    place = _place(memory, device)
    precision = choose_dtype(dtype or (None if memory is None else "float16"), device)
    unet, factor = unet_config(model, preset), vae_scale_factor(model, preset)
    family = preset_of(unet)
    held = fit_words.parts_of(explanation, sizes_of(model, preset), precision)
    there = memory_of(device) if memory is None else memory * card.GIB
    switches = card.switches_for(held, there)
    times = _times(unet, explanation, held, device, precision, factor) if measure else None
    computed = measured.estimate(explanation, family)
    name = str(precision).removeprefix("torch.")
    own = config_for(unet) if preset is None else named_config(preset)
    lines = [
        *fit_words.fit_sentences(
            held,
            dtype=name,
            memory=there,
            where=fit_words.where_of(memory is not None, device.type),
            switches=switches,
            steps=explanation.steps,
            card=place != "cpu",
        ),
        fit_words.time_sentence(explanation, times, computed),
        *([elsewhere_sentence(computed.run)] if computed and not times else []),
        *fit_words.faster_sentences(explanation),
        *warnings_of(explanation),
    ]
    if switches is None:
        return lines
    code = paste.code(
        explanation,
        prompt=EXAMPLE,
        model=paste.loadable(model, family),
        own=own,
        preset=preset,
        dtype=name,
        switches=switches,
        place=place,
    )
    return [*lines, "code:", *code]


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

    from ..reports.measure import measure

    need, here = parts.unet + parts.sampling, memory_of(device)
    if need > here:
        raise ValueError(
            f"--measure needs {gibibytes(need)} for the UNet and its maps, and here are {gibibytes(here)}: "
            "leave it out, or measure a smaller size"
        )
    return measure(unet, explanation, device=device, dtype=dtype, vae_scale_factor=vae_scale_factor)
