"""A report's pieces, one after the other; what is done already is kept."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from picturelab.failures import told_as
from picturelab.pipeline import UNetPipeline
from picturelab.runs.folder import OnProgress, RunFolder
from picturelab.runs.places import check_folder, free_places, is_whole

from ..hooks.applied import wrap_multiple
from ..hooks.pipelines import bare_unet
from ..maths.sizes import Size
from ..sampling import recipe as recipes
from ..sampling.generate import generate
from .latents import Latents, Source
from .measure import Denoiser, errors, gradients, position
from .settings import PROBES, BordersSettings
from .ways import COMPARISONS, FURTHER, WRAPPED, Comparison, Way, size_at

_BATCH = 4  # inputs of a call at the training size, 1 at four times that


def run_folder(folder: Path) -> RunFolder:
    """A report's folder."""
    return RunFolder(folder, "a report on borders", recipes.CHUNK)


@dataclass(frozen=True)
class Piece:
    """One unit of work.

    Attributes:
        kind: "position", "error" or "gradient".
        names: of the entries that its notes have.
    """

    kind: str
    comparison: Comparison
    timestep: int
    names: tuple[str, ...]

    @property
    def key(self) -> str:
        method = self.comparison.method.replace(" ", "-")
        return f"{self.kind}-{method}-{self.comparison.scale}x-{self.timestep}"


def pieces(settings: BordersSettings) -> list[Piece]:
    """All that is measured, in order."""
    found = []
    for comparison in COMPARISONS:
        names = (*(way.name for way in comparison.ways), WRAPPED)
        further = comparison in FURTHER
        for timestep in settings.timesteps:
            kinds = ("position", "error") if further else ("position",)
            found += [Piece(kind, comparison, timestep, names) for kind in kinds]
        if further:
            # Larger, of all borders there are zeros alone, since a gradient takes three times as long as a prediction.
            borders = comparison.borders if comparison.scale == 1 else comparison.borders[:1]
            own = Comparison(comparison.scale, comparison.method, borders)
            names = (*(way.name for way in own.ways), WRAPPED)
            found.append(Piece("gradient", own, settings.gradient_timestep, names))
    return found


def carry_out(
    pipe: UNetPipeline,
    denoiser: Denoiser,
    settings: BordersSettings,
    folder: Path,
    source: Callable[[RunFolder, OnProgress], Source],
    progress: OnProgress,
) -> dict[str, dict[str, Any]]:
    """{piece's key: what it found}.

    Args:
        pipe: with the UNet; left as it was.
        folder: for pieces and pictures; empty, new, or of the same settings.
        source: where pictures come from; called once, when the folder is open.
        progress: called with (what, pieces done, pieces in all).

    Raises:
        ValueError: the folder holds something else or cannot be written, or a picture cannot be read.
    """
    run = run_folder(folder)
    check_folder(folder)
    with told_as(f"{folder} cannot be written", OSError):
        run.begin(settings.model_dump())
    free_places(folder)
    plan = pieces(settings)
    found = {piece.key: run.piece(piece.key) for piece in plan}
    missing = [piece for piece in plan if not _is_whole(found[piece.key], piece)]
    if missing:
        latents = Latents(
            pipe,
            source(run, progress),
            settings.seed,
            size_at(denoiser.unet, denoiser.config, 1, denoiser.vae_scale_factor),
        )
        for piece in missing:
            progress("measuring", len(plan) - len(missing) + missing.index(piece), len(plan))
            found[piece.key] = _measure(denoiser, settings, latents, piece)
            run.finish(piece.key, found[piece.key] or {}, {})
    progress("measuring", len(plan), len(plan))
    return {key: notes or {} for key, notes in found.items()}


def _is_whole(notes: Mapping[str, Any] | None, piece: Piece) -> bool:
    entry = {"position": "error", "error": "total", "gradient": "rings"}[piece.kind]
    return notes is not None and all(
        isinstance(notes.get(name), dict) and entry in notes[name] for name in piece.names
    )


def _measure(
    denoiser: Denoiser, settings: BordersSettings, latents: Latents, piece: Piece
) -> dict[str, dict[str, Any]]:
    comparison, factor = piece.comparison, denoiser.vae_scale_factor
    inputs = functools.partial(
        latents.batches,
        size_at(denoiser.unet, denoiser.config, comparison.scale, factor),
        count=settings.inputs_at(comparison.scale),
        most=max(_BATCH // comparison.scale, 1),
    )
    if piece.kind == "error":  # pictures as they are
        return errors(denoiser, comparison, inputs(rolled=False), piece.timestep)
    if piece.kind == "position":
        stride = wrap_multiple(denoiser.unet, factor) // factor
        return position(denoiser, comparison, inputs(rolled=True, stride=stride), piece.timestep)

    def energy(way: Way, wrapped: bool = False) -> dict[str, Any]:
        batches = inputs(rolled=True, repeats=PROBES // settings.inputs)
        return gradients(denoiser, way, batches, piece.timestep, settings.seed, wrapped=wrapped)

    found = {way.name: energy(way) for way in comparison.ways}
    return found | {WRAPPED: energy(comparison.ways[0], wrapped=True)}


def sampled_source(
    pipe: UNetPipeline, prompts: Sequence[str], size: Size, seed: int, run: RunFolder, progress: OnProgress
) -> Source:
    """Pictures that the model samples itself, directly and with its own steps and guidance; kept in the folder.

    Args:
        prompts: one a picture.
        size: (height, width) in pixels.
        seed: of the first one; the next one's is one higher.
    """
    for i, prompt in enumerate(prompts):
        progress("pictures", i, len(prompts))
        wanted = {"prompt": prompt, "seed": seed + i, "height": size[0], "width": size[1], "config": None}
        name = picture_name(i)
        if not is_whole(run.folder / "images" / name, recipes.CHUNK, wanted):
            (picture,) = generate(pipe, prompt, height=size[0], width=size[1], seed=seed + i)
            run.finish(f"picture-{i:02}", {}, {name: (picture.image, picture.recipe.model_dump())})
    progress("pictures", len(prompts), len(prompts))

    def kept(i: int) -> Image.Image:
        path = run.folder / "images" / picture_name(i)
        with told_as(f"{path} cannot be read; the same command makes it again"):
            return run.picture(path.name)

    return Source(tuple(prompts), kept)


def picture_name(i: int) -> str:
    return f"{i:02}.png"


def denoiser_for(pipe: Any, config: Any, settings: BordersSettings) -> Denoiser:
    """The pipeline's UNet with what is measured of it.

    Args:
        config: FouriScale's settings for it.
    """
    shares = pipe.scheduler.alphas_cumprod
    timesteps = {*settings.timesteps, settings.gradient_timestep}
    return Denoiser(
        unet=bare_unet(pipe.unet),
        config=config,
        vae_scale_factor=pipe.vae_scale_factor,
        prediction=pipe.scheduler.config.get("prediction_type", "epsilon"),
        levels={timestep: float(shares[timestep]) for timestep in sorted(timesteps)},
    )
