"""The shipped models: how they are built, where they lie, how they are loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordLevel
from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

from .captions import words

WEIGHTS = Path(__file__).parent / "weights"
IMAGE_SIZE = 128  # training size in pixels
TEXT_LENGTH = 24  # tokens, beginning and end included; the longest caption needs 14
_BOS, _EOS, _UNKNOWN = "<|startoftext|>", "<|endoftext|>", "<|unknown|>"


@dataclass(frozen=True)
class Sampling:
    """The settings that a model's published figures were measured with."""

    steps: int
    guidance: float


SAMPLING = {"unet": Sampling(steps=25, guidance=4.0)}


def load_pipeline(name: str = "unet", dtype: torch.dtype = torch.float32) -> StableDiffusionPipeline:
    """A shipped model as a stock pipeline, on the CPU, without network.

    Raises:
        ValueError: no shipped model has this name.
    """
    folder = WEIGHTS / name
    if name not in SAMPLING or not folder.is_dir():
        known = ", ".join(sorted(n for n in SAMPLING if (WEIGHTS / n).is_dir()))
        raise ValueError(f"no shapeworld model named {name!r}; there is {known}")
    # SD's safety checker is absent by design, and the small tokenizer is no CLIPTokenizer.
    return StableDiffusionPipeline.from_pretrained(folder, dtype=dtype, local_files_only=True)


def build_tokenizer() -> PreTrainedTokenizerFast:
    """One token a word; padded with the end token to `TEXT_LENGTH`, as in Stable Diffusion 1."""
    vocabulary = {word: i for i, word in enumerate([_BOS, _EOS, _UNKNOWN, *words()])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token=_UNKNOWN))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{_BOS} $A {_EOS}", special_tokens=[(t, vocabulary[t]) for t in (_BOS, _EOS)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=_BOS,
        eos_token=_EOS,
        pad_token=_EOS,
        unk_token=_UNKNOWN,
        model_max_length=TEXT_LENGTH,
    )


def build_text_encoder(tokenizer: PreTrainedTokenizerFast) -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=128,
            intermediate_size=512,
            projection_dim=128,
            num_hidden_layers=3,
            num_attention_heads=4,
            max_position_embeddings=TEXT_LENGTH,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def build_unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=IMAGE_SIZE // 4,
        block_out_channels=(32, 64, 160),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=128,
        attention_head_dim=4,
        norm_num_groups=16,
    )


def build_vae() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(16, 32, 48),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=IMAGE_SIZE,
        mid_block_add_attention=False,  # decoding stays linear in the number of pixels
    )


def build_scheduler() -> DDIMScheduler:
    return DDIMScheduler(
        beta_start=1e-4,
        beta_end=2e-2,
        beta_schedule="linear",
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,  # unused by trailing spacing, but the pipeline asks for it
    )


def build_pipeline(
    vae: AutoencoderKL,
    text_encoder: CLIPTextModel,
    unet: UNet2DConditionModel,
    tokenizer: PreTrainedTokenizerFast,
) -> StableDiffusionPipeline:
    return StableDiffusionPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
