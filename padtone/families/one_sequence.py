"""Families whose denoiser puts text and image into one sequence from its first block on."""

from __future__ import annotations

from .family import Family, TextEncoder
from .reading import (
    NEGATIVE_LAST,
    lumina_system,
    thinking_chat,
    unmasked,
    z_image_rows,
)

_LUMINA2 = Family(
    "Lumina 2",
    (TextEncoder("text_encoder", "tokenizer", 256, masked=True),),
    (NEGATIVE_LAST,),
    "text first",
    denoiser_masks=True,
    blocks=("context_refiner", "layers"),
    text_blocks=("context_refiner",),
    mask_argument="encoder_attention_mask",
    cuts_padding=True,
    text=lumina_system,
    note="A system prompt stands before the prompt; the denoiser cuts the padding off by its mask.",
)
_Z_IMAGE = Family(
    "Z-Image",
    (TextEncoder("text_encoder", "tokenizer", 512, "<|endoftext|>", masked=True),),
    (("prompt_embeds", "negative_prompt_embeds"),),
    "image first",
    denoiser_masks=True,
    blocks=("context_refiner", "layers"),
    text_blocks=("context_refiner",),
    attends="attention",
    image_rows=z_image_rows,
    text_argument="cap_feats",
    rows=unmasked,
    text=thinking_chat,
    negative="embeds",
    pads=False,
    note=(
        "Chat template around the prompt; the encoder's padding is dropped before the denoiser, which "
        "rounds the text up to 32 rows with a learned token of its own."
    ),
)

FAMILIES: dict[str, Family] = {
    "Lumina2Pipeline": _LUMINA2,
    "ZImagePipeline": _Z_IMAGE,
}
