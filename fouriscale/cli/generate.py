"""The command `fouriscale generate`. Heavy imports wait until it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from picturelab.cli.arguments import Bounded, Prompted, number
from picturelab.cli.options import Device, Dtype, Format, Guidance, NoA1111, Quality, Steps
from picturelab.cli.output import picture_file
from picturelab.cli.progress import loading
from picturelab.cli.run import say
from picturelab.files import slug
from picturelab.formats import check_room
from picturelab.notation import parse_control, parse_weighted
from picturelab.prompts import remark_unknown_words
from picturelab.quiet import quieten
from picturelab.worlds import DEFAULT_MODEL

from ..maths.sizes import SIZE_MULTIPLE
from .options import (
    OUTPUTS,
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
    check_sampled,
    chosen_config,
    chosen_settings,
    sampled_size,
)
from .progress import sampling_bar


def generate(
    prompt: Annotated[str, typer.Argument(parser=Prompted("prompt"), metavar="PROMPT", help="What to draw.")],
    size: Annotated[
        str | None, typer.Option(help="WIDTHxHEIGHT; twice the training size if left out.")
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            help="shapeworld/unet, /joint-masked, a diffusers folder, a .safetensors file or a hub id."
        ),
    ] = DEFAULT_MODEL,
    preset: Preset = None,
    mode: Mode = None,
    rule: Rule = None,
    dynamic: Dynamic = None,
    axes: Axes = None,
    temperature: Temperature = None,
    shift: Shift = None,
    wrap: Wrap = None,
    negative: Annotated[
        str | None,
        typer.Option(parser=Prompted("negative", empty=True), metavar="<str>", help="What not to draw."),
    ] = None,
    seed: Annotated[
        int, typer.Option(parser=Bounded("seed"), metavar="<int>", help="Decides the initial noise.")
    ] = 0,
    steps: Steps = None,
    guidance: Guidance = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Such as EulerDiscrete; the model's own if left out.")
    ] = None,
    image: Annotated[Path | None, typer.Option(help="A picture to start from; transparent is white.")] = None,
    strength: Annotated[
        float | None,
        typer.Option(parser=number, metavar="<float>", help="How much of --image is made anew, up to 1."),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(help="White where --image is drawn anew; black and transparent are kept."),
    ] = None,
    control: Annotated[
        list[str] | None, typer.Option(help="A ControlNet, MODEL=PICTURE or MODEL=PICTURE@SCALE; repeatable.")
    ] = None,
    lora: Annotated[list[str] | None, typer.Option(help="A LoRA, FILE or FILE@SCALE; repeatable.")] = None,
    cascade: CascadeOn = False,
    cascade_strength: CascadeStrength = None,
    cascade_upsampling: CascadeUpsampling = None,
    compare: Annotated[bool, typer.Option("--compare", help="Sample directly too, side by side.")] = False,
    out: Annotated[Path, typer.Option(help="A file ending in .png, .webp or .jpg, or a folder.")] = OUTPUTS,
    format: Format = None,
    quality: Quality = None,
    device: Device = None,
    dtype: Dtype = None,
    no_recipe: Annotated[
        bool, typer.Option("--no-recipe", help="Leave the recipe out of the file, A1111's text too.")
    ] = False,
    no_a1111: NoA1111 = False,
) -> None:
    """Make a picture with FouriScale."""
    from picturelab.model_names import check_dtype

    from ..loading.names import locate, part_here
    from ..presets import TRANSFORMER
    from ..sampling.cascade import Cascade
    from ..sampling.cascade_checks import check_cascade, check_for_transformer
    from ..sampling.inputs import Inputs
    from ..sampling.wrapping import wrap_name

    height_width = None if size is None else sampled_size(size)
    path, kind = picture_file(out, f"{slug(prompt)}-{seed}", format, quality)
    check_dtype(dtype)
    locate(model)
    changes = chosen_settings(
        mode=mode, rule=rule, dynamic=dynamic, axes=axes, temperature=temperature, shift=shift, wrap=wrap
    )
    config = chosen_config(preset, model, changes)
    parts = Cascade.chosen(cascade, cascade_strength, cascade_upsampling)
    inputs = Inputs(
        image=image,
        strength=strength,
        mask=mask,
        controls=tuple(map(parse_control, control or ())),
        loras=tuple(map(parse_weighted, lora or ())),
    )
    if height_width is None and inputs.size is not None:
        height_width = check_sampled(*inputs.size)
    checked_size = height_width or (SIZE_MULTIPLE, SIZE_MULTIPLE)
    check_room(kind, checked_size[0], checked_size[1] * (2 if compare else 1), prompt, negative)
    of_transformer = TRANSFORMER in (part_here(model), config and config.DENOISER)
    if of_transformer:
        check_for_transformer(inputs, parts)
    early = None if of_transformer else steps  # for a transformer no strength is too small
    if early is not None:
        inputs.check_steps(early)
    check_cascade(parts, inputs, early, direct=False, config=config, size=height_width, wrap=wrap)
    remark_unknown_words(model, prompt, negative)
    quieten()
    from picturelab.models import choose_device, choose_dtype, usual_call

    from ..config_kinds import check_kind
    from ..hooks.patch import fouriscale
    from ..loading.configs import denoiser_config, denoiser_part
    from ..loading.pipeline import load_pipeline
    from ..sampling import generate as sampling
    from ..sampling.cascade import config_for_run
    from ..sampling.parameters import parameters_of
    from ..sampling.recipe import save
    from ..sampling.schedulers import choose_scheduler

    choose_dtype(dtype, choose_device(device))
    config = config or config_for_run(denoiser_config(model, preset), parts).replace(**changes)
    check_kind(config, denoiser_part(model), model)  # which only a hub may have been able to tell
    if config.DENOISER == TRANSFORMER:
        check_for_transformer(inputs, parts)
    known_steps = usual_call(model).get("num_inference_steps") if steps is None else steps
    if known_steps is not None:
        inputs.check_steps(known_steps, denoiser=config.DENOISER)
        check_cascade(parts, inputs, known_steps, direct=False, config=config, size=height_width)

    with Console(stderr=True).status(loading(model)):
        pipe: Any = load_pipeline(model, device=device, dtype=dtype, preset=preset)
        if scheduler is not None:
            pipe.scheduler = choose_scheduler(scheduler, pipe)
        with fouriscale(pipe, config):  # refuses here, before any sampling, what does not fit
            pass
    pipe.set_progress_bar_config(disable=True)
    height, width = height_width or config.scaled_size(2)
    check_room(kind, height, width * (2 if compare else 1))
    settings: dict[str, Any] = dict(
        height=height,
        width=width,
        seed=seed,
        steps=steps,
        guidance=guidance,
        negative_prompt=negative,
        config=config,
        inputs=inputs,
        cascade=parts,
    )
    with sampling_bar(runs=2 if compare else 1, config=config) as on_step:
        if compare:
            picture = sampling.compare(pipe, prompt, **settings, on_step=on_step)
        else:
            (picture,) = sampling.generate(pipe, prompt, **settings, on_step=on_step)
    recipe = picture.recipe
    parameters = None if no_recipe or no_a1111 else parameters_of(recipe)
    save(picture.image, path, None if no_recipe else recipe, quality=quality, parameters=parameters)
    finished = f", a cascade of strength {recipe.cascade['strength']:g}" if recipe.cascade else ""
    wraps = "" if wrap_name(config) == "none" else f", wraps: {wrap_name(config)}"
    say(
        f"width {width}, height {height}, seed {seed}, {recipe.steps} steps, guidance {recipe.guidance:g}{finished}"
        f"{', VAE in tiles' if recipe.vae_tiling else ''}{wraps}: {path}"
    )
