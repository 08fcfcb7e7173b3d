"""The shipped models: how they are built, where they lie, how they are loaded."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DiffusionPipeline,
    FlowMatchEulerDiscreteScheduler,
    FluxTransformer2DModel,
    UNet2DConditionModel,
)
from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordLevel
from torch import nn
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPVisionConfig,
    PreTrainedTokenizerFast,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from .captions import words
from .masking import MASKINGS, apply_masking
from .quiet import quiet
from .shipped import NAMES, WEIGHTS, models_in

if TYPE_CHECKING:  # their modules are imported where they are built, for transformers prints notes on them
    from diffusers import FluxPipeline, StableDiffusionPipeline

IMAGE_SIZE = 128  # the training size in pixels
TEXT_LENGTH = 24  # tokens, beginning and end included; the longest caption needs 14
LONG_TEXT_LENGTH = 72  # the joint-attention models', with more than four times as much padding as caption
CLIP_IMAGE_SIZE = 64
SILENT_WIDTH = 32  # of the pooled vector that FLUX's architecture asks for and that is zero here
_WORLD = "shapeworld"  # the name in a folder's `sampling.json` by which other loaders find this world
_BOS, _EOS, _UNKNOWN = "<|startoftext|>", "<|endoftext|>", "<|unknown|>"


@dataclass(frozen=True)
class Sampling:
    """What a model's folder says about it in `sampling.json`: how it is sampled, and what it sees of padding.

    Attributes:
        call: arguments for `pipe(prompt, **call)`; the published figures were measured with them.
        masking: one of `masking.MASKINGS`.
    """

    call: dict[str, Any]
    masking: str = "none"

    @classmethod
    def read(cls, folder: Path) -> Sampling:
        """What a folder says.

        Raises:
            ValueError: its `sampling.json` is missing, damaged, or asks for a masking that there is not.
        """
        file = folder / "sampling.json"
        try:
            values = json.loads(file.read_text())
            # Version 0.1 wrote `masked` and knew two kinds.
            masking = values.get("masking", "both" if values.get("masked") else "none")
            sampling = cls(dict(values["call"]), masking)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(
                f'{file} cannot be read ({error}): it holds {{"world": "{_WORLD}", "call": ..., "masking": ...}}'
            ) from None
        if masking not in MASKINGS:
            raise ValueError(f"{file} has masking={masking!r}; it can be {', '.join(MASKINGS)}")
        return sampling

    def save(self, folder: Path) -> None:
        values = {"world": _WORLD, **dataclasses.asdict(self)}
        (folder / "sampling.json").write_text(json.dumps(values, indent=2) + "\n")

    @property
    def steps(self) -> int:
        return int(self.call["num_inference_steps"])

    @property
    def guidance(self) -> float:
        """Scale of classifier-free guidance."""
        return float(self.call.get("true_cfg_scale") or self.call["guidance_scale"])

    @property
    def pixels(self) -> int:
        """Height and width."""
        return int(self.call["height"])


SAMPLING = {name: Sampling.read(WEIGHTS / name) for name in NAMES}


def model_names() -> list[str]:
    """The models that are shipped, as `load_pipeline` takes them."""
    return models_in(WEIGHTS)


def load_pipeline(
    name: str = "unet", dtype: torch.dtype = torch.float32
) -> StableDiffusionPipeline | FluxPipeline:
    """A shipped model as a stock pipeline, on the CPU, without network.

    Raises:
        ValueError: no shipped model has this name.
    """
    if name not in model_names():
        raise ValueError(f"no shapeworld model named {name!r}; there is {', '.join(model_names())}")
    pipe: StableDiffusionPipeline | FluxPipeline = load_folder(WEIGHTS / name, dtype)
    return pipe


def load_folder(folder: str | Path, dtype: torch.dtype = torch.float32) -> Any:
    """A pipeline of ours from a folder that the training wrote, with the masking that it was trained with.

    Raises:
        ValueError: see `Sampling.read`.
    """
    sampling = Sampling.read(Path(folder))
    # Absent by design: SD's safety checker and FLUX's image encoder. The small tokenizer is no CLIPTokenizer.
    with quiet():
        pipe = DiffusionPipeline.from_pretrained(folder, dtype=dtype, local_files_only=True)
    apply_masking(pipe, sampling.masking)
    return pipe


def load_clip() -> tuple[CLIPModel, CLIPProcessor]:
    """The shipped CLIP of scenes and captions, and what makes its inputs: `processor(text=..., images=...,
    padding=True, return_tensors="pt")`.

    Raises:
        ValueError: no CLIP is shipped.
    """
    folder = WEIGHTS / "clip"
    if not folder.is_dir():
        raise ValueError(f"no CLIP is shipped: {folder} is missing")
    with quiet():
        clip = CLIPModel.from_pretrained(folder, dtype=torch.float32, local_files_only=True).eval()
    return clip, CLIPProcessor.from_pretrained(folder, local_files_only=True)


def build_tokenizer(length: int = TEXT_LENGTH) -> PreTrainedTokenizerFast:
    """One token a word; padded with the end token to `length`, as in Stable Diffusion 1."""
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
        model_max_length=length,
    )


def build_text_encoder(tokenizer: PreTrainedTokenizerFast) -> CLIPTextModel:
    return CLIPTextModel(_text_config(tokenizer))


def _text_config(tokenizer: PreTrainedTokenizerFast) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=512,
        projection_dim=128,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=tokenizer.model_max_length,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def build_clip(tokenizer: PreTrainedTokenizerFast) -> CLIPModel:
    """A small CLIP; its text model is as wide and deep as the jointly trained text encoder."""
    vision = CLIPVisionConfig(
        hidden_size=128,
        intermediate_size=512,
        projection_dim=128,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=CLIP_IMAGE_SIZE,
        patch_size=8,
    )
    text = _text_config(tokenizer)
    return CLIPModel(
        CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=128)
    )


def shipped_text_encoder() -> CLIPTextModel:
    """The shipped CLIP's text model, as the frozen encoder of a denoiser.

    Raises:
        ValueError: no CLIP is shipped.
    """
    return load_clip()[0].text_model


def build_clip_processor(tokenizer: PreTrainedTokenizerFast) -> CLIPProcessor:
    side = {"height": CLIP_IMAGE_SIZE, "width": CLIP_IMAGE_SIZE}
    pictures = CLIPImageProcessorPil(size=side, do_center_crop=False)
    return CLIPProcessor(pictures, tokenizer)


def build_silent_encoder(tokenizer: PreTrainedTokenizerFast) -> CLIPTextModel:
    """A text encoder whose output is zero, for FLUX's pooled vector.

    A pooled vector that knows the caption would tell the picture everything, and the text's rows, which are
    what padding is about, would go unread.
    """
    config = _text_config(tokenizer)
    config.hidden_size, config.intermediate_size, config.num_hidden_layers = SILENT_WIDTH, SILENT_WIDTH, 1
    encoder = CLIPTextModel(config)
    norm = getattr(encoder, "text_model", encoder).final_layer_norm
    nn.init.zeros_(norm.weight)
    nn.init.zeros_(norm.bias)
    return encoder


def build_transformer() -> FluxTransformer2DModel:
    """FLUX's architecture in small: double-stream blocks, then single-stream ones, on patches of 2 x 2."""
    return FluxTransformer2DModel(
        in_channels=16,
        num_layers=2,
        num_single_layers=6,
        attention_head_dim=64,  # so that several pairs of rotary channels turn within a picture, as in FLUX
        num_attention_heads=2,
        joint_attention_dim=128,
        pooled_projection_dim=SILENT_WIDTH,
        axes_dims_rope=(8, 28, 28),
    )


def build_joint_pipeline(
    vae: AutoencoderKL,
    text_encoder: CLIPTextModel,
    transformer: FluxTransformer2DModel,
    tokenizer: PreTrainedTokenizerFast,
) -> FluxPipeline:
    with quiet():
        from diffusers import FluxPipeline

    vae.register_to_config(shift_factor=0.0)  # FLUX's pipeline adds it
    return FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=vae,
        text_encoder=build_silent_encoder(tokenizer),
        tokenizer=tokenizer,
        text_encoder_2=text_encoder,
        tokenizer_2=tokenizer,
        transformer=transformer,
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
    with quiet():
        from diffusers import StableDiffusionPipeline

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
