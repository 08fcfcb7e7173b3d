"""Families whose denoiser keeps text and image in two streams that attend to each other."""

from __future__ import annotations

from .family import Family, TextEncoder
from .reading import (
    CLIP,
    NEGATIVE_LAST,
    behind_template,
    flux2_chat,
    plain_chat,
    qwen_template,
)

_SD3 = Family(
    "Stable Diffusion 3",
    (
        CLIP,
        TextEncoder("text_encoder_2", "tokenizer_2", 77, "!", feeds="channels", prompt="prompt_2"),
        TextEncoder("text_encoder_3", "tokenizer_3", 256, prompt="prompt_3"),
    ),
    (("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds"),),
    "image first",
    note="Two CLIPs share 77 rows, T5 appends its own; the stock processor takes a mask and ignores it.",
)
_FLUX = Family(
    "FLUX.1",
    (
        TextEncoder("text_encoder", "tokenizer", 77, "<|endoftext|>", feeds="pooled"),
        TextEncoder("text_encoder_2", "tokenizer_2", 512, prompt="prompt_2"),
    ),
    (("prompt_embeds", "pooled_prompt_embeds", None),),
    "text first",
    blocks=("transformer_blocks", "single_transformer_blocks"),
    note="T5 without a mask, so padding leaks into the prompt's rows; CLIP gives the pooled vector only.",
)
_FLUX2 = Family(
    "FLUX.2",
    (TextEncoder("text_encoder", "tokenizer", 512, masked=True),),
    (("prompt_embeds", None),),
    "text first",
    blocks=("transformer_blocks", "single_transformer_blocks"),
    text=flux2_chat,
    note="Chat template around the prompt; the encoder is masked, the denoiser is not.",
)
_KLEIN = Family(
    "FLUX.2 klein",
    (TextEncoder("text_encoder", "tokenizer", 512, "<|endoftext|>", masked=True),),
    (("prompt_embeds", None),),
    "text first",
    blocks=("transformer_blocks", "single_transformer_blocks"),
    text=plain_chat,
    negative="embeds",
    note="Chat template around the prompt; the encoder is masked, the denoiser is not.",
)
_CHROMA = Family(
    "Chroma",
    (TextEncoder("text_encoder", "tokenizer", 512, masked=True),),
    (
        (
            "prompt_embeds",
            None,
            "prompt_attention_mask",
            "negative_prompt_embeds",
            None,
            "negative_prompt_attention_mask",
        ),
    ),
    "text first",
    blocks=("transformer_blocks", "single_transformer_blocks"),
    mask_argument="attention_mask",
    mask_is_honoured=False,
    note=(
        "Meant to mask all padding but one token; diffusers 0.42 adds the mask's ones and zeros to the "
        "attention scores instead, which hides nothing."
    ),
)
_AURA_FLOW = Family(
    "AuraFlow",
    (TextEncoder("text_encoder", "tokenizer", 256, masked=True),),
    (NEGATIVE_LAST,),
    "text first",
    blocks=("joint_transformer_blocks", "single_transformer_blocks"),
    offset=8,
    note="The padding's rows are set to zero, but joint attention still attends to them, after 8 registers.",
)
_QWEN_IMAGE = Family(
    "Qwen-Image",
    (TextEncoder("text_encoder", "tokenizer", None, "<|endoftext|>", masked=True),),
    (("prompt_embeds", "prompt_embeds_mask"),),
    "text first",
    denoiser_masks=True,
    mask_argument="encoder_hidden_states_mask",
    rows=behind_template,
    text=qwen_template,
    note="Chat template around the prompt; a single prompt is not padded, a batch is, and that is masked.",
)
_COGVIEW4 = Family(
    "CogView4",
    (TextEncoder("text_encoder", "tokenizer", None, "<|endoftext|>"),),
    (("prompt_embeds", "negative_prompt_embeds"),),
    "text first",
    attends="attn1",
    note="Padded at the left, to a multiple of 16; nothing is masked.",
)


FAMILIES: dict[str, Family] = {
    "StableDiffusion3Pipeline": _SD3,
    "FluxPipeline": _FLUX,
    "Flux2Pipeline": _FLUX2,
    "Flux2KleinPipeline": _KLEIN,
    "ChromaPipeline": _CHROMA,
    "AuraFlowPipeline": _AURA_FLOW,
    "QwenImagePipeline": _QWEN_IMAGE,
    "CogView4Pipeline": _COGVIEW4,
}
