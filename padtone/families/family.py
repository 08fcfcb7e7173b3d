"""What is said of a pipeline family: its text encoders, where its text lies, what is masked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

# The pipeline is Any in these two: each family's entry asks its own pipelines for things that no other has.
Rows = Callable[[Any, Sequence[int], "Sequence[int] | None", int], list[int]]
Text = Callable[[Any, str, dict], tuple[str, str, str]]


def every_token(pipe: Any, ids: Sequence[int], mask: Sequence[int] | None, length: int) -> list[int]:
    """The denoiser receives every token of the encoder."""
    return list(range(len(ids)))


def plain_text(pipe: Any, prompt: str, options: dict) -> tuple[str, str, str]:
    """The encoder reads the prompt and nothing around it."""
    if hasattr(pipe, "_text_preprocessing"):  # PixArt and Sana lower the letters
        prompt = pipe._text_preprocessing(prompt, clean_caption=options.get("clean_caption", False))[0]
    return "", prompt, ""


@dataclass(frozen=True)
class TextEncoder:
    """One text encoder of a pipeline.

    Attributes:
        name, tokenizer: attributes of the pipeline.
        length: tokens that a prompt is padded to by default; None: as many as it has.
        pad: the padding token, in words; what is used is the loaded tokenizer's.
        masked: the pipeline gives this encoder an attention mask.
        prompt: the argument of `encode_prompt` that it reads; where the caller leaves it out, `prompt`.
        feeds: "rows" (its own rows of the text), "channels" (more channels on the rows of the encoder
            before it, or rows where the pipeline was loaded without that one) or "pooled" (only a
            pooled vector).
    """

    name: str
    tokenizer: str
    length: int | None
    pad: str = "<pad>"
    masked: bool = False
    feeds: str = "rows"
    prompt: str = "prompt"

    def __post_init__(self) -> None:
        if self.feeds not in ("rows", "channels", "pooled"):
            raise ValueError(f'feeds is {self.feeds!r}; it can be "rows", "channels" or "pooled"')


@dataclass(frozen=True)
class Family:
    """How a pipeline family treats text.

    Attributes:
        title: the family's name for people.
        encoders: its text encoders, in the order in which their rows follow each other.
        returns: one tuple per call of `encode_prompt`: which of the pipeline's arguments each returned
            value is; None for values that the pipeline makes anew.
        attention: "cross" (the denoiser reads the text and never changes it), "text first" or
            "image first" (joint attention, and where in its sequence the text lies).
        denoiser_masks: the stock denoiser already ignores the padding.
        blocks: the denoiser's lists of transformer blocks, in running order.
        attends: name of the module in a block that attends to the text.
        denoiser: attribute of the pipeline.
        mask_argument: the denoiser's own argument for a text mask, where it is honoured and needed.
        behind: the denoiser's argument for the rows of a further encoder, behind those of its usual one.
        own_masks: further mask arguments of the denoiser, one after the other along the rows.
        text_blocks: the first lists of `blocks` that hold text alone, without the image.
        offset: rows that the denoiser puts before the text (AuraFlow's registers).
        image_rows: how many rows stand before the text in blocks that take both as one sequence,
            image first, from the denoiser's arguments.
        calls: extra arguments for each call of `encode_prompt`.
        rows: which of an encoder's tokens reach the denoiser.
        text: what is written before and after the prompt: (before, prompt, after).
        negative: how a negative prompt is handed over next to `prompt_embeds`: as "text" or as "embeds".
        pads: False where the denoiser never receives padding from the encoder.
        note: what a reader should know, one sentence.
    """

    title: str
    encoders: tuple[TextEncoder, ...]
    returns: tuple[tuple[str | None, ...], ...]
    attention: str
    denoiser_masks: bool = False
    blocks: tuple[str, ...] = ("transformer_blocks",)
    attends: str = "attn"
    denoiser: str = "transformer"
    mask_argument: str | None = None
    behind: str | None = None
    own_masks: tuple[str, ...] = ()
    text_blocks: tuple[str, ...] = ()
    offset: int = 0
    image_rows: Callable[[dict], int] | None = None
    calls: tuple[dict, ...] = field(default=({},))
    rows: Rows = every_token
    text: Text = plain_text
    negative: str = "text"
    pads: bool = True
    note: str = ""

    def __post_init__(self) -> None:
        if self.attention not in ("cross", "text first", "image first"):
            raise ValueError(
                f'attention is {self.attention!r}; it can be "cross", "text first" or "image first"'
            )
        if not self.encoders or len(self.returns) != len(self.calls):
            raise ValueError(
                f"{self.title}: needs a text encoder and as many returns as calls, "
                f"got {len(self.encoders)}, {len(self.returns)} and {len(self.calls)}"
            )

    @property
    def own_prompts(self) -> frozenset[str]:
        """Arguments with which a caller gives one encoder another prompt, such as `prompt_2`."""
        return frozenset(encoder.prompt for encoder in self.encoders) - {"prompt"}

    @property
    def texts(self) -> frozenset[str]:
        """Every argument of the pipeline's call, but for the prompt itself, that is a text to encode."""
        return self.own_prompts | {f"negative_{name}" for name in (*self.own_prompts, "prompt")}

    @property
    def joint(self) -> bool:
        """Text and image share one attention, so the text changes from block to block."""
        return self.attention != "cross"
