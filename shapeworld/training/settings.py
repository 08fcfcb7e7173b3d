"""What a training is asked for: a YAML file of `configs/training/`, checked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt

_Share = Annotated[float, Field(ge=0, le=1)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Stage(_Settings):
    """One stretch of training; the learning rate falls from `lr` to `lr_end` along half a cosine.

    `muon`: whether the matrices are trained by Muon, which on the denoiser reached in 260 steps what AdamW
    had not reached in 348, the same time on a CPU; everything else is always trained by AdamW.
    """

    images: PositiveInt  # seen in all, by all processes together; with `--minutes`, its part of the time
    batch: PositiveInt  # a process
    lr: PositiveFloat
    lr_end: NonNegativeFloat
    muon: bool = False


class AutoencoderStage(Stage):
    batch: PositiveInt = 8
    lr: PositiveFloat = 1.5e-3
    lr_end: NonNegativeFloat = 3e-5
    kl: NonNegativeFloat = 3e-4


class DenoiserStage(Stage):
    """A stage of a denoiser begins with the averaged weights of the one before, a fresh optimizer and scenes of
    its own, unless that one has the same size and seed."""

    pixels: Annotated[int, Field(gt=0, multiple_of=8)]  # the autoencoder's factor of 4, and patches of 2 x 2
    scenes: PositiveInt  # distinct ones, encoded once at the start of the stage
    seed: int | None = None  # of its scenes and noise; the training's, where it is left out
    batch: PositiveInt = 16
    muon: bool = True
    lr: PositiveFloat = 1e-3
    lr_end: NonNegativeFloat = 1e-4
    noise_mean: float = 0.0  # timesteps are 1000 x sigmoid(normal(noise_mean, noise_std))
    noise_std: PositiveFloat = 1.0


class ContrastStage(Stage):
    batch: Annotated[int, Field(gt=0, multiple_of=2)] = 128  # each scene with a hard negative
    lr: PositiveFloat = 1e-3
    lr_end: NonNegativeFloat = 1e-5
    noise: NonNegativeFloat = 0.1  # most that is added to a picture in [0, 1], standard deviation


class TrainingConfig(_Settings):
    """One training.

    `model`: "unet" trains the autoencoder, the text encoder and the UNet; with `frozen_encoder` the text
    encoder is the shipped CLIP's and stays as it is. "joint" trains a joint-attention transformer on the
    shipped autoencoder and CLIP. "clip" trains that CLIP. `name` is one of `models.SAMPLING`, or "clip".
    """

    name: str
    model: Literal["unet", "joint", "clip"] = "unet"
    frozen_encoder: bool = False
    autoencoder: AutoencoderStage | None = None  # of "unet"; left out, it needs weights to go on from
    contrast: ContrastStage | None = None  # of "clip"
    stages: list[DenoiserStage] = []
    seed: int = 0
    empty_captions: _Share = 0.1
    ema: _Share = 0.999
    bf16: bool = False  # products in bfloat16: a fifth faster where the processor has them (avx512_bf16, amx)
    tf32: bool = False  # products in TensorFloat-32 on a GPU; on the CPU it changes nothing
    checkpoint_minutes: NonNegativeFloat = 3
    sample_minutes: NonNegativeFloat = 5

    def trained(self, init_from: str | None) -> list[Stage]:
        """Every stage that a run goes through; with weights to go on from, the autoencoder is theirs."""
        if self.model == "clip":
            return [self.contrast] if self.contrast else []
        autoencoder = [self.autoencoder] if self.model == "unet" and self.autoencoder else []
        return [*([] if init_from else autoencoder), *self.stages]
