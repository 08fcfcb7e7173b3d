"""The command `fouriscale validate`. Heavy imports wait until it runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from picturelab.bounds import check, check_prompt
from picturelab.cli.arguments import Bounded
from picturelab.cli.options import Device, Dtype, Guidance, Steps
from picturelab.cli.progress import stage_bars
from picturelab.quiet import quieten

from .options import Preset, chosen_config

_SCALES = [2.0, 4.0]


def validate(
    model: Annotated[
        str, typer.Option(help="A diffusers folder, a .safetensors file, a hub id, or shapeworld/unet.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the report and the pictures.")],
    scale: Annotated[
        list[float] | None,
        typer.Option(
            parser=Bounded("scale", "times"),
            metavar="<float>",
            help="Times the training size; repeatable; 2 and 4.",
        ),
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="One prompt a line; a dozen of ours if left out.")
    ] = None,
    preset: Preset = None,
    mode: Annotated[
        str | None,
        typer.Option(
            help="Of a UNet: paper, fast or layerwise, beside direct sampling; paper and fast if left out."
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            parser=Bounded("seed"), metavar="<int>", help="Of the first prompt; the next is one higher."
        ),
    ] = 0,
    steps: Steps = None,
    guidance: Guidance = None,
    device: Device = None,
    dtype: Dtype = None,
) -> None:
    """Direct sampling against FouriScale on your model: pictures, time and memory, as a page and as JSON.

    A UNet in paper mode and in fast mode, or in the mode that is asked for. A killed run goes on with the same command;
    nothing is made twice.
    """
    from picturelab.model_names import check_dtype

    from ..loading.names import locate

    texts = None if prompts is None else _read_prompts(prompts)
    check_dtype(dtype)
    locate(model)
    config = chosen_config(preset, model, {"mode": mode} if mode else {})
    quieten()
    from picturelab.failures import told_as
    from picturelab.files import write_whole
    from picturelab.models import choose_device, choose_dtype
    from picturelab.runs.places import check_folder

    from ..config_kinds import check_kind
    from ..hooks.patch import fouriscale
    from ..hooks.pipelines import denoiser_of
    from ..loading.configs import denoiser_part
    from ..loading.pipeline import load_pipeline
    from ..recognise import config_for
    from ..reports import validate as validation
    from ..reports.validate_figures import labels, sentence
    from ..reports.validate_page import write_page
    from ..reports.validate_settings import SCALED, check_scales, configs_to_compare, settings_for
    from ..sampling.generate import sampling_defaults

    scales = scale or _SCALES
    check_scales(scales)
    check("seed", seed)
    for name, value in (("steps", steps), ("guidance", guidance)):
        if value is not None:
            check(name, value)
    check_folder(out)
    choose_dtype(dtype, choose_device(device))
    if config is not None:
        check_kind(config, denoiser_part(model), model)
    world = None if texts else validation.shipped_world(model, seed)
    pipe: Any = load_pipeline(model, device=device, dtype=dtype, preset=preset)
    pipe.set_progress_bar_config(disable=True)
    config = config or config_for(denoiser_of(pipe))
    configs = {SCALED: config.replace(mode=mode)} if mode else configs_to_compare(config)
    for one in configs.values():
        with fouriscale(pipe, one):  # refuses here, before any sampling, what does not fit
            pass
    usual_steps, usual_guidance = sampling_defaults(pipe)
    settings = settings_for(
        pipe,
        configs,
        prompts=texts or (world.prompts if world else validation.our_prompts()),
        scales=scales,
        seed=seed,
        steps=usual_steps if steps is None else steps,
        guidance=usual_guidance if guidance is None else guidance,
    )
    with stage_bars() as progress:
        results = validation.validate(pipe, settings, out, world.judge if world else None, progress)
    report = out / "report.json"
    with told_as(f"{report} cannot be written", OSError):
        write_whole(report, json.dumps(results, indent=1), sync=True)
    page = write_page(results, out)
    names = labels(results["settings"])
    for row in results["sizes"]:
        typer.echo(f"width {row['width']}, height {row['height']}: {sentence(row, names)}")
    typer.echo(f"{page}")


def _read_prompts(path: Path) -> tuple[str, ...]:
    from picturelab.textfiles import lines, read_text

    prompts = lines(read_text(path))
    if not prompts:
        raise ValueError(f"{path} holds no prompt; write one a line")
    for i, line in prompts:
        check_prompt(f"{path}, line {i}: the prompt", line)
    check("prompts", len(prompts))
    return tuple(line for _, line in prompts)
