"""What is said of a pipeline family: its text encoders, where its text lies, what is masked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# The pipeline is Any in these: each family's entry asks its own pipelines for things that no other has.
Rows = Callable[[Any, Sequence[int], "Sequence[int] | None", int], list[int]]
Text = Callable[[Any, str, dict], tuple[str, str, str]]
Objection = Callable[[Any, str, dict], "str | None"]

# What padtone does with text: the keys of `Family.refused`, and their names in sentences.
ACTIONS = {
    "roles": "roles",
    "mask": "masking",
    "trim": "trimming",
    "replace": "replacing",
    "ite": "ITE",
    "idp": "IDP",
    "attention": "measuring of attention",
}
READS = ("a text", "a prompt", "all")


def every_token(pipe: Any, ids: Sequence[int], mask: Sequence[int] | None, length: int) -> list[int]:
    """The denoiser receives every token of the encoder."""
    return list(range(len(ids)))


def plain_text(pipe: Any, prompt: str, options: dict) -> tuple[str, str, str]:
    """The encoder reads the prompt and nothing around it."""
    if hasattr(pipe, "_text_preprocessing"):  # PixArt and Sana lower the letters
        prompt = pipe._text_preprocessing(prompt, clean_caption=options.get("clean_caption", False))[0]
    return "", prompt, ""


def no_objection(pipe: Any, prompt: str, options: dict) -> str | None:
    """Every prompt will do."""
    return None


@dataclass(frozen=True)
class TextEncoder:
    """One text encoder of a pipeline.

    Attributes:
        name, tokenizer: attributes of the pipeline.
        length: tokens that a prompt is padded to by default, its template's apart; None: as many as it has.
        pad: the padding token, in words; what is used is the loaded tokenizer's.
        masked: the pipeline gives this encoder an attention mask.
        prompt: the argument of `encode_prompt` that it reads; where the caller leaves it out, `prompt`.
        plain: it reads the prompt as it is, whatever is written around it for others.
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
    plain: bool = False

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
        mask_argument: the denoiser's own argument for a text mask.
        mask_is_honoured: that argument hides the rows that it leaves out.
        cuts_padding: in the denoiser's blocks the rows that its mask shows stand in front, or alone.
        positions: the denoiser's argument that holds a position for each row of text, then for each of the image.
        text_argument: the denoiser's argument for the text.
        behind: the denoiser's argument for the rows of a further encoder, behind those of its usual one.
        behind_again: those rows are in each block twice, one after the other.
        text_rows: how many rows of text a block has, from the denoiser's arguments; None: those of `text_argument`.
        rows_first: a block's sequence is (rows, batch, width).
        own_masks: further mask arguments of the denoiser, one after the other along the rows.
        text_blocks: the first lists of `blocks` that hold text alone, without the image.
        offset: rows that the denoiser puts before the text (AuraFlow's registers).
        image_rows: how many rows stand before the text in blocks that take both as one sequence,
            image first, from the denoiser's arguments.
        calls: extra arguments for each call of `encode_prompt`.
        rows: which of an encoder's tokens reach the denoiser.
        text: what is written before and after the prompt: (before, prompt, after).
        end_stays: what is written after the prompt stays where the prompt is cut.
        reads: what an encoder reads at a time: "a text" (a batch of prompts, then one of negative prompts),
            "a prompt", or "all" (negative prompts and prompts as one batch).
        further: what `encode_prompt` returns that is text too, besides the first value.
        layers_first: of its values, those with an axis of encoder layers before that of the batch.
        pooled: of its values, those that are pooled vectors.
        takes_encodings: the pipeline's call takes what `encode_prompt` returns.
        batches_guidance: with guidance, the pipeline can draw several pictures in one call.
        call: arguments for every call with encodings, so that the pipeline draws those and no others.
        negative: how a negative prompt is handed over next to `prompt_embeds`: as "text" or as "embeds".
        pads: False where the denoiser never receives padding from the encoder.
        refused: {one of `ACTIONS`: why it cannot be done}.
        objection: why a prompt cannot be done with these options; None: it can.
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
    mask_is_honoured: bool = True
    cuts_padding: bool = False
    positions: str | None = None
    text_argument: str = "encoder_hidden_states"
    behind: str | None = None
    behind_again: bool = False
    text_rows: Callable[[dict], int] | None = None
    rows_first: bool = False
    own_masks: tuple[str, ...] = ()
    text_blocks: tuple[str, ...] = ()
    offset: int = 0
    image_rows: Callable[[dict], int] | None = None
    calls: tuple[dict, ...] = field(default=({},))
    rows: Rows = every_token
    text: Text = plain_text
    end_stays: bool = False
    reads: str = "a text"
    further: tuple[str, ...] = ()
    layers_first: tuple[str, ...] = ()
    pooled: tuple[str, ...] = ("pooled_prompt_embeds",)
    takes_encodings: bool = True
    batches_guidance: bool = True
    call: Mapping[str, Any] = field(default_factory=dict, hash=False)
    negative: str = "text"
    pads: bool = True
    refused: Mapping[str, str] = field(default_factory=dict, hash=False)
    objection: Objection = no_objection
    note: str = ""

    def __post_init__(self) -> None:
        if self.attention not in ("cross", "text first", "image first"):
            raise ValueError(
                f'attention is {self.attention!r}; it can be "cross", "text first" or "image first"'
            )
        if self.reads not in READS:
            raise ValueError(f"reads is {self.reads!r}; it can be {' or '.join(map(repr, READS))}")
        unknown = self.refused.keys() - ACTIONS.keys()
        if unknown:
            raise ValueError(f"refused has {sorted(unknown)}; its keys can be {', '.join(ACTIONS)}")
        if not self.encoders or len(self.returns) != len(self.calls):
            raise ValueError(
                f"{self.title}: needs a text encoder and as many returns as calls, "
                f"got {len(self.encoders)}, {len(self.returns)} and {len(self.calls)}"
            )

    @property
    def own_prompts(self) -> frozenset[str]:
        """Arguments with which a caller gives one encoder another prompt, such as `prompt_2`."""
        return frozenset(encoder.prompt for encoder in self.encoders) - {"prompt"}

    def check_possible(self, action: str) -> None:
        """Can this family do one of `ACTIONS`?

        Raises:
            ValueError: it cannot.
        """
        if action in self.refused:
            raise ValueError(f"{self.title} allows no {ACTIONS[action]}: {self.refused[action]}")

    @property
    def why_nothing(self) -> str | None:
        """Why nothing at all can be done; None: something can."""
        reasons = [self.refused.get(action) for action in ACTIONS]
        return reasons[0] if all(reasons) else None

    @property
    def text_names(self) -> tuple[str, ...]:
        """The pipeline's arguments that hold text, in the order of their rows."""
        return tuple(name for call in range(len(self.returns)) for name in self.names_of_call(call))

    def names_of_call(self, call: int) -> tuple[str, ...]:
        """Those that one call of `encode_prompt` returns."""
        return (str(self.returns[call][0]), *(n for n in self.returns[call] if n in self.further and n))

    @property
    def texts(self) -> frozenset[str]:
        """Every argument of the pipeline's call, but for the prompt itself, that is a text to encode."""
        return self.own_prompts | {f"negative_{name}" for name in (*self.own_prompts, "prompt")}

    @property
    def joint(self) -> bool:
        """Text and image share one attention, so the text changes from block to block."""
        return self.attention != "cross"
