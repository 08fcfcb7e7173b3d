"""Train a shapeworld model: `python -m shapeworld.train configs/training/unet.yaml`.

On several cores, one process a core is faster than one process with several threads:
`torchrun --nproc-per-node 2 -m shapeworld.train ...`.
A killed run goes on from its last checkpoint when the same command is given again.
"""

from __future__ import annotations

import copy
import math
import os
import random
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
import yaml
from diffusers import AutoencoderKL, StableDiffusionPipeline
from PIL import Image
from pydantic import ValidationError
from rich.progress import track
from torch import nn
from torch.nn.functional import l1_loss, mse_loss

from . import models
from .scenes import Scene, sample_scenes
from .training import DenoiserStage, Fit, Run, TrainingConfig


class Autoencode(nn.Module):
    """Forward gives (loss, mean squared error) of reconstructing pictures (B, 3, height, width)."""

    def __init__(self, vae: AutoencoderKL, kl: float):
        super().__init__()
        self.vae, self.kl = vae, kl

    def forward(
        self, pictures: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        posterior = self.vae.encode(pictures).latent_dist
        output = self.vae.decode(posterior.sample(generator)).sample
        kl = posterior.kl().mean() / posterior.mean[0].numel()
        return l1_loss(output, pictures) + self.kl * kl, mse_loss(output, pictures)


class Denoise(nn.Module):
    """Text encoder and UNet as one module, so that both train jointly. Forward gives (loss, loss)."""

    def __init__(self, text_encoder: nn.Module, unet: nn.Module):
        super().__init__()
        self.text_encoder, self.unet = text_encoder, unet
        self.scheduler = models.build_scheduler()

    def forward(
        self, latents: torch.Tensor, tokens: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        noisy = self.scheduler.add_noise(latents, noise, timesteps)
        target = self.scheduler.get_velocity(latents, noise, timesteps)
        text = self.text_encoder(tokens)[0]  # (B, tokens, dim)
        loss = mse_loss(self.unet(noisy, timesteps, text, return_dict=False)[0], target)
        return loss, loss


def to_tensor(pictures: list[np.ndarray]) -> torch.Tensor:
    """uint8 (height, width, 3) pictures as one float tensor (B, 3, height, width) in [-1, 1]."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def _edge_crop(crop: int, rng: random.Random) -> np.ndarray:
    """A square of a scene around some point of an object's edge, where there is something to learn."""
    (scene,) = sample_scenes(1, seed=rng.getrandbits(60))
    side = rng.choice((64, 96, 128))
    item, angle = rng.choice(scene.objects), rng.uniform(0, 2 * math.pi)
    corner = [
        min(max(round((centre + item.radius * turn) * side - crop / 2), 0), side - crop)
        for centre, turn in ((item.y, math.sin(angle)), (item.x, math.cos(angle)))
    ]
    return scene.pixels(side, side)[corner[0] : corner[0] + crop, corner[1] : corner[1] + crop]


def _train_autoencoder(run: Run, vae: AutoencoderKL) -> None:
    stage = run.config.autoencoder

    def batch(rng: random.Random, generator: torch.Generator) -> tuple:
        crop = rng.choice((32, 32, 32, 64))  # small ones are cheap, large ones show whole scenes
        return to_tensor([_edge_crop(crop, rng) for _ in range(stage.batch)]), generator

    module = Autoencode(vae, stage.kl)
    if not run.restore_finished("autoencoder", module):
        Fit(run, "autoencoder", module, batch, stage)()


@torch.no_grad()
def _scaling_factor(vae: AutoencoderKL) -> float:
    """What makes the latents' standard deviation 1."""
    pictures = to_tensor([scene.pixels(128, 128) for scene in sample_scenes(256, seed=-2)])
    std = torch.cat([vae.encode(part).latent_dist.mode() for part in pictures.split(32)]).std()
    return round(1 / std.item(), 4)


class LatentBatches:
    """Batches for `Denoise` from scenes encoded once; this process's share of the stage's scenes."""

    def __init__(self, run: Run, pipe: StableDiffusionPipeline, stage: DenoiserStage):
        self.stage, self.empty_captions = stage, run.config.empty_captions
        seed = run.rng("scenes", stage.pixels).getrandbits(60)
        scenes = sample_scenes(run.share(stage.scenes), seed)
        self.latents = self._encode(run, pipe.vae, scenes)  # (scenes, 4, h, w), fp16
        self.scale = pipe.vae.config.scaling_factor
        texts = ["", *(scene.caption for scene in scenes)]
        tokens = pipe.tokenizer(texts, padding="max_length", return_tensors="pt").input_ids
        self.empty, self.tokens = tokens[:1], tokens[1:]

    @torch.no_grad()
    def _encode(self, run: Run, vae: AutoencoderKL, scenes: list[Scene]) -> torch.Tensor:
        """The scenes' latents, not yet scaled; kept on disk for a resumed run."""
        side = self.stage.pixels
        file = run.folder / f"latents-{side}-{run.accelerator.process_index}.pt"
        if not file.exists():
            parts = []
            for i in track(range(0, len(scenes), 32), f"encoding {side} px", disable=not run.main):
                pictures = to_tensor([scene.pixels(side, side) for scene in scenes[i : i + 32]])
                parts.append(vae.encode(pictures).latent_dist.mode().half())
            partial = file.with_suffix(".partial")
            torch.save(torch.cat(parts), partial)
            os.replace(partial, file)
        return torch.load(file, weights_only=True)

    def __call__(self, _: random.Random, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
        """(latents, tokens, noise, timesteps)."""
        stage, batch = self.stage, self.stage.batch
        index = torch.randint(len(self.latents), (batch,), generator=generator)
        clean = (self.latents[index].float() * self.scale).to(memory_format=torch.channels_last)
        dropped = torch.rand(batch, 1, generator=generator) < self.empty_captions
        noise = torch.randn(clean.shape, generator=generator).to(memory_format=torch.channels_last)
        level = torch.randn(batch, generator=generator) * stage.noise_std + stage.noise_mean
        timesteps = (level.sigmoid() * 1000).long().clamp(max=999)
        return clean, torch.where(dropped, self.empty, self.tokens[index]), noise, timesteps


def _train_denoiser(run: Run, pipe: StableDiffusionPipeline) -> None:
    pipe.vae.eval()
    module = Denoise(pipe.text_encoder, pipe.unet.to(memory_format=torch.channels_last))
    for number, stage in enumerate(run.config.stages, 1):
        name = f"stage{number}-{stage.pixels}px"
        if run.restore_finished(name, module):
            continue

        def sample(file: Path, pixels: int = stage.pixels) -> None:
            draw_samples(pipe, pixels).save(file)
            export(pipe, run.folder / "pipeline")

        Fit(run, name, module, LatentBatches(run, pipe, stage), stage, sample)()


@torch.no_grad()
def draw_samples(pipe: StableDiffusionPipeline, pixels: int) -> Image.Image:
    """A grid of 16 fixed prompts, one object in the upper half and two in the lower."""
    scenes = sample_scenes(8, seed=-1, objects=1) + sample_scenes(8, seed=-1, objects=2)
    generators = [torch.Generator().manual_seed(i) for i in range(len(scenes))]
    settings = models.SAMPLING["unet"]
    pipe.set_progress_bar_config(disable=True)
    images = pipe(
        [scene.caption for scene in scenes],
        height=pixels,
        width=pixels,
        num_inference_steps=settings.steps,
        guidance_scale=settings.guidance,
        generator=generators,
    ).images
    grid = Image.new("RGB", (8 * pixels, 2 * pixels))
    for i, image in enumerate(images):
        grid.paste(image, (i % 8 * pixels, i // 8 * pixels))
    return grid


def export(pipe: StableDiffusionPipeline, folder: Path) -> None:
    """Write the pipeline as fp16 safetensors in diffusers' layout; the one in memory stays fp32."""
    copy.deepcopy(pipe).to(torch.float16).save_pretrained(folder)


def _load_config(path: Path) -> TrainingConfig:
    try:
        return TrainingConfig.model_validate(yaml.safe_load(path.read_text()))
    except ValidationError as error:
        problems = ("{}: {}".format(".".join(map(str, e["loc"])), e["msg"]) for e in error.errors())
        raise typer.BadParameter(f"{path}: {'; '.join(problems)}") from None
    except (OSError, yaml.YAMLError) as error:
        raise typer.BadParameter(f"{path}: {' '.join(str(error).split())}") from None


def main(
    config_file: Annotated[Path, typer.Argument(help="a file of configs/training/")],
    run_folder: Annotated[
        Path | None, typer.Option(help="log, checkpoint, samples; default runs/NAME")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="where the weights go; default shapeworld/weights/NAME")
    ] = None,
    init_from: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="go on from these weights, keeping their autoencoder"
        ),
    ] = None,
) -> None:
    """Train a shapeworld model."""
    config = _load_config(config_file)
    torch.manual_seed(config.seed)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    run = Run(config, run_folder or Path("runs") / config.name)
    if init_from:
        pipe = StableDiffusionPipeline.from_pretrained(init_from, dtype=torch.float32, local_files_only=True)
    else:
        tokenizer = models.build_tokenizer()
        pipe = models.build_pipeline(
            models.build_vae(), models.build_text_encoder(tokenizer), models.build_unet(), tokenizer
        )
        _train_autoencoder(run, pipe.vae)
        pipe.vae.register_to_config(scaling_factor=_scaling_factor(pipe.vae))
    _train_denoiser(run, pipe)
    if run.main:
        export(pipe, out or models.WEIGHTS / config.name)


if __name__ == "__main__":
    typer.run(main)
