"""Small pipelines whose denoiser reads text by cross-attention."""

from __future__ import annotations

import diffusers
import transformers

from tests.tiny.image_parts import flow, vae
from tests.tiny.text_encoders import (
    TextProcessor,
    bert_tokenizer,
    clip_encoder,
    clip_tokenizer,
    count,
    gemma_tokenizer,
    language_model,
    qwen25_vl,
    qwen_tokenizer,
    t5_encoder,
    t5_tokenizer,
)


def unet(width: int, **more: object) -> diffusers.UNet2DConditionModel:
    return diffusers.UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=width,
        attention_head_dim=2,
        norm_num_groups=4,
        **more,
    )


def sd1() -> diffusers.DiffusionPipeline:
    return _sd(clip_tokenizer())


def sd2() -> diffusers.DiffusionPipeline:
    return _sd(clip_tokenizer(pad="!"))


def _sd(tokenizer: transformers.PreTrainedTokenizerFast) -> diffusers.DiffusionPipeline:
    return diffusers.StableDiffusionPipeline(
        vae=vae(),
        text_encoder=clip_encoder(tokenizer),
        tokenizer=tokenizer,
        unet=unet(16),
        scheduler=diffusers.DDIMScheduler(steps_offset=1, clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def sdxl() -> diffusers.DiffusionPipeline:
    first, second = clip_tokenizer(), clip_tokenizer(pad="!")
    return diffusers.StableDiffusionXLPipeline(
        vae=vae(),
        text_encoder=clip_encoder(first),
        text_encoder_2=clip_encoder(second, projection=True),
        tokenizer=first,
        tokenizer_2=second,
        unet=unet(
            32,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=16 + 6 * 8,
            use_linear_projection=True,
        ),
        scheduler=diffusers.EulerDiscreteScheduler(),
        force_zeros_for_empty_prompt=False,
        add_watermarker=False,
    )


def _pixart(pipeline: type, **more: object) -> diffusers.DiffusionPipeline:
    return pipeline(
        tokenizer=t5_tokenizer(),
        text_encoder=t5_encoder(),
        vae=vae(),
        transformer=diffusers.PixArtTransformer2DModel(
            sample_size=16,
            num_layers=2,
            patch_size=2,
            attention_head_dim=8,
            num_attention_heads=2,
            in_channels=4,
            out_channels=8,
            cross_attention_dim=16,
            caption_channels=32,
            **more,
        ),
        scheduler=diffusers.DDIMScheduler(clip_sample=False),
    )


def pixart_alpha() -> diffusers.DiffusionPipeline:
    return _pixart(diffusers.PixArtAlphaPipeline, use_additional_conditions=False)


def pixart_sigma() -> diffusers.DiffusionPipeline:
    return _pixart(diffusers.PixArtSigmaPipeline, use_additional_conditions=False)


def sana() -> diffusers.DiffusionPipeline:
    return diffusers.SanaPipeline(
        tokenizer=gemma_tokenizer(),
        text_encoder=language_model("Gemma2"),
        vae=diffusers.AutoencoderDC(
            latent_channels=4,
            attention_head_dim=2,
            encoder_block_types=("ResBlock", "ResBlock"),
            decoder_block_types=("ResBlock", "ResBlock"),
            encoder_block_out_channels=(8, 8),
            decoder_block_out_channels=(8, 8),
            encoder_qkv_multiscales=((), ()),
            decoder_qkv_multiscales=((), ()),
            encoder_layers_per_block=(1, 1),
            decoder_layers_per_block=(1, 1),
            upsample_block_type="interpolate",
            downsample_block_type="stride_conv",
            decoder_norm_types="rms_norm",
            decoder_act_fns="silu",
        ),
        transformer=diffusers.SanaTransformer2DModel(
            sample_size=16,
            patch_size=1,
            in_channels=4,
            out_channels=4,
            num_layers=2,
            num_attention_heads=2,
            attention_head_dim=8,
            num_cross_attention_heads=2,
            cross_attention_head_dim=8,
            cross_attention_dim=16,
            caption_channels=16,
        ),
        scheduler=flow(shift=3.0),
    )


def hunyuan_dit() -> diffusers.DiffusionPipeline:
    return diffusers.HunyuanDiTPipeline(
        vae=vae(levels=4),  # this pipeline takes a factor of 8 for granted
        text_encoder=transformers.BertModel(
            transformers.BertConfig(
                vocab_size=64,
                hidden_size=16,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=32,
                max_position_embeddings=77,
            )
        ),
        tokenizer=bert_tokenizer(),
        transformer=diffusers.HunyuanDiT2DModel(
            sample_size=16,
            num_layers=2,
            patch_size=2,
            attention_head_dim=8,
            num_attention_heads=2,
            in_channels=4,
            hidden_size=16,
            cross_attention_dim=16,
            cross_attention_dim_t5=32,
            pooled_projection_dim=16,
            activation_fn="gelu-approximate",
        ),
        scheduler=diffusers.DDPMScheduler(clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
        text_encoder_2=t5_encoder(),
        tokenizer_2=t5_tokenizer(),
    )


def kandinsky5() -> diffusers.DiffusionPipeline:
    tokenizer = clip_tokenizer()
    pipe = diffusers.Kandinsky5T2IPipeline(
        transformer=diffusers.Kandinsky5Transformer3DModel(
            in_visual_dim=4,
            in_text_dim=16,
            in_text_dim2=16,
            time_dim=16,
            out_visual_dim=4,
            model_dim=32,
            ff_dim=32,
            num_text_blocks=1,
            num_visual_blocks=2,
            axes_dims=(4, 6, 6),
        ),
        vae=vae(levels=4),  # this pipeline takes a factor of 8 for granted
        text_encoder=qwen25_vl(),
        tokenizer=TextProcessor(qwen_tokenizer()),
        text_encoder_2=clip_encoder(tokenizer),
        tokenizer_2=tokenizer,
        scheduler=flow(shift=3.0),
    )
    pipe.resolutions = [(32, 32)]
    before = pipe.prompt_template.split("{}")[0]
    pipe.prompt_template_encode_start_idx = count(pipe.tokenizer.tokenizer, before)
    return pipe
