"""Families whose denoiser reads the text by cross-attention and never changes it."""

from __future__ import annotations

from .family import Family, TextEncoder
from .reading import (
    CLIP,
    NEGATIVE_LAST,
    behind_index,
    first_and_last,
    kandinsky_template,
    sana_instruction,
)

_SD = Family(
    "Stable Diffusion 1 and 2",
    (TextEncoder("text_encoder", "tokenizer", 77, "<|endoftext|> (SD 1) or ! (SD 2)"),),
    (("prompt_embeds", "negative_prompt_embeds"),),
    "cross",
    denoiser="unet",
    blocks=(),
    attends="attn2",
    note="SD 1 pads with the end token, SD 2 with id 0 (an exclamation mark); nothing is masked.",
)
_SDXL = Family(
    "Stable Diffusion XL",
    (CLIP, TextEncoder("text_encoder_2", "tokenizer_2", 77, "!", feeds="channels", prompt="prompt_2")),
    (("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds"),),
    "cross",
    denoiser="unet",
    blocks=(),
    attends="attn2",
    note="One encoder pads with the end token, the other with id 0; the pooled vector is the second's.",
)
_PIXART = {
    length: Family(
        title,
        (TextEncoder("text_encoder", "tokenizer", length, masked=True),),
        (NEGATIVE_LAST,),
        "cross",
        denoiser_masks=True,
        attends="attn2",
        note="T5 and cross-attention are both masked.",
    )
    for title, length in (("PixArt alpha", 120), ("PixArt sigma", 300))
}
_SANA = Family(
    "Sana",
    (TextEncoder("text_encoder", "tokenizer", 300, masked=True),),
    (NEGATIVE_LAST,),
    "cross",
    denoiser_masks=True,
    attends="attn2",
    rows=first_and_last,
    text=sana_instruction,
    note="Gemma reads a long instruction before the prompt; its rows are cut away again, but for the first.",
)
_HUNYUAN_DIT = Family(
    "HunyuanDiT",
    (
        TextEncoder("text_encoder", "tokenizer", 77, "[PAD]", masked=True),
        TextEncoder("text_encoder_2", "tokenizer_2", 256, masked=True),
    ),
    tuple(
        tuple(
            f"{name}{suffix}"
            for name in (
                "prompt_embeds",
                "negative_prompt_embeds",
                "prompt_attention_mask",
                "negative_prompt_attention_mask",
            )
        )
        for suffix in ("", "_2")
    ),
    "cross",
    blocks=("blocks",),
    behind="encoder_hidden_states_t5",
    own_masks=("text_embedding_mask", "text_embedding_mask_t5"),
    attends="attn2",
    calls=(
        {"text_encoder_index": 0, "max_sequence_length": 77},
        {"text_encoder_index": 1, "max_sequence_length": 256},
    ),
    note="BERT's rows, then T5's; the denoiser puts one learned vector in place of all padding, and attends to it.",
)

_KANDINSKY5 = Family(
    "Kandinsky 5",
    (
        TextEncoder("text_encoder", "tokenizer", None, "<|endoftext|>"),
        TextEncoder(
            "text_encoder_2", "tokenizer_2", 77, "<|endoftext|>", masked=True, feeds="pooled", plain=True
        ),
    ),
    (("prompt_embeds_qwen", "prompt_embeds_clip", "prompt_cu_seqlens"),),
    "cross",
    blocks=(),
    attends="cross_attention",
    rows=behind_index("prompt_template_encode_start_idx"),
    text=kandinsky_template,
    pooled=("prompt_embeds_clip",),
    negative="embeds",
    refused=dict.fromkeys(
        ("mask", "trim", "replace"),
        "one prompt has no padding, and that of a batch is read, unmasked, by blocks of text alone",
    ),
    note=(
        "Chat template around the prompt; a single prompt is not padded, a batch is, and nothing masks that; "
        "two blocks of text alone come before cross-attention."
    ),
)

FAMILIES: dict[str, Family] = {
    "StableDiffusionPipeline": _SD,
    "StableDiffusionXLPipeline": _SDXL,
    "PixArtAlphaPipeline": _PIXART[120],
    "PixArtSigmaPipeline": _PIXART[300],
    "SanaPipeline": _SANA,
    "HunyuanDiTPipeline": _HUNYUAN_DIT,
    "Kandinsky5T2IPipeline": _KANDINSKY5,
}
