"""How pipelines write a prompt down for their encoders, and which of the encoder's rows they keep."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from .family import Rows, TextEncoder, plain_text

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


def between_ends(pipe: Any, prompt: str, options: dict) -> tuple[str, str, str]:
    """Krea 2 and LongCat hold what they write before and after the prompt in two attributes."""
    return pipe.prompt_template_encode_prefix, prompt, pipe.prompt_template_encode_suffix


def ovis_system(pipe: Any, prompt: str, options: dict) -> tuple[str, str, str]:
    """Ovis-Image puts its system prompt into the user's message."""
    before, prompt, after = plain_chat(pipe, prompt, options)
    return before + pipe.system_prompt, prompt, after


def kandinsky_template(pipe: Any, prompt: str, options: dict) -> tuple[str, str, str]:
    """Kandinsky 5 also puts single blanks for all white space."""
    before, _, after = pipe.prompt_template.partition("{}")
    return before, " ".join(prompt.split()), after


def prx_cleaned(pipe: Any, prompt: str, options: dict) -> tuple[str, str, str]:
    """PRX cleans the prompt of links, marks and capitals, unless told otherwise."""
    clean = pipe.text_preprocessor
    return "", (clean.basic_clean if options.get("skip_text_cleaning") else clean.clean_text)(prompt), ""


def behind_index(attribute: str) -> Rows:
    """The rows from a fixed one on, by which a pipeline drops its template's beginning.

    Args:
        attribute: where the pipeline holds the number of rows that it drops.
    """

    def rows(pipe: Any, ids: Sequence[int], mask: Sequence[int] | None, length: int) -> list[int]:
        return list(range(getattr(pipe, attribute), len(ids)))

    return rows


def without_ends(pipe: Any, ids: Sequence[int], mask: Sequence[int] | None, length: int) -> list[int]:
    """LongCat drops its whole template, before and behind."""
    before, after = (
        len(pipe.tokenizer(text, add_special_tokens=False).input_ids)
        for text in (pipe.prompt_template_encode_prefix, pipe.prompt_template_encode_suffix)
    )
    return list(range(before, len(ids) - after))


def evened_out(pipe: Any, ids: Sequence[int], mask: Sequence[int] | None, length: int) -> list[int]:
    """Bria encodes each prompt at its own length and puts rows of zeros behind it."""
    rows = unmasked(pipe, ids, mask, length)
    return rows + [-1] * (length - len(rows))


_QUOTED = re.compile(r"'.*?'|\".*?\"|\u2018.*?\u2019|\u201c.*?\u201d")
_WORD_WITH_APOSTROPHE = re.compile(r"[a-zA-Z]+'[a-zA-Z]+")


def no_glyphs(pipe: Any, prompt: str, options: dict) -> str | None:
    """HunyuanImage hands words in quotation marks to a second encoder."""
    if _QUOTED.search(prompt) is None:
        return None
    return (
        "it has words in quotation marks, which a byte-level encoder reads too, and padtone follows only the first "
        "encoder; leave the quotation marks out"
    )


def no_spelling(pipe: Any, prompt: str, options: dict) -> str | None:
    """LongCat has words in quotation marks read letter by letter."""
    if _QUOTED.search(_WORD_WITH_APOSTROPHE.sub("", prompt)) is None:
        return None
    return (
        "it has words in quotation marks, which the pipeline has read letter by letter, so that its tokens are not "
        "the tokenizer's; leave the quotation marks out"
    )
