"""Models built to have one property each: what they do with padding is known, because it was put in.

A picture is a coarse pattern of eight numbers (the "content") plus the seed's own noise. Where the content
is read from is what the models differ in. Rows of text have 11 channels: content, then three flags:
a real token, padding, the picture.
"""

from __future__ import annotations

import functools
from types import SimpleNamespace

import numpy as np
import torch
import transformers
from PIL import Image
from torch.nn.functional import scaled_dot_product_attention

from padtone.audit.clip import Clip
from padtone.families.registry import Family, TextEncoder
from tests.tiny.text_encoders import clip_tokenizer, t5_tokenizer

CONTENT, REAL, PADDING, PICTURE, WIDTH = 8, 8, 9, 10, 11
LENGTH, SIDE = 20, 32
_SHARP = 60.0  # a score that leaves e^-60 of attention elsewhere
PROMPTS = tuple(f"a {color} {shape}" for color in ("red", "green", "blue") for shape in ("circle", "dog"))


class Encoder(torch.nn.Module):
    """Words to rows; what padding gets is the model's property.

    Args:
        padding: "zero" (rows of zeros, which nothing attends to), "flagged" (a constant that says
            "padding"), "copy" (the prompt's mean), or "moved" (like "copy", and the words themselves
            keep nothing of the last word).
    """

    def __init__(self, words: int, padding: str) -> None:
        super().__init__()
        self.padding = padding
        table = torch.randn(words, CONTENT, generator=torch.Generator().manual_seed(3))
        self.register_buffer("table", table)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        rows = torch.zeros(*input_ids.shape, WIDTH)
        for row, ids in zip(rows, input_ids, strict=True):
            words = (ids > 1).nonzero().flatten()  # 0 is padding, 1 the end token
            row[ids > 0, REAL] = 1
            content = self.table[ids[words]]
            written = content if self.padding != "moved" else torch.zeros_like(content)
            row[words, :CONTENT] = written
            empty = ids == 0
            if self.padding == "flagged":
                row[empty, PADDING] = 1
            if self.padding in ("copy", "moved") and len(words):
                row[empty, :CONTENT] = content.mean(0)
                row[empty, REAL] = 1
        return rows


class Reader(torch.nn.Module):
    """One attention from flags to flags: tokens with one flag read those with another.

    Where there are none to read, they read their own kind, which holds nothing.
    """

    def __init__(self, looks: dict[int, int]) -> None:
        super().__init__()
        self.looks, self.processor = looks, self

    def forward(
        self,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        keys = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query = torch.zeros_like(hidden_states)
        for asker, asked in self.looks.items():
            query[..., asked] += _SHARP * hidden_states[..., asker]
            query[..., asker] += _SHARP / 3 * hidden_states[..., asker]
        mask = None if attention_mask is None else attention_mask[:, None]
        out = scaled_dot_product_attention(
            query[:, None], keys[:, None], keys[:, None], attn_mask=mask, scale=1.0
        )
        return out[:, 0]


class CrossDenoiser(torch.nn.Module):
    """The picture's tokens read the text's real rows once."""

    def __init__(self) -> None:
        super().__init__()
        self.attn2 = Reader({PICTURE: REAL})

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor, encoder_hidden_states: torch.Tensor):
        return self.attn2(sample, encoder_hidden_states=encoder_hidden_states)


class Block(torch.nn.Module):
    """Joint attention, text first; tokens with the flag `writer` add the content that they read."""

    def __init__(self, writer: int, source: int) -> None:
        super().__init__()
        self.writer, self.attn = writer, Reader({writer: source})

    def forward(self, hidden_states: torch.Tensor, encoder_hidden_states: torch.Tensor):
        both = torch.cat([encoder_hidden_states, hidden_states], 1)
        read = self.attn(both)
        read[..., CONTENT:] = 0
        both = both + read * both[..., self.writer, None]
        rows = encoder_hidden_states.shape[1]
        return both[:, :rows], both[:, rows:]


class JointDenoiser(torch.nn.Module):
    """With a register the padding reads the prompt and the picture the padding; else it reads the prompt."""

    def __init__(self, register: bool) -> None:
        super().__init__()
        pairs = [(PADDING, REAL), (PICTURE, PADDING)] if register else [(PICTURE, REAL)]
        self.transformer_blocks = torch.nn.ModuleList(Block(*pair) for pair in pairs)

    def forward(self, hidden_states: torch.Tensor, timestep: torch.Tensor, encoder_hidden_states):
        for block in self.transformer_blocks:
            encoder_hidden_states, hidden_states = block(
                hidden_states, encoder_hidden_states=encoder_hidden_states
            )
        return hidden_states


class PaintPipeline:
    """As much of a pipeline as people call: encode, denoise in two steps, paint."""

    _execution_device = torch.device("cpu")
    dtype = torch.float32

    def __init__(self, denoiser: torch.nn.Module, padding: str) -> None:
        self.tokenizer = t5_tokenizer(LENGTH)
        self.text_encoder, self.denoiser = Encoder(len(self.tokenizer), padding), denoiser
        self.scheduler = SimpleNamespace(timesteps=None)
        paint = torch.randn(CONTENT, 3 * 4 * 4, generator=torch.Generator().manual_seed(5))
        self.paint = paint
        self.calls = 0  # of the pipeline

    def encode_prompt(self, prompt, device=None, num_images_per_prompt=1) -> tuple[torch.Tensor]:
        prompts = [prompt] if isinstance(prompt, str) else prompt
        ids = self.tokenizer(prompts, padding="max_length", max_length=LENGTH, return_tensors="pt").input_ids
        return (self.text_encoder(ids).repeat_interleave(num_images_per_prompt, 0),)

    def __call__(
        self,
        prompt=None,
        prompt_embeds=None,
        generator=None,
        num_images_per_prompt=1,
        num_inference_steps=2,
    ):
        self.calls += 1
        if prompt_embeds is None:
            (prompt_embeds,) = self.encode_prompt(prompt, num_images_per_prompt=num_images_per_prompt)
        noises = [generator] if isinstance(generator, torch.Generator) else generator
        noise = torch.cat([torch.randn(1, 3, 8, 8, generator=g) for g in noises])
        tokens = torch.zeros(len(noise), 4, WIDTH)
        tokens[..., PICTURE] = 1
        self.scheduler.timesteps = torch.arange(num_inference_steps, 0.0, -1)
        for timestep in self.scheduler.timesteps:
            seen = self.denoiser(tokens, timestep, encoder_hidden_states=prompt_embeds)
        content = seen[..., :CONTENT].mean(1)
        content = content / content.norm(dim=-1, keepdim=True).clamp(min=0.1)  # less is no content
        coarse = (content @ self.paint).unflatten(-1, (3, 4, 4))
        grow = torch.nn.functional.interpolate
        pixels = 0.5 + 0.25 * grow(coarse, (SIDE, SIDE)) + 0.05 * grow(noise, (SIDE, SIDE))
        arrays = (255 * pixels.clamp(0, 1)).round().byte().permute(0, 2, 3, 1).numpy()
        return SimpleNamespace(images=[Image.fromarray(np.ascontiguousarray(a)) for a in arrays])


class CrossPaint(PaintPipeline):
    """Cross-attention."""


class JointPaint(PaintPipeline):
    """Joint attention."""


_TEXT = (TextEncoder("text_encoder", "tokenizer", LENGTH),)
FAMILIES = {
    "CrossPaint": Family(
        "cross paint", _TEXT, (("prompt_embeds",),), "cross", denoiser="denoiser", attends="attn2"
    ),
    "JointPaint": Family("joint paint", _TEXT, (("prompt_embeds",),), "text first", denoiser="denoiser"),
}


def build(name: str) -> PaintPipeline:
    """A model with one property."""
    return {
        "zero padding": lambda: CrossPaint(CrossDenoiser(), "zero"),
        "copying encoder": lambda: CrossPaint(CrossDenoiser(), "copy"),
        "moving encoder": lambda: CrossPaint(CrossDenoiser(), "moved"),
        "register": lambda: JointPaint(JointDenoiser(register=True), "flagged"),
        "no register": lambda: JointPaint(JointDenoiser(register=False), "flagged"),
    }[name]()


@functools.cache
def clip() -> Clip:
    """A small random CLIP: it tells pictures apart, and knows nothing of words."""
    tokenizer = clip_tokenizer(length=16)
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    ids = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2}
    config = transformers.CLIPConfig(
        text_config={**size, **ids, "vocab_size": len(tokenizer), "max_position_embeddings": 16},
        vision_config={**size, "image_size": SIDE, "patch_size": 8},
        projection_dim=32,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.CLIPModel(config)
    side = {"height": SIDE, "width": SIDE}
    return Clip(model, tokenizer, transformers.CLIPImageProcessorPil(size=side, do_center_crop=False), "tiny")
