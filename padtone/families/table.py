"""The families that come with padtone, by the name of their pipeline class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .family import Family, TextEncoder, plain_text

_SENTINEL = "\u241f"  # a sign for "unit separator"; no prompt contains it
_NEGATIVE_LAST = (
    "prompt_embeds",
    "prompt_attention_mask",
    "negative_prompt_embeds",
    "negative_prompt_attention_mask",
)


def _chat(pipe: Any, prompt: str, **options: object) -> tuple[str, str, str]:
    messages = [{"role": "user", "content": _SENTINEL}]
    text = pipe.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, **options)
    before, _, after = text.partition(_SENTINEL)
    return before, prompt, after


def _thinking_chat(pipe: Any, prompt: str, options: dict) -> tuple[str, str, str]:
    return _chat(pipe, prompt, enable_thinking=True)


def _plain_chat(pipe: Any, prompt: str, options: dict) -> tuple[str, str, str]:
    return _chat(pipe, prompt, enable_thinking=False)


def _flux2_chat(pipe: Any, prompt: str, options: dict) -> tuple[str, str, str]:
    messages = [
        {"role": "system", "content": [{"type": "text", "text": pipe.system_message}]},
        {"role": "user", "content": [{"type": "text", "text": _SENTINEL}]},
    ]
    before, _, after = pipe.tokenizer.apply_chat_template(messages, tokenize=False).partition(_SENTINEL)
    return before, prompt.replace("[IMG]", ""), after


def _qwen_template(pipe: Any, prompt: str, options: dict) -> tuple[str, str, str]:
    before, _, after = pipe.prompt_template_encode.partition("{}")
    return before, prompt, after


def _lumina_system(pipe: Any, prompt: str, options: dict) -> tuple[str, str, str]:
    system = options.get("system_prompt") or pipe.system_prompt
    return f"{system} <Prompt Start> ", prompt, ""


def _sana_instruction(pipe: Any, prompt: str, options: dict) -> tuple[str, str, str]:
    instruction = options.get("complex_human_instruction")
    return "\n".join(instruction or ()), plain_text(pipe, prompt, options)[1], ""


def _first_and_last(pipe: Any, ids: Sequence[int], mask: Sequence[int] | None, length: int) -> list[int]:
    """Sana keeps the first token and the last ones, and so cuts its instruction away."""
    return [0, *range(len(ids) - length + 1, len(ids))]


def _behind_template(pipe: Any, ids: Sequence[int], mask: Sequence[int] | None, length: int) -> list[int]:
    """Qwen-Image drops the padding, then the template's beginning; -1 evens out a batch."""
    real = [i for i, unmasked in enumerate(mask or [1] * len(ids)) if unmasked]
    rows = real[pipe.prompt_template_encode_start_idx :][:length]
    return rows + [-1] * (length - len(rows))


def _unmasked(pipe: Any, ids: Sequence[int], mask: Sequence[int] | None, length: int) -> list[int]:
    """Z-Image drops the padding, each prompt for itself."""
    return [i for i, real in enumerate(mask or [1] * len(ids)) if real]


def _z_image_rows(call: dict) -> int:
    """Patches of one image, (channels, frames, height, width), rounded up to a multiple of 32."""
    frames, height, width = call["x"][0].shape[1:]
    size, frame_size = call.get("patch_size", 2), call.get("f_patch_size", 1)
    patches = (frames // frame_size) * (height // size) * (width // size)
    return -(-patches // 32) * 32


_CLIP = TextEncoder("text_encoder", "tokenizer", 77, "<|endoftext|>")
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
    (_CLIP, TextEncoder("text_encoder_2", "tokenizer_2", 77, "!", feeds="channels", prompt="prompt_2")),
    (("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds"),),
    "cross",
    denoiser="unet",
    blocks=(),
    attends="attn2",
    note="One encoder pads with the end token, the other with id 0; the pooled vector is the second's.",
)
_SD3 = Family(
    "Stable Diffusion 3",
    (
        _CLIP,
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
    text=_flux2_chat,
    note="Chat template around the prompt; the encoder is masked, the denoiser is not.",
)
_KLEIN = Family(
    "FLUX.2 klein",
    (TextEncoder("text_encoder", "tokenizer", 512, "<|endoftext|>", masked=True),),
    (("prompt_embeds", None),),
    "text first",
    blocks=("transformer_blocks", "single_transformer_blocks"),
    text=_plain_chat,
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
    note=(
        "Meant to mask all padding but one token; diffusers 0.42 adds the mask's ones and zeros to the "
        "attention scores instead, which hides nothing."
    ),
)
_PIXART = {
    length: Family(
        title,
        (TextEncoder("text_encoder", "tokenizer", length, masked=True),),
        (_NEGATIVE_LAST,),
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
    (_NEGATIVE_LAST,),
    "cross",
    denoiser_masks=True,
    attends="attn2",
    rows=_first_and_last,
    text=_sana_instruction,
    note="Gemma reads a long instruction before the prompt; its rows are cut away again, but for the first.",
)
_LUMINA2 = Family(
    "Lumina 2",
    (TextEncoder("text_encoder", "tokenizer", 256, masked=True),),
    (_NEGATIVE_LAST,),
    "text first",
    denoiser_masks=True,
    blocks=("context_refiner", "layers"),
    text_blocks=("context_refiner",),
    mask_argument="encoder_attention_mask",
    text=_lumina_system,
    note="A system prompt stands before the prompt; the denoiser cuts the padding off by its mask.",
)
_AURA_FLOW = Family(
    "AuraFlow",
    (TextEncoder("text_encoder", "tokenizer", 256, masked=True),),
    (_NEGATIVE_LAST,),
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
    rows=_behind_template,
    text=_qwen_template,
    note="Chat template around the prompt; a single prompt is not padded, a batch is, and that is masked.",
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
    image_rows=_z_image_rows,
    rows=_unmasked,
    text=_thinking_chat,
    negative="embeds",
    pads=False,
    note=(
        "Chat template around the prompt; the encoder's padding is dropped before the denoiser, which "
        "rounds the text up to 32 rows with a learned token of its own."
    ),
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
_COGVIEW4 = Family(
    "CogView4",
    (TextEncoder("text_encoder", "tokenizer", None, "<|endoftext|>"),),
    (("prompt_embeds", "negative_prompt_embeds"),),
    "text first",
    attends="attn1",
    note="Padded at the left, to a multiple of 16; nothing is masked.",
)

FAMILIES: dict[str, Family] = {
    "StableDiffusionPipeline": _SD,
    "StableDiffusionXLPipeline": _SDXL,
    "StableDiffusion3Pipeline": _SD3,
    "FluxPipeline": _FLUX,
    "Flux2Pipeline": _FLUX2,
    "Flux2KleinPipeline": _KLEIN,
    "ChromaPipeline": _CHROMA,
    "PixArtAlphaPipeline": _PIXART[120],
    "PixArtSigmaPipeline": _PIXART[300],
    "SanaPipeline": _SANA,
    "Lumina2Pipeline": _LUMINA2,
    "AuraFlowPipeline": _AURA_FLOW,
    "QwenImagePipeline": _QWEN_IMAGE,
    "ZImagePipeline": _Z_IMAGE,
    "HunyuanDiTPipeline": _HUNYUAN_DIT,
    "CogView4Pipeline": _COGVIEW4,
}
