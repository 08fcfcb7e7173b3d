"""Families whose denoiser keeps text and image in two streams that attend to each other."""

from __future__ import annotations

from .family import Family, TextEncoder
from .reading import (
    CLIP,
    NEGATIVE_LAST,
    behind_index,
    behind_template,
    between_ends,
    evened_out,
    flux2_chat,
    no_glyphs,
    no_spelling,
    ovis_system,
    plain_chat,
    qwen_template,
    without_ends,
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
    note="No mask: a T5 lets padding leak into the prompt's rows, a CLIP in its place is causal and does not; the "
    "first encoder gives the pooled vector only.",
)
_FLUX2 = Family(
    "FLUX.2",
    (TextEncoder("text_encoder", "tokenizer", 512, masked=True),),
    (("prompt_embeds", None),),
    "text first",
    blocks=("transformer_blocks", "single_transformer_blocks"),
    text=flux2_chat,
    note=(
        "Chat template around the prompt; the encoder is masked, the denoiser is not. Padded at the left where the "
        "tokenizer does so: then one constant vector under SDPA, whatever the prompt, and an average with the "
        "prompt in it under eager attention."
    ),
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
    note=(
        "Padded at the left, to a multiple of 16; nothing is masked, and the padding has read no prompt, for "
        "the encoder is causal."
    ),
)


_OVIS = Family(
    "Ovis-Image",
    (TextEncoder("text_encoder", "tokenizer", 256, "<|endoftext|>", masked=True),),
    (("prompt_embeds", "negative_prompt_embeds", None, None),),
    "text first",
    blocks=("transformer_blocks", "single_transformer_blocks"),
    rows=behind_index("user_prompt_begin_id"),
    text=ovis_system,
    note=(
        "A system prompt and a chat template around the prompt, cut away in front; the padding's rows are set "
        "to zero, but joint attention still attends to them."
    ),
)
_LONGCAT = Family(
    "LongCat-Image",
    (TextEncoder("text_encoder", "tokenizer", 512, "<|endoftext|>", masked=True),),
    (("prompt_embeds", None),),
    "text first",
    blocks=("transformer_blocks", "single_transformer_blocks"),
    rows=without_ends,
    text=between_ends,
    end_stays=True,
    call={"enable_prompt_rewrite": False},
    takes_encodings=False,
    objection=no_spelling,
    note=(
        "Padded between the prompt and the template's end, and both ends are cut away; the encoder is masked, the "
        "denoiser is not. A language model may rewrite the prompt first."
    ),
)
_BRIA = Family(
    "Bria 3",
    (TextEncoder("text_encoder", "tokenizer", None),),
    (("prompt_embeds", "negative_prompt_embeds", None),),
    "text first",
    blocks=("transformer_blocks", "single_transformer_blocks"),
    rows=evened_out,
    reads="a prompt",
    note=(
        "T5 reads each prompt at its own length; rows of zeros fill up to 128, and joint attention attends to "
        "them. A negative prompt left out is zeros alone, of which none is padding."
    ),
)


def _hunyuan_rows(call: dict) -> int:
    """The prompt's rows, and those of the byte-level encoder between its visible and its hidden ones."""
    glyphs = call.get("encoder_hidden_states_2")
    return int(call["encoder_hidden_states"].shape[1]) + (0 if glyphs is None else int(glyphs.shape[1]))


_HUNYUAN_IMAGE = Family(
    "HunyuanImage 2.1",
    (TextEncoder("text_encoder", "tokenizer", 1000, "<|endoftext|>", masked=True),),
    (("prompt_embeds", "prompt_embeds_mask", "prompt_embeds_2", "prompt_embeds_mask_2"),),
    "image first",
    denoiser_masks=True,
    blocks=("transformer_blocks", "single_transformer_blocks"),
    mask_argument="encoder_attention_mask",
    cuts_padding=True,
    text_rows=_hunyuan_rows,
    rows=behind_index("prompt_template_encode_start_idx"),
    text=qwen_template,
    objection=no_glyphs,
    note=(
        "Chat template around the prompt, cut away in front; the denoiser masks the padding. Words in "
        "quotation marks go to a byte-level encoder too, and such prompts are refused."
    ),
)


def _hidream_rows(call: dict) -> int:
    """T5's rows, those of Llama's last chosen layer, and those of the block's own layer of Llama."""
    return int(call["encoder_hidden_states_t5"].shape[1] + 2 * call["encoder_hidden_states_llama3"].shape[-2])


_HIDREAM = Family(
    "HiDream-I1",
    (
        TextEncoder("text_encoder", "tokenizer", 128, "<|endoftext|>", feeds="pooled"),
        TextEncoder("text_encoder_2", "tokenizer_2", 128, "!", feeds="pooled", prompt="prompt_2"),
        TextEncoder("text_encoder_3", "tokenizer_3", 128, masked=True, prompt="prompt_3"),
        TextEncoder("text_encoder_4", "tokenizer_4", 128, "<|eot_id|>", masked=True, prompt="prompt_4"),
    ),
    (
        (
            "prompt_embeds_t5",
            "negative_prompt_embeds_t5",
            "prompt_embeds_llama3",
            "negative_prompt_embeds_llama3",
            "pooled_prompt_embeds",
            "negative_pooled_prompt_embeds",
        ),
    ),
    "image first",
    blocks=("double_stream_blocks", "single_stream_blocks"),
    attends="block.attn1",
    text_argument="encoder_hidden_states_t5",
    behind="encoder_hidden_states_llama3",
    behind_again=True,
    text_rows=_hidream_rows,
    further=("prompt_embeds_llama3",),
    layers_first=("prompt_embeds_llama3",),
    note=(
        "T5's rows, then Llama's, of which each block gets a layer of its own beside the stream; both "
        "encoders are masked, the denoiser is not; two CLIPs give the pooled vector."
    ),
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
    "OvisImagePipeline": _OVIS,
    "LongCatImagePipeline": _LONGCAT,
    "BriaPipeline": _BRIA,
    "HunyuanImagePipeline": _HUNYUAN_IMAGE,
    "HiDreamImagePipeline": _HIDREAM,
}
