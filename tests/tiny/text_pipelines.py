"""Tiny random pipelines of each family's true architecture, built offline: a few thousand weights each."""

from __future__ import annotations

import functools
import warnings

import diffusers
import torch
import transformers
from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordLevel

WORDS = "a red green blue circle square cat dog on in the left of and large small sitting under big old tree"
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
MISTRAL_CHAT = (
    "<s>{% for m in messages %}{% if m['role'] == 'system' %}[SYSTEM_PROMPT]{{ m['content'][0]['text'] }}"
    "[/SYSTEM_PROMPT]{% else %}[INST]{{ m['content'][0]['text'] }}[/INST]{% endif %}{% endfor %}"
)
SIZE = {"height": 32, "width": 32}


def word_tokenizer(
    specials: list[str],
    single: str = "$A",
    length: int = 77,
    side: str = "right",
    chat: str | None = None,
    **named,
) -> transformers.PreTrainedTokenizerFast:
    """One token a word. `specials` come first, so the first one has id 0."""
    vocabulary = {word: i for i, word in enumerate([*specials, "<unk>", *WORDS.split()])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    if single != "$A":
        used = [(s, vocabulary[s]) for s in specials if s in single.split()]
        tokenizer.post_processor = processors.TemplateProcessing(single=single, special_tokens=used)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=length, unk_token="<unk>", padding_side=side, **named
    )
    fast.add_special_tokens({"additional_special_tokens": [s for s in specials if s.startswith(("<", "["))]})
    fast.chat_template = chat
    return fast


def clip_tokenizer(pad: str = "<|endoftext|>", length: int = 77) -> transformers.PreTrainedTokenizerFast:
    """CLIP's: begin, words, end; padded with the end token (SD 1) or with "!", id 0 (SD 2)."""
    return word_tokenizer(
        ["!", "<|startoftext|>", "<|endoftext|>"],
        "<|startoftext|> $A <|endoftext|>",
        length,
        bos_token="<|startoftext|>",
        eos_token="<|endoftext|>",
        pad_token=pad,
    )


def t5_tokenizer(length: int = 512) -> transformers.PreTrainedTokenizerFast:
    return word_tokenizer(["<pad>", "</s>"], "$A </s>", length, pad_token="<pad>", eos_token="</s>")


def gemma_tokenizer() -> transformers.PreTrainedTokenizerFast:
    return word_tokenizer(
        ["<pad>", "<eos>", "<bos>"], "<bos> $A", 8192, pad_token="<pad>", eos_token="<eos>", bos_token="<bos>"
    )


def qwen_tokenizer() -> transformers.PreTrainedTokenizerFast:
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    named = {"pad_token": "<|endoftext|>", "eos_token": "<|im_end|>"}
    return word_tokenizer(specials, length=2048, chat=CHAT, **named)


def clip_encoder(
    tokenizer: transformers.PreTrainedTokenizerFast, width: int = 16, projection: bool = False
) -> torch.nn.Module:
    config = transformers.CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        projection_dim=width,
        num_hidden_layers=3,
        num_attention_heads=2,
        max_position_embeddings=tokenizer.model_max_length,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return (transformers.CLIPTextModelWithProjection if projection else transformers.CLIPTextModel)(config)


def t5_encoder(width: int = 32, kind: str = "T5") -> torch.nn.Module:
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=64, d_model=width, d_kv=8, d_ff=32, num_layers=2, num_heads=2, dropout_rate=0.0
    )
    return getattr(transformers, f"{kind}EncoderModel")(config)


def _language_model(kind: str, width: int = 16, model: str = "Model", **more: object) -> torch.nn.Module:
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=64,
        hidden_size=width,
        intermediate_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=8,
        pad_token_id=0,
        **more,
    )
    return getattr(transformers, f"{kind}{model}")(config)


def _vae(levels: int = 2) -> diffusers.AutoencoderKL:
    return diffusers.AutoencoderKL(
        block_out_channels=(8,) * levels,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=32,
        mid_block_add_attention=False,
        shift_factor=0.0,
    )


def _unet(width: int, **more: object) -> diffusers.UNet2DConditionModel:
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


def _flow(**more: object) -> diffusers.FlowMatchEulerDiscreteScheduler:
    return diffusers.FlowMatchEulerDiscreteScheduler(**more)


def sd1() -> diffusers.DiffusionPipeline:
    return _sd(clip_tokenizer())


def sd2() -> diffusers.DiffusionPipeline:
    return _sd(clip_tokenizer(pad="!"))


def _sd(tokenizer: transformers.PreTrainedTokenizerFast) -> diffusers.DiffusionPipeline:
    return diffusers.StableDiffusionPipeline(
        vae=_vae(),
        text_encoder=clip_encoder(tokenizer),
        tokenizer=tokenizer,
        unet=_unet(16),
        scheduler=diffusers.DDIMScheduler(steps_offset=1, clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def sdxl() -> diffusers.DiffusionPipeline:
    first, second = clip_tokenizer(), clip_tokenizer(pad="!")
    return diffusers.StableDiffusionXLPipeline(
        vae=_vae(),
        text_encoder=clip_encoder(first),
        text_encoder_2=clip_encoder(second, projection=True),
        tokenizer=first,
        tokenizer_2=second,
        unet=_unet(
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


def sd3(t5: bool = True) -> diffusers.DiffusionPipeline:
    tokenizers = clip_tokenizer(), clip_tokenizer(pad="!")
    return diffusers.StableDiffusion3Pipeline(
        transformer=diffusers.SD3Transformer2DModel(
            sample_size=16,
            patch_size=2,
            in_channels=4,
            num_layers=2,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=32,
            caption_projection_dim=16,
            pooled_projection_dim=32,
            out_channels=4,
            pos_embed_max_size=16,
            dual_attention_layers=(0,),
            qk_norm="rms_norm",
        ),
        scheduler=_flow(shift=3.0),
        vae=_vae(),
        text_encoder=clip_encoder(tokenizers[0], projection=True),
        tokenizer=tokenizers[0],
        text_encoder_2=clip_encoder(tokenizers[1], projection=True),
        tokenizer_2=tokenizers[1],
        text_encoder_3=t5_encoder() if t5 else None,
        tokenizer_3=t5_tokenizer() if t5 else None,
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
        scheduler=_flow(),
        vae=_vae(),
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
        scheduler=_flow(),
        vae=_vae(),
        text_encoder=clip_encoder(tokenizer),
        tokenizer=tokenizer,
        text_encoder_2=clip_encoder(tokenizer, width=32),
        tokenizer_2=tokenizer,
        transformer=diffusers.FluxTransformer2DModel(pooled_projection_dim=16, **_flux_parts()),
    )


def chroma() -> diffusers.DiffusionPipeline:
    return diffusers.ChromaPipeline(
        scheduler=_flow(),
        vae=_vae(),
        text_encoder=t5_encoder(),
        tokenizer=t5_tokenizer(),
        transformer=diffusers.ChromaTransformer2DModel(
            approximator_num_channels=16, approximator_hidden_dim=16, approximator_layers=1, **_flux_parts()
        ),
    )


def _flux2_transformer(width: int) -> diffusers.Flux2Transformer2DModel:
    parts = _flux_parts() | {"joint_attention_dim": width, "axes_dims_rope": (4, 4, 4, 4)}
    return diffusers.Flux2Transformer2DModel(guidance_embeds=True, timestep_guidance_channels=16, **parts)


def _flux2_vae() -> diffusers.AutoencoderKLFlux2:
    return diffusers.AutoencoderKLFlux2(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=32,
        mid_block_add_attention=False,
    )


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
        scheduler=_flow(),
        vae=_flux2_vae(),
        text_encoder=_language_model("Mistral"),
        tokenizer=tokenizer,
        transformer=_flux2_transformer(48),
    )
    return pipe


def flux2_klein() -> diffusers.DiffusionPipeline:
    return diffusers.Flux2KleinPipeline(
        scheduler=_flow(),
        vae=_flux2_vae(),
        text_encoder=_language_model("Qwen3", model="ForCausalLM"),
        tokenizer=qwen_tokenizer(),
        transformer=_flux2_transformer(48),
    )


def _pixart(pipeline: type, **more: object) -> diffusers.DiffusionPipeline:
    return pipeline(
        tokenizer=t5_tokenizer(),
        text_encoder=t5_encoder(),
        vae=_vae(),
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
        text_encoder=_language_model("Gemma2"),
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
        scheduler=_flow(shift=3.0),
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
        scheduler=_flow(),
        vae=_vae(),
        text_encoder=_language_model("Gemma2"),
        tokenizer=gemma_tokenizer(),
    )


def aura_flow() -> diffusers.DiffusionPipeline:
    return diffusers.AuraFlowPipeline(
        tokenizer=t5_tokenizer(),
        text_encoder=t5_encoder(kind="UMT5"),
        vae=_vae(),
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
        scheduler=_flow(),
    )


def qwen_image() -> diffusers.DiffusionPipeline:
    encoder = transformers.Qwen2_5_VLForConditionalGeneration(
        transformers.Qwen2_5_VLConfig(
            text_config={
                "hidden_size": 16,
                "intermediate_size": 16,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "num_key_value_heads": 2,
                "vocab_size": 64,
                "rope_scaling": {"mrope_section": [1, 1, 2], "rope_type": "default", "type": "default"},
                "rope_theta": 1000000.0,
            },
            vision_config={
                "depth": 1,
                "hidden_size": 16,
                "intermediate_size": 16,
                "num_heads": 2,
                "out_hidden_size": 16,
            },
            vision_start_token_id=61,
            vision_end_token_id=62,
            image_token_id=63,
            video_token_id=60,
        )
    )
    pipe = diffusers.QwenImagePipeline(
        scheduler=_flow(use_dynamic_shifting=True),
        vae=diffusers.AutoencoderKLQwenImage(
            base_dim=8,
            z_dim=4,
            dim_mult=[1, 1, 1, 1],
            num_res_blocks=1,
            temperal_downsample=[False, True, True],
            latents_mean=[0.0] * 4,
            latents_std=[1.0] * 4,
        ),
        text_encoder=encoder,
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
    # Our words are longer than Qwen's pieces: count the template's tokens before the prompt anew.
    before = pipe.prompt_template_encode.split("{}")[0]
    pipe.prompt_template_encode_start_idx = len(pipe.tokenizer(before).input_ids)
    return pipe


def z_image() -> diffusers.DiffusionPipeline:
    return diffusers.ZImagePipeline(
        scheduler=_flow(),
        vae=_vae(),
        text_encoder=_language_model("Qwen3"),
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


def hunyuan_dit() -> diffusers.DiffusionPipeline:
    bert = word_tokenizer(
        ["[PAD]", "[CLS]", "[SEP]"],
        "[CLS] $A [SEP]",
        77,
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    )
    return diffusers.HunyuanDiTPipeline(
        vae=_vae(levels=4),  # this pipeline takes a factor of 8 for granted
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
        tokenizer=bert,
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
        text_encoder=_language_model("Glm"),
        vae=_vae(),
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
        scheduler=_flow(base_shift=0.25, max_shift=0.75, base_image_seq_len=256, use_dynamic_shifting=True),
    )


BUILDERS = {
    builder.__name__: builder
    for builder in (
        sd1,
        sd2,
        sdxl,
        sd3,
        flux,
        flux_clip,
        flux2,
        flux2_klein,
        chroma,
        pixart_alpha,
        pixart_sigma,
        sana,
        lumina2,
        aura_flow,
        qwen_image,
        z_image,
        hunyuan_dit,
        cogview4,
    )
}

# What a call needs besides prompt and size, to be small and to stay in the family's own setting.
CALL = {name: {"num_inference_steps": 2} for name in BUILDERS} | {
    "sd3": {"num_inference_steps": 2, "max_sequence_length": 24},
    "flux": {"num_inference_steps": 2, "max_sequence_length": 24},
    "flux_clip": {"num_inference_steps": 2, "max_sequence_length": 72},
    "flux2": {"num_inference_steps": 2, "max_sequence_length": 64, "text_encoder_out_layers": (1, 2, 3)},
    "flux2_klein": {
        "num_inference_steps": 2,
        "max_sequence_length": 24,
        "text_encoder_out_layers": (1, 2, 3),
    },
    "chroma": {"num_inference_steps": 2, "max_sequence_length": 24},
    "pixart_alpha": {"num_inference_steps": 2, "max_sequence_length": 24, "use_resolution_binning": False},
    "pixart_sigma": {"num_inference_steps": 2, "max_sequence_length": 24, "use_resolution_binning": False},
    "sana": {"num_inference_steps": 2, "max_sequence_length": 24, "use_resolution_binning": False},
    "lumina2": {"num_inference_steps": 2, "max_sequence_length": 64},
    "aura_flow": {"num_inference_steps": 2, "max_sequence_length": 24},
    "z_image": {"num_inference_steps": 2, "max_sequence_length": 64},
    "hunyuan_dit": {"num_inference_steps": 2, "use_resolution_binning": False},
}


def run(pipe: diffusers.DiffusionPipeline, name: str, prompt: object, seeds: tuple = (0,), **more: object):
    """Images of a plain call of the pipeline as an array, (images, height, width, 3)."""
    noise = [torch.Generator().manual_seed(seed) for seed in seeds]
    images = pipe(prompt=prompt, generator=noise, output_type="np", **SIZE, **CALL[name] | more).images
    return torch.as_tensor(images)


def text_options(name: str) -> dict:
    """The part of a family's call that shapes its text."""
    return {k: v for k, v in CALL[name].items() if k in ("max_sequence_length", "text_encoder_out_layers")}


@functools.cache
def pipeline(name: str) -> diffusers.DiffusionPipeline:
    """The tiny pipeline of a family, built once and shared."""
    return fresh(name)


def fresh(name: str) -> diffusers.DiffusionPipeline:
    """A tiny pipeline of one's own; seeded, so that it is the same in every run."""
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "`FluxPosEmbed` is deprecated", FutureWarning
        )  # Chroma's own import
        torch.manual_seed(0)
        pipe = BUILDERS[name]()
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval().requires_grad_(False)
            _spread(part)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _spread(module: torch.nn.Module) -> None:
    """Library initial weights are near zero in places; spread them, so that text visibly moves the output."""
    generator = torch.Generator().manual_seed(1)
    for name, weight in module.named_parameters():
        if weight.ndim >= 2:
            weight.copy_(torch.randn(weight.shape, generator=generator) * (1.0 / weight[0].numel() ** 0.5))
        elif "bias" in name:
            weight.copy_(torch.randn(weight.shape, generator=generator) * 0.02)
