"""Small pipelines whose denoiser reads text by joint attention, FLUX's kin apart."""

from __future__ import annotations

import diffusers

from tests.tiny.image_parts import flow, qwen_image_vae, vae
from tests.tiny.text_encoders import (
    clip_encoder,
    clip_tokenizer,
    count,
    gemma_tokenizer,
    language_model,
    qwen25_vl,
    qwen_tokenizer,
    t5_encoder,
    t5_tokenizer,
    word_tokenizer,
)


def sd3_transformer(channels: int = 4) -> diffusers.SD3Transformer2DModel:
    return diffusers.SD3Transformer2DModel(
        sample_size=16,
        patch_size=2,
        in_channels=channels,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=32,
        caption_projection_dim=16,
        pooled_projection_dim=32,
        out_channels=channels,
        pos_embed_max_size=16,
        dual_attention_layers=(0,),
        qk_norm="rms_norm",
    )


def sd3(t5: bool = True) -> diffusers.DiffusionPipeline:
    tokenizers = clip_tokenizer(), clip_tokenizer(pad="!")
    return diffusers.StableDiffusion3Pipeline(
        transformer=sd3_transformer(),
        scheduler=flow(shift=3.0),
        vae=vae(),
        text_encoder=clip_encoder(tokenizers[0], projection=True),
        tokenizer=tokenizers[0],
        text_encoder_2=clip_encoder(tokenizers[1], projection=True),
        tokenizer_2=tokenizers[1],
        text_encoder_3=t5_encoder() if t5 else None,
        tokenizer_3=t5_tokenizer() if t5 else None,
    )


def lumina2() -> diffusers.DiffusionPipeline:
    return diffusers.Lumina2Pipeline(
        transformer=diffusers.Lumina2Transformer2DModel(
            sample_size=4,
            patch_size=2,
            in_channels=4,
            hidden_size=16,
            num_layers=2,
            num_refiner_layers=1,
            num_attention_heads=2,
            num_kv_heads=1,
            multiple_of=16,
            cap_feat_dim=16,
            axes_dim_rope=(4, 2, 2),
            axes_lens=(300, 64, 64),
        ),
        scheduler=flow(),
        vae=vae(),
        text_encoder=language_model("Gemma2"),
        tokenizer=gemma_tokenizer(),
    )


def aura_flow() -> diffusers.DiffusionPipeline:
    return diffusers.AuraFlowPipeline(
        tokenizer=t5_tokenizer(),
        text_encoder=t5_encoder(kind="UMT5"),
        vae=vae(),
        transformer=diffusers.AuraFlowTransformer2DModel(
            sample_size=16,
            patch_size=2,
            in_channels=4,
            num_mmdit_layers=1,
            num_single_dit_layers=2,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=32,
            caption_projection_dim=16,
            out_channels=4,
            pos_embed_max_size=64,
        ),
        scheduler=flow(),
    )


def qwen_image() -> diffusers.DiffusionPipeline:
    pipe = diffusers.QwenImagePipeline(
        scheduler=flow(use_dynamic_shifting=True),
        vae=qwen_image_vae(),
        text_encoder=qwen25_vl(),
        tokenizer=qwen_tokenizer(),
        transformer=diffusers.QwenImageTransformer2DModel(
            patch_size=2,
            in_channels=16,
            out_channels=4,
            num_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=16,
            axes_dims_rope=(8, 4, 4),
        ),
    )
    pipe.prompt_template_encode_start_idx = count(pipe.tokenizer, pipe.prompt_template_encode.split("{}")[0])
    return pipe


def z_image() -> diffusers.DiffusionPipeline:
    return diffusers.ZImagePipeline(
        scheduler=flow(),
        vae=vae(),
        text_encoder=language_model("Qwen3"),
        tokenizer=qwen_tokenizer(),
        transformer=diffusers.ZImageTransformer2DModel(
            in_channels=4,
            dim=32,
            n_layers=2,
            n_refiner_layers=1,
            n_heads=2,
            n_kv_heads=2,
            cap_feat_dim=16,
            axes_dims=[8, 4, 4],
            axes_lens=[256, 32, 32],
        ),
    )


def cogview4() -> diffusers.DiffusionPipeline:
    tokenizer = word_tokenizer(
        ["<|endoftext|>", "[gMASK]", "<sop>"],
        "[gMASK] <sop> $A",
        1024,
        "left",
        pad_token="<|endoftext|>",
        eos_token="<|endoftext|>",
    )
    return diffusers.CogView4Pipeline(
        tokenizer=tokenizer,
        text_encoder=language_model("Glm"),
        vae=vae(),
        transformer=diffusers.CogView4Transformer2DModel(
            patch_size=2,
            in_channels=4,
            num_layers=2,
            attention_head_dim=8,
            num_attention_heads=2,
            out_channels=4,
            text_embed_dim=16,
            time_embed_dim=8,
            condition_dim=4,
            sample_size=16,
            rope_axes_dim=(16, 16),
        ),
        scheduler=flow(base_shift=0.25, max_shift=0.75, base_image_seq_len=256, use_dynamic_shifting=True),
    )
