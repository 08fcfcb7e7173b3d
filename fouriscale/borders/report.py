"""A report on a pipeline's borders, from its beginning to its page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from picturelab.failures import printable
from picturelab.models import origin
from picturelab.runs.folder import OnProgress, RunFolder

from ..config import FouriScaleConfig
from ..hooks.pipelines import unet_of
from ..recognise import config_for
from ..reports.validate import our_prompts
from .figures import results
from .folder import fingerprint
from .latents import Source, from_files, own_prompts, refuse_unmeasured
from .measure import PREDICTION_TYPES
from .page import write_report
from .run import carry_out, denoiser_for, sampled_source
from .settings import BordersSettings, extent
from .ways import COMPARISONS, size_at
from .words import sentences


def make_report(
    pipe: Any,
    config: FouriScaleConfig | None,
    folder: Path,
    *,
    pictures: Path | None,
    files: Sequence[Path] | None,
    quick: bool,
    seed: int,
    progress: OnProgress,
) -> tuple[Path, tuple[str, str]]:
    """Measure, and write `report.html` and `report.json`. Returns the page, and what it says first.

    Args:
        pipe: a pipeline with a UNet; left as it was.
        config: FouriScale's settings; None takes the preset recognised from the UNet.
        folder: empty, new, or that of a run with the same settings, which goes on.
        pictures: the folder that `files` lie in.
        files: pictures to make latents of; None: the model samples its own.
        quick: fewer inputs and one noise level.
        seed: of pictures, noise, shifts and probes.
        progress: called with (what, pieces done, pieces in all).

    Raises:
        ValueError: the UNet is of another kind, FouriScale cannot be applied to it, or the folder cannot be used.
    """
    unet = unet_of(pipe)
    refuse_unmeasured(pipe, unet, PREDICTION_TYPES)
    own: Any = config or config_for(unet)
    where = origin(pipe)
    settings = BordersSettings(
        model=where.model,
        revision=where.revision,
        config=own.to_dict(),
        pictures=None if pictures is None else str(pictures),
        fingerprint=None if files is None else fingerprint(files),
        seed=seed,
        precision=str(pipe.dtype).removeprefix("torch."),
        device=str(pipe.device),
        **extent(quick, pipe.scheduler.config.num_train_timesteps),
    )
    denoiser = denoiser_for(pipe, own, settings)
    for comparison in COMPARISONS:  # refuses here, before any sampling, what does not fit
        with denoiser.sampling(comparison.ways[-1], settings.gradient_timestep):
            pass

    def source(run: RunFolder, progress: OnProgress) -> Source:
        if files is not None:
            return from_files(files)
        prompts = own_prompts(where.model, settings.inputs, seed, our_prompts())
        size = size_at(unet, own, 1, pipe.vae_scale_factor)
        return sampled_source(pipe, prompts, size, seed, run, progress)

    found = carry_out(pipe, denoiser, settings, folder, source, progress)
    report = results(settings, denoiser, found, _source_in_words(settings))
    return write_report(report, folder), sentences(report)


def _source_in_words(settings: BordersSettings) -> str:
    if settings.pictures is not None:
        folder = printable(settings.pictures)
        return (
            f"The latents are of the pictures in {folder}, cut and resized to each size; the UNet was given an empty "
            "prompt."
        )
    return (
        f"The latents are of {settings.inputs} pictures that the model sampled itself at its training size, enlarged "
        "for the larger sizes, with the prompts that they were sampled from."
    )
