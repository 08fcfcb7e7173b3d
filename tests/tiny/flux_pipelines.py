"""Small pipelines of FLUX and its kin, FLUX.2 and Chroma."""

from __future__ import annotations

import diffusers

from tests.tiny.image_parts import flow, flux2_vae, vae
from tests.tiny.text_encoders import (
    MISTRAL_CHAT,
    clip_encoder,
    clip_tokenizer,
    language_model,
    qwen_tokenizer,
    t5_encoder,
    t5_tokenizer,
    word_tokenizer,
)


def _flux_parts() -> dict:
    return {
        "patch_size": 1,
        "in_channels": 16,
        "num_layers": 2,
        "num_single_layers": 2,
        "attention_head_dim": 16,
        "num_attention_heads": 2,
        "joint_attention_dim": 32,
        "axes_dims_rope": (4, 4, 8),
    }


def flux() -> diffusers.DiffusionPipeline:
    tokenizer = clip_tokenizer()
    return diffusers.FluxPipeline(
        scheduler=flow(),
        vae=vae(),
        text_encoder=clip_encoder(tokenizer),
        tokenizer=tokenizer,
        text_encoder_2=t5_encoder(),
        tokenizer_2=t5_tokenizer(),
        transformer=diffusers.FluxTransformer2DModel(pooled_projection_dim=16, **_flux_parts()),
    )


def flux_clip() -> diffusers.DiffusionPipeline:
    """FLUX with a second CLIP in T5's place: causal, 72 positions, padded with the end token."""
    tokenizer = clip_tokenizer(length=72)
    return diffusers.FluxPipeline(
        scheduler=flow(),
        vae=vae(),
        text_encoder=clip_encoder(tokenizer),
        tokenizer=tokenizer,
        text_encoder_2=clip_encoder(tokenizer, width=32),
        tokenizer_2=tokenizer,
        transformer=diffusers.FluxTransformer2DModel(pooled_projection_dim=16, **_flux_parts()),
    )


def chroma() -> diffusers.DiffusionPipeline:
    return diffusers.ChromaPipeline(
        scheduler=flow(),
        vae=vae(),
        text_encoder=t5_encoder(),
        tokenizer=t5_tokenizer(),
        transformer=diffusers.ChromaTransformer2DModel(
            approximator_num_channels=16, approximator_hidden_dim=16, approximator_layers=1, **_flux_parts()
        ),
    )


def _flux2_transformer(width: int) -> diffusers.Flux2Transformer2DModel:
    parts = _flux_parts() | {"joint_attention_dim": width, "axes_dims_rope": (4, 4, 4, 4)}
    return diffusers.Flux2Transformer2DModel(guidance_embeds=True, timestep_guidance_channels=16, **parts)


def flux2() -> diffusers.DiffusionPipeline:
    tokenizer = word_tokenizer(
        ["<pad>", "<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"],
        length=4096,
        side="left",
        chat=MISTRAL_CHAT,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
    )
    pipe = diffusers.Flux2Pipeline(
        scheduler=flow(),
        vae=flux2_vae(),
        text_encoder=language_model("Mistral"),
        tokenizer=tokenizer,
        transformer=_flux2_transformer(48),
    )
    return pipe


def flux2_klein() -> diffusers.DiffusionPipeline:
    return diffusers.Flux2KleinPipeline(
        scheduler=flow(),
        vae=flux2_vae(),
        text_encoder=language_model("Qwen3", model="ForCausalLM"),
        tokenizer=qwen_tokenizer(),
        transformer=_flux2_transformer(48),
    )
