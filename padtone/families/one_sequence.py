"""Families whose denoiser puts text and image into one sequence from its first block on."""

from __future__ import annotations

from .family import ACTIONS, Family, TextEncoder
from .reading import (
    NEGATIVE_LAST,
    behind_index,
    between_ends,
    lumina_system,
    prx_cleaned,
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

_PRX = Family(
    "PRX",
    (TextEncoder("text_encoder", "tokenizer", 256, masked=True),),
    (
        (
            "prompt_embeds",
            "prompt_attention_mask",
            "negative_prompt_embeds",
            "negative_prompt_attention_mask",
        ),
    ),
    "text first",
    denoiser_masks=True,
    blocks=("blocks",),
    attends="attention",
    mask_argument="attention_mask",
    text=prx_cleaned,
    reads="all",
    batches_guidance=False,
    negative="embeds",
    note=(
        "The text stands among the keys of the picture's attention, masked, and no block changes it, so that "
        "IDP over all blocks is ITE; padded to the tokenizer's length."
    ),
)
_KREA2 = Family(
    "Krea 2",
    (TextEncoder("text_encoder", "tokenizer", 512, "<|endoftext|>", masked=True),),
    (("prompt_embeds", "prompt_embeds_mask"),),
    "text first",
    denoiser_masks=True,
    mask_argument="encoder_attention_mask",
    positions="position_ids",
    rows=behind_index("prompt_template_encode_start_idx"),
    text=between_ends,
    end_stays=True,
    note=(
        "Twelve layers of the encoder a row; padded between the prompt and the template's end, which stays; "
        "the denoiser masks the padding."
    ),
)
_ERNIE = Family(
    "ERNIE-Image",
    (TextEncoder("text_encoder", "tokenizer", None),),
    (("prompt_embeds",),),
    "image first",
    denoiser_masks=True,
    blocks=("layers",),
    attends="self_attention",
    text_argument="text_bth",
    rows_first=True,
    rows=unmasked,
    reads="a prompt",
    call={"use_pe": False},
    pads=False,
    note=(
        "Each prompt is read at its own length; a batch is evened out with zeros that the denoiser masks. A "
        "language model may rewrite the prompt first."
    ),
)


def _nothing(why: str) -> dict[str, str]:
    return dict.fromkeys(ACTIONS, why)


_IDEOGRAM4 = Family(
    "Ideogram 4",
    (TextEncoder("text_encoder", "tokenizer", 2048, "!", masked=True),),
    (("prompt_embeds", None, None, None),),
    "text first",
    denoiser_masks=True,
    blocks=("layers",),
    attends="attention",
    refused=_nothing(
        "its pipeline runs the layers of its encoder itself, where nothing can be seen from outside, and "
        "takes no encodings"
    ),
    note=(
        "Padded at the left; the padding's rows are zero and in a segment of their own, which no token of the "
        "picture attends to. The second, unconditional transformer reads no text."
    ),
)
_QWEN_IMAGE_21 = Family(
    "Qwen-Image 2.1",
    (TextEncoder("text_encoder", "processor", None, "<|endoftext|>", masked=True),),
    (("prompt_embeds", "prompt_embeds_mask", None),),
    "text first",
    denoiser_masks=True,
    refused=_nothing(
        "its text is causal and never reads the picture, under block masks of FlexAttention or in attentions "
        "piece by piece, and a cache hands it from the first step to all others"
    ),
    note="A single prompt is not padded; a batch is, with zeros behind each text, and that is masked.",
)
_GLM_IMAGE = Family(
    "GLM-Image",
    (TextEncoder("text_encoder", "tokenizer", None, masked=True),),
    (("prompt_embeds", "negative_prompt_embeds"),),
    "text first",
    refused=_nothing(
        "a language model reads the prompt and generates tokens of a picture from it; the denoiser's only "
        "text are the words in quotation marks, byte by byte"
    ),
    note="Words in quotation marks are padded at the left with zeros, in a batch only.",
)

FAMILIES: dict[str, Family] = {
    "Lumina2Pipeline": _LUMINA2,
    "ZImagePipeline": _Z_IMAGE,
    "PRXPipeline": _PRX,
    "Krea2Pipeline": _KREA2,
    "ErnieImagePipeline": _ERNIE,
    "Ideogram4Pipeline": _IDEOGRAM4,
    "QwenImage21Pipeline": _QWEN_IMAGE_21,
    "GlmImagePipeline": _GLM_IMAGE,
}
