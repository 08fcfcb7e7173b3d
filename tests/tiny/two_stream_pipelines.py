"""Small pipelines of 2026 whose denoiser keeps text and image in two streams."""

from __future__ import annotations

import diffusers
import transformers

from tests.tiny.image_parts import flow, vae
from tests.tiny.text_encoders import (
    clip_encoder,
    clip_tokenizer,
    count,
    language_model,
    llama,
    llama_tokenizer,
    qwen25_vl,
    qwen_tokenizer,
    t5_encoder,
    t5_tokenizer,
)

_FLUX_LIKE = {
    "patch_size": 1,
    "in_channels": 16,
    "num_layers": 2,
    "num_single_layers": 2,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "axes_dims_rope": (4, 4, 8),
}


def ovis() -> diffusers.DiffusionPipeline:
    pipe = diffusers.OvisImagePipeline(
        scheduler=flow(),
        vae=vae(),
        text_encoder=language_model("Qwen3"),
        tokenizer=qwen_tokenizer(),
        transformer=diffusers.OvisImageTransformer2DModel(
            joint_attention_dim=16, out_channels=16, **_FLUX_LIKE
        ),
    )
    pipe.user_prompt_begin_id = count(pipe.tokenizer, "<|im_start|>user\n" + pipe.system_prompt)
    return pipe


def longcat() -> diffusers.DiffusionPipeline:
    """16 channels of the picture are written into its pipeline; without the processor that rewrites prompts."""
    pipe = diffusers.LongCatImagePipeline(
        scheduler=flow(),
        vae=vae(channels=16),
        text_encoder=qwen25_vl(),
        tokenizer=qwen_tokenizer(),
        text_processor=None,
        transformer=diffusers.LongCatImageTransformer2DModel(
            joint_attention_dim=16, pooled_projection_dim=16, **_FLUX_LIKE | {"in_channels": 64}
        ),
    )
    pipe.tokenizer_max_length = 24
    return pipe


def bria() -> diffusers.DiffusionPipeline:
    return diffusers.BriaPipeline(
        scheduler=flow(use_dynamic_shifting=True),
        vae=vae(),
        text_encoder=t5_encoder(),
        tokenizer=t5_tokenizer(),
        transformer=diffusers.BriaTransformer2DModel(joint_attention_dim=32, **_FLUX_LIKE),
    )


def hunyuan_image() -> diffusers.DiffusionPipeline:
    pipe = diffusers.HunyuanImagePipeline(
        scheduler=flow(),
        vae=diffusers.AutoencoderKLHunyuanImage(
            in_channels=3,
            out_channels=3,
            latent_channels=4,
            block_out_channels=(32, 32),
            layers_per_block=1,
            spatial_compression_ratio=2,
            sample_size=32,
            scaling_factor=1.0,
        ),
        text_encoder=qwen25_vl(),
        tokenizer=qwen_tokenizer(),
        text_encoder_2=t5_encoder(),
        tokenizer_2=transformers.ByT5Tokenizer(),
        guider=diffusers.AdaptiveProjectedMixGuidance(),
        transformer=diffusers.HunyuanImageTransformer2DModel(
            in_channels=4,
            out_channels=4,
            num_attention_heads=2,
            attention_head_dim=16,
            num_layers=2,
            num_single_layers=2,
            num_refiner_layers=1,
            patch_size=(2, 2),
            text_embed_dim=16,
            text_embed_2_dim=32,
            rope_axes_dim=(8, 8),
        ),
    )
    pipe.tokenizer_max_length, pipe.tokenizer_2_max_length = 24, 8
    before = pipe.prompt_template_encode.split("{}")[0]
    pipe.prompt_template_encode_start_idx = count(pipe.tokenizer, before)
    return pipe


def hidream() -> diffusers.DiffusionPipeline:
    tokenizers = clip_tokenizer(length=248), clip_tokenizer("!", length=248)
    pipe = diffusers.HiDreamImagePipeline(
        scheduler=flow(),
        vae=vae(),
        text_encoder=clip_encoder(tokenizers[0], projection=True),
        tokenizer=tokenizers[0],
        text_encoder_2=clip_encoder(tokenizers[1], projection=True),
        tokenizer_2=tokenizers[1],
        text_encoder_3=t5_encoder(),
        tokenizer_3=t5_tokenizer(),
        text_encoder_4=llama(),
        tokenizer_4=llama_tokenizer(),
        transformer=diffusers.HiDreamImageTransformer2DModel(
            patch_size=2,
            in_channels=4,
            num_layers=2,
            num_single_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            caption_channels=[32, 16],
            text_emb_dim=32,
            axes_dims_rope=(8, 4, 4),
            max_resolution=(16, 16),
            llama_layers=[0, 1, 2, 2],
        ),
    )
    pipe.default_sample_size = 16
    return pipe
