"""What decoding in tiles changes: the shipped VAE on rendered scenes, tiled against whole.

`python -m benchmarks.vae_tiles` encodes scenes and decodes them at once and in diffusers' overlapping, blended tiles.
It says how much the pictures differ, and looks for seams: across the lines where a blend of two tiles begins or ends,
the mean step from pixel to pixel less that of the picture decoded at once.
Writes `benchmarks/results/vae_tiles.json`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from picturelab.models import fingerprint
from shapeworld import WEIGHTS, load_pipeline, sample_scenes

from .quality import circumstances

RESULTS = Path(__file__).parent / "results"
SIDES = (256, 512, 1024)
SEED = 9


@torch.no_grad()
def compare(pipe: Any, side: int, count: int) -> dict[str, float]:
    """Differences of `count` scenes of side x side pixels, in values of 0 to 255."""
    vae, processor = pipe.vae, pipe.image_processor
    differences, steps = [], []
    for scene in sample_scenes(count, SEED, 2):
        latents = vae.encode(processor.preprocess(scene.render(side, side))).latent_dist.mode()
        whole, tiled = (_pixels(processor, decode(latents)) for decode in (vae.decode, vae.tiled_decode))
        differences.append(np.abs(whole - tiled))
        steps.append([_step_at_borders(picture, vae) for picture in (tiled, whole)])
    found = np.stack(differences)
    tiled_step, whole_step = np.mean(steps, axis=0)
    return {
        "side": side,
        "pictures": count,
        "largest": float(found.max()),
        "mean": float(found.mean()),
        "99.9% below": float(np.quantile(found, 0.999)),
        "seam": float(tiled_step - whole_step),
    }


def _pixels(processor: Any, decoded: Any) -> np.ndarray:
    """[H, W, 3], 0 to 255, not rounded."""
    return processor.postprocess(decoded.sample, output_type="np")[0] * 255.0


def _step_at_borders(picture: np.ndarray, vae: Any) -> float:
    """Mean difference of neighbouring pixels across the lines where a blend begins or ends."""
    size = vae.tile_sample_min_size
    blend = int(size * vae.tile_overlap_factor)
    starts = range(size - blend, min(picture.shape[:2]), size - blend)
    lines = [line for start in starts for line in (start, start + blend) if line < min(picture.shape[:2])]
    down, across = np.abs(np.diff(picture, axis=0)), np.abs(np.diff(picture, axis=1))
    return float(np.mean([[down[line - 1].mean(), across[:, line - 1].mean()] for line in lines]))


def main(count: Annotated[int, typer.Option(min=1, help="Scenes a size.")] = 8) -> None:
    """Compare decoding in tiles with decoding at once."""
    pipe = load_pipeline("unet")
    rows = [compare(pipe, side, count) for side in SIDES]
    for row in rows:
        typer.echo(json.dumps(row))
    RESULTS.mkdir(exist_ok=True)
    about = circumstances(fingerprint(WEIGHTS / "unet"))
    (RESULTS / "vae_tiles.json").write_text(json.dumps({"about": about, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
