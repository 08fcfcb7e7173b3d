"""The command `fouriscale borders`. Heavy imports wait until it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from picturelab.bounds import check
from picturelab.cli.arguments import Bounded
from picturelab.cli.options import Device, Dtype
from picturelab.cli.progress import stage_bars
from picturelab.cli.run import say
from picturelab.extras import require
from picturelab.quiet import quieten
from picturelab.worlds import DEFAULT_MODEL

from .options import Preset, chosen_config


def borders(
    out: Annotated[Path, typer.Option(help="Folder for the report.")],
    model: Annotated[
        str, typer.Option(help="A diffusers folder, a .safetensors file, a hub id, or shapeworld/unet.")
    ] = DEFAULT_MODEL,
    pictures: Annotated[
        Path | None,
        typer.Option(help="A folder of pictures; if left out, the model samples some itself."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer inputs and one noise level.")] = False,
    preset: Preset = None,
    seed: Annotated[
        int, typer.Option(parser=Bounded("seed"), metavar="<int>", help="Of pictures, noise and probes.")
    ] = 0,
    device: Device = None,
    dtype: Dtype = None,
) -> None:
    """What a UNet takes from its borders: position, error and sensitivity, as a page and as JSON.

    Sampled directly, with dilated convolutions and on the deep grid, at 1, 2 and 4 times the training size, and with
    every kind of border. A killed run goes on with the same command.
    """
    from picturelab.model_names import check_dtype

    from ..borders.folder import picture_files
    from ..loading.names import locate, part_here

    require("fouriscale borders", "audit", "matplotlib")
    check_dtype(dtype)
    locate(model)
    _refuse_transformer(part_here(model), model)
    config: Any = chosen_config(preset, model, {})
    files = None if pictures is None else picture_files(pictures)
    quieten()
    from picturelab.models import choose_device, choose_dtype
    from picturelab.runs.places import check_folder

    from ..borders.report import make_report
    from ..config_kinds import check_kind
    from ..loading.configs import denoiser_part
    from ..loading.pipeline import load_pipeline

    check("seed", seed)
    check_folder(out)
    choose_dtype(dtype, choose_device(device))
    _refuse_transformer(denoiser_part(model), model)
    if config is not None:
        check_kind(config, "unet", model)
    pipe: Any = load_pipeline(model, device=device, dtype=dtype, preset=preset)
    pipe.set_progress_bar_config(disable=True)
    with stage_bars() as progress:
        page, told = make_report(
            pipe, config, out, pictures=pictures, files=files, quick=quick, seed=seed, progress=progress
        )
    say("\n".join([*told, str(page)]))


def _refuse_transformer(part: str | None, model: str) -> None:
    if part == "transformer":
        raise ValueError(
            f"model={model}: has a transformer, which has no convolutions and no zeros beyond a border: give a model "
            "with a UNet"
        )
