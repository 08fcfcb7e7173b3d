"""A training from its YAML file to the weights' folder: what `python -m shapeworld.train` runs."""

from __future__ import annotations

import copy
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
import yaml
from diffusers import AutoencoderKL
from PIL import Image
from pydantic import ValidationError
from torch import nn
from transformers import CLIPModel

from .. import models
from ..masked import mask_padding
from ..scenes import sample_scenes
from .batches import CaptionedPictures, LatentBatches, edge_crop, to_tensor
from .objectives import Autoencode, Contrast, Denoise, Flow
from .stages import Run, StageTraining, TrainingConfig


def train_clip(run: Run, init_from: Path | None) -> Callable[[Path], None]:
    """Train the CLIP of scenes and captions; gives what writes it to a folder."""
    stage = run.config.contrast
    if stage is None:
        raise ValueError(f"{run.config.name}: a CLIP needs a 'contrast' stage")
    tokenizer = models.build_tokenizer(models.LONG_TEXT_LENGTH)
    processor = models.build_clip_processor(tokenizer)
    if init_from:
        # Not in the half precision of the files, in which a step takes ten times as long here.
        clip = CLIPModel.from_pretrained(init_from, dtype=torch.float32)
    else:
        clip = models.build_clip(tokenizer)
    module = Contrast(clip)
    if not run.restore_finished("contrast", module):
        batches = CaptionedPictures(processor.image_processor, tokenizer, stage)
        StageTraining(run, "contrast", module, batches, stage)()

    def write(folder: Path) -> None:
        copy.deepcopy(clip).half().save_pretrained(folder)
        processor.save_pretrained(folder)

    return write


def train_unet(run: Run, init_from: Path | None) -> Callable[[Path], None]:
    """Train a small Stable Diffusion; gives what writes it to a folder."""
    if init_from:
        pipe = models.load_folder(init_from)
    else:
        tokenizer = models.build_tokenizer()
        pipe = models.build_pipeline(
            models.build_vae(), models.build_text_encoder(tokenizer), models.build_unet(), tokenizer
        )
        _train_autoencoder(run, pipe.vae)
    if run.config.frozen_encoder:
        pipe.text_encoder = models.shipped_text_encoder().requires_grad_(False)
    module = Denoise(pipe.text_encoder, pipe.unet.to(memory_format=torch.channels_last), pipe.scheduler)
    return _train_denoiser(run, pipe, module)


def train_joint(run: Run, init_from: Path | None) -> Callable[[Path], None]:
    """Train a small FLUX on the shipped autoencoder and CLIP; gives what writes it to a folder."""
    if init_from:
        pipe = models.load_folder(init_from)
    else:
        pipe = models.build_joint_pipeline(
            models.load_pipeline("unet").vae,
            models.shipped_text_encoder(),
            models.build_transformer(),
            models.build_tokenizer(models.LONG_TEXT_LENGTH),
        )
    if models.SAMPLING[run.config.name].masked:
        mask_padding(pipe)
    encoder = pipe.text_encoder_2.requires_grad_(False)
    return _train_denoiser(run, pipe, Flow(encoder, models.SILENT_WIDTH, pipe.transformer))


def _train_autoencoder(run: Run, vae: AutoencoderKL) -> None:
    stage = run.config.autoencoder
    if stage is None:
        raise ValueError(f"{run.config.name} has no 'autoencoder' stage: give --init-from")

    def batch(rng: random.Random, generator: torch.Generator) -> tuple:
        crop = rng.choice((32, 32, 32, 64))  # small ones are cheap, large ones show whole scenes
        return to_tensor([edge_crop(crop, rng) for _ in range(stage.batch)]), generator

    module = Autoencode(vae, stage.kl)
    if not run.restore_finished("autoencoder", module):
        StageTraining(run, "autoencoder", module, batch, stage)()
    vae.register_to_config(scaling_factor=_scaling_factor(vae))


@torch.no_grad()
def _scaling_factor(vae: AutoencoderKL) -> float:
    """What makes the latents' standard deviation 1."""
    pictures = to_tensor([scene.pixels(128, 128) for scene in sample_scenes(256, seed=-2)])
    parts = pictures.to(vae.device).split(32)
    std = torch.cat([vae.encode(part).latent_dist.mode() for part in parts]).std()
    return round(1 / std.item(), 4)


def _train_denoiser(run: Run, pipe: Any, module: nn.Module) -> Callable[[Path], None]:
    """Every stage of a denoiser; gives what writes the pipeline to a folder."""
    if not run.config.stages:
        raise ValueError(f"{run.config.name} has no 'stages'")
    pipe.to(run.device)  # what is not trained too: the VAE encodes scenes and decodes samples
    pipe.vae.eval()
    tokenizer = getattr(pipe, "tokenizer_2", None) or pipe.tokenizer
    for number, stage in enumerate(run.config.stages, 1):
        name = f"stage{number}-{stage.pixels}px"
        if run.restore_finished(name, module):
            continue

        def sample(file: Path, pixels: int = stage.pixels) -> None:
            draw_samples(pipe, models.SAMPLING[run.config.name], pixels).save(file)
            export(pipe, models.SAMPLING[run.config.name], run.folder / "pipeline")

        StageTraining(run, name, module, LatentBatches(run, pipe.vae, tokenizer, stage), stage, sample)()
    return lambda folder: export(pipe, models.SAMPLING[run.config.name], folder)


@torch.no_grad()
def draw_samples(pipe: Any, sampling: models.Sampling, pixels: int) -> Image.Image:
    """A grid of 16 fixed prompts, one object in the upper half and two in the lower."""
    scenes = sample_scenes(8, seed=-1, objects=1) + sample_scenes(8, seed=-1, objects=2)
    call = sampling.call | dict(height=pixels, width=pixels)
    if "negative_prompt" in call:
        call["negative_prompt"] = [call["negative_prompt"]] * len(scenes)
    pipe.set_progress_bar_config(disable=True)
    images = pipe(
        [scene.caption for scene in scenes],
        generator=[torch.Generator().manual_seed(i) for i in range(len(scenes))],
        **call,
    ).images
    grid = Image.new("RGB", (8 * pixels, 2 * pixels))
    for i, image in enumerate(images):
        grid.paste(image, (i % 8 * pixels, i // 8 * pixels))
    return grid


def export(pipe: Any, sampling: models.Sampling, folder: Path) -> None:
    """Write the pipeline as fp16 safetensors in diffusers' layout, and how to sample it; the one in memory stays
    fp32."""
    copy.deepcopy(pipe).to(torch.float16).save_pretrained(folder)
    sampling.save(folder)


def _load_config(path: Path) -> TrainingConfig:
    try:
        return TrainingConfig.model_validate(yaml.safe_load(path.read_text()))
    except ValidationError as error:
        problems = ("{}: {}".format(".".join(map(str, e["loc"])), e["msg"]) for e in error.errors())
        raise typer.BadParameter(f"{path}: {'; '.join(problems)}") from None
    except (OSError, yaml.YAMLError) as error:
        raise typer.BadParameter(f"{path}: {' '.join(str(error).split())}") from None


_TRAINERS = {"unet": train_unet, "joint": train_joint, "clip": train_clip}


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
    try:
        run = Run(config, run_folder or Path("runs") / config.name, str(init_from) if init_from else None)
        write = _TRAINERS[config.model](run, init_from)
    except ValueError as error:
        raise typer.BadParameter(f"{config_file}: {error}") from None
    if run.main:
        write(out or models.WEIGHTS / config.name)
