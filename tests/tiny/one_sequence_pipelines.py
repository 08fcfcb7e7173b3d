"""Small pipelines of 2026 whose denoiser puts text and image into one sequence, or their keys."""

from __future__ import annotations

import diffusers

from tests.tiny.image_parts import flow, flux2_vae, qwen_image_vae, vae
from tests.tiny.text_encoders import (
    count,
    language_model,
    qwen3_vl,
    qwen_tokenizer,
    t5_gemma,
    word_tokenizer,
)


class _PlainText:
    """In place of PRX's own, which needs a package more: the tests' prompts are clean."""

    def clean_text(self, text: str) -> str:
        return text.lower().strip()

    basic_clean = clean_text


def prx() -> diffusers.DiffusionPipeline:
    tokenizer = word_tokenizer(
        ["<pad>", "<eos>", "<bos>"],
        "<bos> $A",
        256,
        pad_token="<pad>",
        eos_token="<eos>",
        bos_token="<bos>",
    )
    pipe = diffusers.PRXPipeline(
        transformer=diffusers.PRXTransformer2DModel(
            in_channels=4,
            patch_size=2,
            context_in_dim=16,
            hidden_size=32,
            num_heads=2,
            depth=2,
            axes_dim=[8, 8],
        ),
        scheduler=flow(),
        text_encoder=t5_gemma(),
        tokenizer=tokenizer,
        vae=vae(),
    )
    pipe.text_preprocessor = _PlainText()
    return pipe


def krea2() -> diffusers.DiffusionPipeline:
    pipe = diffusers.Krea2Pipeline(
        scheduler=flow(use_dynamic_shifting=True),
        vae=qwen_image_vae(),
        text_encoder=qwen3_vl(),
        tokenizer=qwen_tokenizer(),
        transformer=diffusers.Krea2Transformer2DModel(
            in_channels=16,
            num_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            num_key_value_heads=1,
            intermediate_size=32,
            timestep_embed_dim=16,
            text_hidden_dim=16,
            num_text_layers=3,
            text_num_attention_heads=2,
            text_num_key_value_heads=2,
            text_intermediate_size=32,
            num_layerwise_text_blocks=1,
            num_refiner_text_blocks=1,
            axes_dims_rope=(4, 6, 6),
        ),
        text_encoder_select_layers=(1, 2, 3),
    )
    pipe.prompt_template_encode_start_idx = count(pipe.tokenizer, pipe.prompt_template_encode_prefix)
    pipe.prompt_template_encode_num_suffix_tokens = count(pipe.tokenizer, pipe.prompt_template_encode_suffix)
    return pipe


def ernie() -> diffusers.DiffusionPipeline:
    tokenizer = word_tokenizer(
        ["<pad>", "<s>", "</s>"],
        "<s> $A",
        4096,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
    )
    return diffusers.ErnieImagePipeline(
        transformer=diffusers.ErnieImageTransformer2DModel(
            hidden_size=32,
            num_attention_heads=2,
            num_layers=2,
            ffn_hidden_size=32,
            in_channels=16,
            out_channels=16,
            text_in_dim=16,
            rope_axes_dim=(4, 6, 6),
        ),
        vae=flux2_vae(),
        text_encoder=language_model("Mistral"),
        tokenizer=tokenizer,
        scheduler=flow(),
    )
