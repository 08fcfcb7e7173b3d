"""What the tables say of each family's text, against what its pipeline does; each check takes a tiny pipeline."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import torch

import padtone
from padtone.families.registry import family_of
from padtone.hooks.encoder import tokenizer_of, watch_encoders
from padtone.interventions.encoding import call_options, encode_prompts, row_counts
from padtone.maths.roles import chosen_rows
from tests.tiny import text_pipelines
from tests.tiny.family_calls import PROMPT

# Written by hand: role x count, in order of rows; one line per text encoder.
EXPECTED = {
    "sd1": ["bos 1 prompt 3 eos 1 padding 72"],
    "sd2": ["bos 1 prompt 3 eos 1 padding 72"],
    "sdxl": ["bos 1 prompt 3 eos 1 padding 72"] * 2,
    "sd3": ["bos 1 prompt 3 eos 1 padding 72"] * 2 + ["prompt 3 eos 1 padding 20"],
    "flux": ["bos 1 prompt 3 eos 1 padding 72", "prompt 3 eos 1 padding 20"],
    "flux_clip": ["bos 1 prompt 3 eos 1 padding 67"] * 2,
    "flux2": ["padding 30 bos 1 template 29 prompt 3 template 1"],  # Mistral pads at the left
    "flux2_klein": ["template 2 prompt 3 template 3 padding 16"],
    "chroma": ["prompt 3 eos 1 padding 20"],
    "pixart_alpha": ["prompt 3 eos 1 padding 20"],
    "pixart_sigma": ["prompt 3 eos 1 padding 20"],
    "sana": ["bos 1 template 1 prompt 3 padding 19"],  # of the instruction, the last token is left
    "lumina2": ["bos 1 template 30 prompt 3 padding 30"],
    "aura_flow": ["prompt 3 eos 1 padding 20"],
    "qwen_image": ["prompt 3 template 3"],
    "z_image": ["template 2 prompt 3 template 3"],
    "hunyuan_dit": ["bos 1 prompt 3 eos 1 padding 72", "prompt 3 eos 1 padding 252"],
    "cogview4": ["padding 11 bos 2 prompt 3"],
    "hunyuan_image": ["prompt 3 template 1 padding 20"],  # its template's beginning is cut away
    "hidream": ["bos 1 prompt 3 eos 1 padding 19"] * 2
    + ["prompt 3 eos 1 padding 20", "bos 1 prompt 3 padding 20"],
    "ovis": ["prompt 3 template 3 padding 18"],
    "longcat": ["prompt 3 padding 21"],
    "bria": ["prompt 3 eos 1 padding 20"],
    "prx": ["bos 1 prompt 3 padding 20"],
    "kandinsky5": ["prompt 3 template 1", "bos 1 prompt 3 eos 1 padding 72"],
    "krea2": ["prompt 3 padding 18 template 3"],
    "ernie": ["bos 1 prompt 3"],
}
ROWS = {
    "sdxl": [range(0, 77), range(0, 77)],
    "sd3": [range(0, 77), range(0, 77), range(77, 101)],
    "flux": [None, range(0, 24)],
    "flux_clip": [None, range(0, 72)],
    "hunyuan_dit": [range(0, 77), range(77, 333)],
    "hidream": [None, None, range(0, 24), range(24, 48)],
    "kandinsky5": [range(0, 4), None],
}
PADDING = {
    "sd1": "<|endoftext|>",
    "sd2": "!",
    "flux": "<pad>",
    "cogview4": "<|endoftext|>",
    "flux2": "<pad>",
    "bria": "",
}


def runs(roles: tuple[str, ...]) -> str:
    return " ".join(f"{role} {len(list(group))}" for role, group in groupby(roles))


def roles(pipe: Any, name: str) -> None:
    entries = padtone.token_roles(pipe, PROMPT, **text_pipelines.text_options(name))
    assert [runs(entry.roles) for entry in entries] == EXPECTED[name]
    assert [entry.rows for entry in entries] == ROWS.get(name, [range(len(entries[0].ids))])
    for entry in entries:
        assert [entry.tokens[i] for i in entry.at("prompt")] == PROMPT.split()
        assert len(entry.tokens) == len(entry.ids) == len(entry.roles)
        assert entry.cut == ""
    if name in PADDING:
        assert {entries[-1].tokens[i] for i in entries[-1].at("padding")} == {PADDING[name]}


def rows_are_the_denoisers(pipe: Any, name: str) -> None:
    """The roles cover exactly the rows that `encode_prompt` returns."""
    options = text_pipelines.text_options(name)
    arguments = encode_prompts(pipe, [PROMPT], options).arguments
    entries = padtone.token_roles(pipe, PROMPT, **options)
    assert max(e.rows.stop for e in entries if e.rows) == sum(row_counts(family_of(pipe), arguments))


def table_says_what_encoders_get(pipe: Any, name: str) -> None:
    """Padded length, mask and number of encoders are as written in the table, at the pipeline's defaults."""
    family = family_of(pipe)
    options = {k: v for k, v in text_pipelines.text_options(name).items() if k == "text_encoder_out_layers"}
    with watch_encoders(pipe, family) as calls:
        entries = encode_prompts(pipe, [PROMPT], options).roles[0]
    assert [call.encoder for call in calls] == list(family.encoders)
    for call, entry in zip(calls, entries, strict=True):
        assert (call.mask is not None) == call.encoder.masked
        assert tokenizer_of(pipe, call.encoder).pad_token in call.encoder.pad.split()
        length = _SET_BY_THE_TEST.get(name, call.encoder.length)
        if length is not None and name == "sana":  # the instruction comes on top
            before, _, _ = family.text(pipe, PROMPT, call_options(pipe, {}))
            length += len(pipe.tokenizer(before).input_ids) - 2
        if length is not None:
            assert len(entry.ids if name in _TEMPLATE_ON_TOP else call.ids[0]) == length


# Lengths that are attributes of these pipelines, and shorter in the tiny ones.
_SET_BY_THE_TEST = {"hunyuan_image": 24, "longcat": 24}
_TEMPLATE_ON_TOP = ("hunyuan_image", "ovis", "longcat", "krea2")


def table_says_whether_the_denoiser_masks(pipe: Any, name: str) -> None:
    """Random rows in place of the padding change the image exactly where the table says they can."""
    family, options = family_of(pipe), text_pipelines.text_options(name)
    full = padtone.encode(pipe, PROMPT, **options)
    counts = row_counts(family, full)
    rows = torch.tensor(chosen_rows(padtone.token_roles(pipe, PROMPT, **options), "padding", sum(counts)))
    noise = dict(full)
    for text, place in zip(family.text_names, rows.split(counts), strict=True):
        shape = (-1, 1) if text in family.layers_first or full[text].ndim == 3 else (-1, 1, 1)
        noise[text] = torch.where(place.reshape(shape), torch.randn_like(full[text]), full[text])
    stock, other = (text_pipelines.run(pipe, name, None, **arguments) for arguments in (full, noise))
    changed = (stock - other).abs().max() > 1e-6
    # HunyuanDiT's T5 padding still reaches the denoiser through its pooled T5 vector.
    assert changed == (not family.denoiser_masks)
