"""How pipelines write a prompt down for their encoders, and which of the encoder's rows they keep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .family import TextEncoder, plain_text

# What many pipelines' `encode_prompt` returns.
NEGATIVE_LAST = (
    "prompt_embeds",
    "prompt_attention_mask",
    "negative_prompt_embeds",
    "negative_prompt_attention_mask",
)
CLIP = TextEncoder("text_encoder", "tokenizer", 77, "<|endoftext|>")
_SENTINEL = "\u241f"  # a sign for "unit separator"; no prompt contains it


def chat(pipe: Any, prompt: str, **options: object) -> tuple[str, str, str]:
    messages = [{"role": "user", "content": _SENTINEL}]
    text = pipe.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, **options)
    before, _, after = text.partition(_SENTINEL)
    return before, prompt, after


def thinking_chat(pipe: Any, prompt: str, options: dict) -> tuple[str, str, str]:
    return chat(pipe, prompt, enable_thinking=True)


def plain_chat(pipe: Any, prompt: str, options: dict) -> tuple[str, str, str]:
    return chat(pipe, prompt, enable_thinking=False)


def flux2_chat(pipe: Any, prompt: str, options: dict) -> tuple[str, str, str]:
    messages = [
        {"role": "system", "content": [{"type": "text", "text": pipe.system_message}]},
        {"role": "user", "content": [{"type": "text", "text": _SENTINEL}]},
    ]
    before, _, after = pipe.tokenizer.apply_chat_template(messages, tokenize=False).partition(_SENTINEL)
    return before, prompt.replace("[IMG]", ""), after


def qwen_template(pipe: Any, prompt: str, options: dict) -> tuple[str, str, str]:
    before, _, after = pipe.prompt_template_encode.partition("{}")
    return before, prompt, after


def lumina_system(pipe: Any, prompt: str, options: dict) -> tuple[str, str, str]:
    system = options.get("system_prompt") or pipe.system_prompt
    return f"{system} <Prompt Start> ", prompt, ""


def sana_instruction(pipe: Any, prompt: str, options: dict) -> tuple[str, str, str]:
    instruction = options.get("complex_human_instruction")
    return "\n".join(instruction or ()), plain_text(pipe, prompt, options)[1], ""


def first_and_last(pipe: Any, ids: Sequence[int], mask: Sequence[int] | None, length: int) -> list[int]:
    """Sana keeps the first token and the last ones, and so cuts its instruction away."""
    return [0, *range(len(ids) - length + 1, len(ids))]


def behind_template(pipe: Any, ids: Sequence[int], mask: Sequence[int] | None, length: int) -> list[int]:
    """Qwen-Image drops the padding, then the template's beginning; -1 evens out a batch."""
    real = [i for i, unmasked in enumerate(mask or [1] * len(ids)) if unmasked]
    rows = real[pipe.prompt_template_encode_start_idx :][:length]
    return rows + [-1] * (length - len(rows))


def unmasked(pipe: Any, ids: Sequence[int], mask: Sequence[int] | None, length: int) -> list[int]:
    """Z-Image drops the padding, each prompt for itself."""
    return [i for i, real in enumerate(mask or [1] * len(ids)) if real]


def z_image_rows(call: dict) -> int:
    """Patches of one image, (channels, frames, height, width), rounded up to a multiple of 32."""
    frames, height, width = call["x"][0].shape[1:]
    size, frame_size = call.get("patch_size", 2), call.get("f_patch_size", 1)
    patches = (frames // frame_size) * (height // size) * (width // size)
    return -(-patches // 32) * 32
