"""Train a shapeworld model: `python -m shapeworld.train configs/training/unet.yaml`.

On several cores, one process a core is faster than one process with several threads:
`torchrun --nproc-per-node 2 -m shapeworld.train ...`.
A killed run goes on from its last checkpoint when the same command is given again.
"""

from __future__ import annotations

import copy
import json
import math
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
import yaml
from accelerate import Accelerator
from diffusers import AutoencoderKL, StableDiffusionPipeline
from diffusers.training_utils import EMAModel
from PIL import Image
from pydantic import BaseModel, ConfigDict, ValidationError
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn, track
from torch import nn
from torch.nn.functional import l1_loss, mse_loss

from . import models
from .scenes import sample_scenes


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AutoencoderStage(_Settings):
    images: int  # seen in all, by all processes together
    batch: int = 8  # a process
    lr: float = 2e-3
    kl: float = 1e-4


class DenoiserStage(_Settings):
    pixels: int
    scenes: int  # distinct ones, encoded once at the start of the stage
    images: int  # seen in all, by all processes together
    batch: int = 16  # a process
    lr: float = 1e-3
    lr_end: float = 1e-4
    noise_mean: float = 0.0  # timesteps are 1000 x sigmoid(normal(noise_mean, noise_std))
    noise_std: float = 1.0


class TrainingConfig(_Settings):
    name: str
    autoencoder: AutoencoderStage
    stages: list[DenoiserStage]
    seed: int = 0
    empty_captions: float = 0.1
    ema: float = 0.999
    checkpoint_minutes: float = 3
    sample_minutes: float = 5


class Autoencode(nn.Module):
    """Forward gives (loss, mean squared error) of reconstructing pictures (B, 3, height, width)."""

    def __init__(self, vae: AutoencoderKL, kl: float):
        super().__init__()
        self.vae, self.kl = vae, kl

    def forward(self, pictures: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
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


class Run:
    """One training run: its folder, log, checkpoint and progress bar."""

    def __init__(self, config: TrainingConfig, folder: Path):
        self.config, self.folder = config, folder
        self.accelerator = Accelerator(cpu=not torch.cuda.is_available())
        self.main = self.accelerator.is_main_process
        folder.mkdir(parents=True, exist_ok=True)
        self.checkpoint_file = folder / "checkpoint.pt"
        self.checkpoint = {}
        if self.checkpoint_file.exists():
            self.checkpoint = torch.load(self.checkpoint_file, weights_only=True)

    def log(self, **values: object) -> None:
        if self.main:
            with open(self.folder / "log.jsonl", "a") as file:
                file.write(json.dumps({"time": round(time.time()), **values}) + "\n")

    def rng(self, *key: object) -> random.Random:
        """Random numbers for one step of one process: the same ones after a resume."""
        return random.Random("/".join(map(str, (self.config.seed, *key, self.accelerator.process_index))))

    def share(self, total: int) -> int:
        """This process's part of `total`."""
        return math.ceil(total / self.accelerator.num_processes)

    def save(self, **state: object) -> None:
        if self.main:
            partial = self.checkpoint_file.with_suffix(".partial")
            torch.save(state, partial)
            os.replace(partial, self.checkpoint_file)

    def progress(self) -> Progress:
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}, loss {task.fields[loss]:.4f}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            disable=not self.main,
        )

    def fit(
        self,
        name: str,
        module: nn.Module,
        batch: Callable[[random.Random, torch.Generator], tuple],
        images: int,
        batch_size: int,
        lr: float,
        lr_end: float,
        sample: Callable[[Path], None] | None = None,
    ) -> None:
        """Train `module` on `batch(...)`, whose forward gives (loss, figure to log); ends with EMA weights.

        The learning rate warms up over 100 steps and falls from `lr` to `lr_end` along a half cosine.
        """
        done = self.checkpoint.get("done", [])
        steps = self.share(images) // batch_size
        parameters = list(module.parameters())
        ema = EMAModel(parameters, decay=self.config.ema)
        optimizer = torch.optim.AdamW(parameters, lr=lr, betas=(0.9, 0.99), weight_decay=0.01)
        first = 0
        if name in done or self.checkpoint.get("stage") == name:
            module.load_state_dict(self.checkpoint["modules"][name])
            if name in done:
                return
            first = self.checkpoint["step"]
            optimizer.load_state_dict(self.checkpoint["optimizer"])
            ema.load_state_dict(self.checkpoint["ema"])
        modules = self.checkpoint.get("modules", {})
        wrapped, optimizer = self.accelerator.prepare(module, optimizer)
        wrapped.train()
        saved = sampled = time.time()
        with self.progress() as bar:
            task = bar.add_task(name, total=steps, completed=first, loss=float("nan"))
            for step in range(first, steps):
                rate = lr_end + (lr - lr_end) * (1 + math.cos(math.pi * step / steps)) / 2
                for group in optimizer.param_groups:
                    group["lr"] = rate * min(1, (step + 1) / 100)
                rng = self.rng(name, step)
                inputs = batch(rng, torch.Generator().manual_seed(rng.getrandbits(60)))
                loss, figure = wrapped(*inputs)
                self.accelerator.backward(loss)
                self.accelerator.clip_grad_norm_(parameters, 1.0)
                optimizer.step()
                optimizer.zero_grad()
                ema.step(parameters)
                bar.update(task, advance=1, loss=loss.item())
                if step % 50 == 0:
                    self.log(stage=name, step=step, of=steps, loss=loss.item(), figure=figure.item(), lr=rate)
                if self.main and time.time() - saved > 60 * self.config.checkpoint_minutes:
                    state = {"optimizer": optimizer.state_dict(), "ema": ema.state_dict()}
                    self.save(done=done, stage=name, step=step + 1, modules=modules | {name: module.state_dict()}, **state)
                    saved = time.time()
                if sample and self.main and time.time() - sampled > 60 * self.config.sample_minutes:
                    self._sampled(module, ema, parameters, sample, name, step)
                    sampled = time.time()
        ema.copy_to(parameters)
        self.checkpoint = {"done": [*done, name], "modules": modules | {name: module.state_dict()}}
        self.save(**self.checkpoint)
        if sample and self.main:
            self._sampled(module, ema, parameters, sample, name, steps)

    def _sampled(self, module: nn.Module, ema: EMAModel, parameters: list, sample: Callable, name: str, step: int):
        """Draw and export with the averaged weights, then put the running ones back."""
        ema.store(parameters)
        ema.copy_to(parameters)
        module.eval()
        sample(self.folder / f"{name}-{step:06d}.png")
        module.train()
        ema.restore(parameters)


def to_tensor(pictures: list[np.ndarray]) -> torch.Tensor:
    """uint8 (height, width, 3) pictures as one float tensor (B, 3, height, width) in [-1, 1]."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def _train_autoencoder(run: Run, vae: AutoencoderKL) -> None:
    stage = run.config.autoencoder

    def batch(rng: random.Random, generator: torch.Generator) -> tuple:
        # Edges look the same at every size, so crops of large pictures teach what small ones can.
        pictures = []
        for scene in sample_scenes(stage.batch, seed=rng.getrandbits(60)):
            side = rng.choice((64, 128, 256))
            y, x = (rng.randint(0, side - 64) for _ in range(2))
            pictures.append(scene.pixels(side, side)[y : y + 64, x : x + 64])
        return to_tensor(pictures), generator

    run.fit("autoencoder", Autoencode(vae, stage.kl), batch, stage.images, stage.batch, stage.lr, stage.lr / 50)


@torch.no_grad()
def _scaling_factor(vae: AutoencoderKL) -> float:
    """What makes the latents' standard deviation 1."""
    pictures = to_tensor([scene.pixels(128, 128) for scene in sample_scenes(256, seed=-2)])
    std = torch.cat([vae.encode(part).latent_dist.mode() for part in pictures.split(32)]).std()
    return round(1 / std.item(), 4)


@torch.no_grad()
def _encode_scenes(run: Run, vae: AutoencoderKL, stage: DenoiserStage) -> tuple[torch.Tensor, list[str]]:
    """This process's scenes as latents (N, 4, h, w) in fp16, not yet scaled, and their captions. Kept on disk."""
    scenes = sample_scenes(run.share(stage.scenes), seed=run.rng("scenes", stage.pixels).getrandbits(60))
    captions = [scene.caption for scene in scenes]
    file = run.folder / f"latents-{stage.pixels}-{run.accelerator.process_index}.pt"
    if file.exists():
        return torch.load(file, weights_only=True), captions
    latents = []
    for i in track(range(0, len(scenes), 32), f"encoding {stage.pixels} px", disable=not run.main):
        pictures = to_tensor([s.pixels(stage.pixels, stage.pixels) for s in scenes[i : i + 32]])
        latents.append(vae.encode(pictures).latent_dist.mode().half())
    result = torch.cat(latents)
    torch.save(result, file)
    return result, captions


def _train_denoiser(run: Run, pipe: StableDiffusionPipeline) -> None:
    tokenizer, vae, config = pipe.tokenizer, pipe.vae.eval(), run.config
    module = Denoise(pipe.text_encoder, pipe.unet.to(memory_format=torch.channels_last))
    for number, stage in enumerate(config.stages, 1):
        name = f"stage{number}-{stage.pixels}px"
        if name in run.checkpoint.get("done", []):
            run.fit(name, module, None, stage.images, stage.batch, stage.lr, stage.lr_end)  # loads it
            continue
        latents, captions = _encode_scenes(run, vae, stage)
        tokens = tokenizer(captions, padding="max_length", return_tensors="pt").input_ids
        empty = tokenizer("", padding="max_length", return_tensors="pt").input_ids

        def batch(rng: random.Random, generator: torch.Generator, stage=stage, latents=latents, tokens=tokens) -> tuple:
            index = torch.randint(len(latents), (stage.batch,), generator=generator)
            clean = latents[index].float() * vae.config.scaling_factor
            clean = clean.to(memory_format=torch.channels_last)
            dropped = torch.rand(stage.batch, 1, generator=generator) < config.empty_captions
            noise = torch.randn(clean.shape, generator=generator).to(memory_format=torch.channels_last)
            level = torch.randn(stage.batch, generator=generator) * stage.noise_std + stage.noise_mean
            timesteps = (level.sigmoid() * 1000).long().clamp(max=999)
            return clean, torch.where(dropped, empty, tokens[index]), noise, timesteps

        def sample(file: Path, stage=stage) -> None:
            draw_samples(pipe, stage.pixels).save(file)
            export(pipe, run.folder / "pipeline")

        run.fit(name, module, batch, stage.images, stage.batch, stage.lr, stage.lr_end, sample)


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
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise typer.BadParameter(f"{path}: {error}") from None


def main(
    config_file: Annotated[Path, typer.Argument(help="a file of configs/training/")],
    run_folder: Annotated[Path | None, typer.Option(help="log, checkpoint, samples; default runs/NAME")] = None,
    out: Annotated[Path | None, typer.Option(help="where the weights go; default shapeworld/weights/NAME")] = None,
    init_from: Annotated[Path | None, typer.Option(help="go on from these weights, keeping their autoencoder")] = None,
) -> None:
    """Train a shapeworld model."""
    config = _load_config(config_file)
    torch.manual_seed(config.seed)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    run = Run(config, run_folder or Path("runs") / config.name)
    if init_from:
        pipe = StableDiffusionPipeline.from_pretrained(init_from, torch_dtype=torch.float32, local_files_only=True)
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
