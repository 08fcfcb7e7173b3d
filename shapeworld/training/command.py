"""A training from its YAML file to the weights' folder: what `python -m shapeworld.train` runs."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable, Mapping
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
from ..masking import apply_masking
from ..scenes import sample_scenes
from .batches import CaptionedPictures, DrawnBatches, LatentBatches, crop_inputs, to_float
from .objectives import Autoencode, Contrast, Denoise, Flow
from .rendering import Crops, ScenePairs, ScenePictures, scene_batches
from .run import Run
from .settings import TrainingConfig
from .stages import StageTraining


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
        draw = ScenePairs(stage.batch // 2, models.CLIP_IMAGE_SIZE, stage.noise)
        finish = CaptionedPictures(processor.image_processor, tokenizer)
        batches = DrawnBatches(run, "contrast", draw, finish)
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
    return _train_denoiser(run, pipe, module, pipe.unet)


def train_joint(run: Run, init_from: Path | None) -> Callable[[Path], None]:
    """Train a small FLUX on the shipped autoencoder and CLIP; gives what writes it to a folder."""
    if init_from:
        pipe = models.load_folder(init_from)  # with its masking, which is the model's
    else:
        pipe = models.build_joint_pipeline(
            models.load_pipeline("unet").vae,
            models.shipped_text_encoder(),
            models.build_transformer(),
            models.build_tokenizer(models.LONG_TEXT_LENGTH),
        )
        apply_masking(pipe, models.SAMPLING[run.config.name].masking)
    encoder = pipe.text_encoder_2.requires_grad_(False)
    module = Flow(encoder, models.SILENT_WIDTH, pipe.transformer)
    return _train_denoiser(run, pipe, module, pipe.transformer)


def _train_autoencoder(run: Run, vae: AutoencoderKL) -> None:
    stage = run.config.autoencoder
    if stage is None:
        raise ValueError(f"{run.config.name} has no 'autoencoder' stage: give --init-from")

    module = Autoencode(vae, stage.kl)
    if not run.restore_finished("autoencoder", module):
        batches = DrawnBatches(run, "autoencoder", Crops(stage.batch), crop_inputs)
        StageTraining(run, "autoencoder", module, batches, stage)()
    vae.register_to_config(scaling_factor=_scaling_factor(vae))


@torch.no_grad()
def _scaling_factor(vae: AutoencoderKL) -> float:
    """What makes the latents' standard deviation 1."""
    pictures = scene_batches(ScenePictures(sample_scenes(256, seed=-2), 128), 32, workers=0)
    parts = [vae.encode(to_float(part.to(vae.device))).latent_dist.mode() for part in pictures]
    std = torch.cat(parts).std()
    return round(1 / std.item(), 4)


def _train_denoiser(run: Run, pipe: Any, module: nn.Module, denoiser: nn.Module) -> Callable[[Path], None]:
    """Every stage of `module`, which holds the denoiser; gives what writes the pipeline to a folder."""
    if not run.config.stages:
        raise ValueError(f"{run.config.name} has no 'stages'")
    pipe.to(run.device)  # what is not trained too: the VAE encodes scenes and decodes samples
    pipe.vae.eval()
    if run.compiled:
        denoiser.compile()  # in place: its weights keep their names
    tokenizer = getattr(pipe, "tokenizer_2", None) or pipe.tokenizer
    for number, stage in enumerate(run.config.stages, 1):
        name = f"stage{number}-{stage.pixels}px"
        if run.restore_finished(name, module):
            continue

        def sample(file: Path, pixels: int = stage.pixels) -> None:
            draw_samples(pipe, models.SAMPLING[run.config.name], pixels).save(file)
            export(pipe, models.SAMPLING[run.config.name], run.folder / "pipeline")

        batches = LatentBatches(run, name, pipe.vae, tokenizer, stage)
        StageTraining(run, name, module, batches, stage, sample)()
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
        return TrainingConfig.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise typer.BadParameter(f"{path}: {'; '.join(map(_sentence, error.errors()))}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise typer.BadParameter(f"{path}: {' '.join(str(error).split())}") from None


def _sentence(problem: Mapping[str, Any]) -> str:
    """One of pydantic's problems with a config: where, what is wanted, and what stands there."""
    where = ".".join(map(str, problem["loc"])) or "the file"
    there = f", not {problem['input']!r}" if problem["msg"].startswith("Input should be") else ""
    return f"{where}: {problem['msg']}{there}"


def _check(config: TrainingConfig, init_from: Path | None, minutes: float | None, compiled: bool) -> None:
    """What the config and the switches say must fit the models that there are, before anything is begun."""
    names = [name for name in (*models.SAMPLING, "clip") if name.split("-")[0] == config.model]
    if config.name not in names:
        raise ValueError(f"name={config.name!r}: a model {config.model!r} is named {' or '.join(names)}")
    if minutes is not None and not 0 < minutes < math.inf:
        raise ValueError(f"--minutes {minutes:g}: give a number of minutes greater than 0")
    if compiled and config.model == "clip":
        raise ValueError("--compile is for denoisers, and model='clip' has none: leave it out")
    if init_from and config.model == "joint":
        before, wanted = models.Sampling.read(init_from).masking, models.SAMPLING[config.name].masking
        if before != wanted:
            raise ValueError(
                f"--init-from {init_from}: these weights were trained with masking={before!r}, and "
                f"{config.name} is a model with masking={wanted!r}"
            )


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
    minutes: Annotated[
        float | None,
        typer.Option(
            help="train for so long, instead of the config's images; the stages share it as their images are. "
            "Encoding scenes beforehand comes on top"
        ),
    ] = None,
    compiled: Annotated[bool, typer.Option("--compile", help="compile the denoiser")] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="processes that draw pictures for each one that trains; default: the cores that it leaves free, "
            "at most 16",
        ),
    ] = None,
) -> None:
    """Train a shapeworld model."""
    config = _load_config(config_file)
    torch.manual_seed(config.seed)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    try:
        _check(config, init_from, minutes, compiled)
        run = Run(
            config,
            run_folder or Path("runs") / config.name,
            str(init_from) if init_from else None,
            minutes=minutes,
            compiled=compiled,
            workers=workers,
        )
        write = _TRAINERS[config.model](run, init_from)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{config_file}: {error}") from None
    if run.main:
        write(out or models.WEIGHTS / config.name)
