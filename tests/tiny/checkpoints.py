"""Stable Diffusion checkpoints in their original layout: every true name and shape, all weights zero.

The files are sparse, so gigabytes of zeros take no room on disk.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

Named = Iterator[tuple[str, tuple[int, ...]]]

# Per level of the UNet: transformer layers in each attention (0 for none), and the text width.
DEPTHS = {"sd15": (1, 1, 1, 0), "sd21": (1, 1, 1, 0), "sdxl": (0, 2, 10)}
TEXT_WIDTH = {"sd15": 768, "sd21": 1024, "sdxl": 2048}
MIDDLE_DEPTH = {"sd15": 1, "sd21": 1, "sdxl": 10}


def write(path: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    """A safetensors file of float16 zeros."""
    header, end = {}, 0
    for name, shape in shapes.items():
        start, end = end, end + 2 * math.prod(shape)
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)


def checkpoint(family: str) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor in a full checkpoint of "sd15", "sd21" or "sdxl"."""
    shapes = dict(_prefixed("model.diffusion_model.", unet(family))) | dict(
        _prefixed("first_stage_model.", vae())
    )
    if family == "sd15":
        shapes |= _prefixed("cond_stage_model.transformer.text_model.", clip())
    elif family == "sd21":
        shapes |= _prefixed("cond_stage_model.model.", open_clip(1024, 24))
    else:
        shapes |= _prefixed("conditioner.embedders.0.transformer.text_model.", clip())
        shapes |= _prefixed("conditioner.embedders.1.model.", open_clip(1280, 32))
    return shapes


def unet(family: str) -> Named:
    depths, context, linear = DEPTHS[family], TEXT_WIDTH[family], family != "sd15"
    channels = [320 * factor for factor in (1, 2, 4, 4)[: len(depths)]]
    yield from _linear("time_embed.0", 1280, 320)
    yield from _linear("time_embed.2", 1280, 1280)
    if family == "sdxl":
        yield from _linear("label_emb.0.0", 1280, 2816)
        yield from _linear("label_emb.0.2", 1280, 1280)
    yield from _conv("input_blocks.0.0", 320, 4)
    kept, current, block = [320], 320, 1
    for level, (width, depth) in enumerate(zip(channels, depths, strict=True)):
        for _ in range(2):
            yield from _residual(f"input_blocks.{block}.0", current, width)
            yield from _transformer(f"input_blocks.{block}.1", width, context, depth, linear)
            current, block = width, block + 1
            kept.append(current)
        if level < len(channels) - 1:
            yield from _conv(f"input_blocks.{block}.0.op", current, current)
            block += 1
            kept.append(current)
    yield from _residual("middle_block.0", current, current)
    yield from _transformer("middle_block.1", current, context, MIDDLE_DEPTH[family], linear)
    yield from _residual("middle_block.2", current, current)
    block = 0
    for level in reversed(range(len(channels))):
        for i in range(3):
            name = f"output_blocks.{block}"
            yield from _residual(f"{name}.0", current + kept.pop(), channels[level])
            yield from _transformer(f"{name}.1", channels[level], context, depths[level], linear)
            current, block = channels[level], block + 1
            if i == 2 and level:
                yield from _conv(f"{name}.{2 if depths[level] else 1}.conv", current, current)
    yield from _norm("out.0", 320)
    yield from _conv("out.2", 4, 320)


def vae() -> Named:
    channels = (128, 256, 512, 512)
    yield from _conv("encoder.conv_in", 128, 3)
    current = 128
    for level, width in enumerate(channels):
        for i in range(2):
            yield from _vae_block(f"encoder.down.{level}.block.{i}", current, width)
            current = width
        if level < 3:
            yield from _conv(f"encoder.down.{level}.downsample.conv", current, current)
    yield from _vae_middle("encoder.mid")
    yield from _norm("encoder.norm_out", 512)
    yield from _conv("encoder.conv_out", 8, 512)
    yield from _conv("decoder.conv_in", 512, 4)
    yield from _vae_middle("decoder.mid")
    for level in reversed(range(4)):
        for i in range(3):
            yield from _vae_block(f"decoder.up.{level}.block.{i}", current, channels[level])
            current = channels[level]
        if level:
            yield from _conv(f"decoder.up.{level}.upsample.conv", current, current)
    yield from _norm("decoder.norm_out", 128)
    yield from _conv("decoder.conv_out", 3, 128)
    yield from _conv("quant_conv", 8, 8, 1)
    yield from _conv("post_quant_conv", 4, 4, 1)


def clip() -> Named:
    """OpenAI's text encoder, ViT-L/14's, in transformers' layout."""
    yield "embeddings.token_embedding.weight", (49408, 768)
    yield "embeddings.position_embedding.weight", (77, 768)
    for i in range(12):
        layer = f"encoder.layers.{i}"
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield from _linear(f"{layer}.self_attn.{name}", 768, 768)
        for name in ("layer_norm1", "layer_norm2"):
            yield from _norm(f"{layer}.{name}", 768)
        yield from _linear(f"{layer}.mlp.fc1", 3072, 768)
        yield from _linear(f"{layer}.mlp.fc2", 768, 3072)
    yield from _norm("final_layer_norm", 768)


def open_clip(width: int, layers: int) -> Named:
    """OpenCLIP's text encoder, ViT-H/14's or ViT-bigG/14's, in its own layout."""
    yield "positional_embedding", (77, width)
    yield "token_embedding.weight", (49408, width)
    yield "text_projection", (width, width)
    yield "logit_scale", ()
    for i in range(layers):
        layer = f"transformer.resblocks.{i}"
        yield f"{layer}.attn.in_proj_weight", (3 * width, width)
        yield f"{layer}.attn.in_proj_bias", (3 * width,)
        yield from _linear(f"{layer}.attn.out_proj", width, width)
        yield from _norm(f"{layer}.ln_1", width)
        yield from _norm(f"{layer}.ln_2", width)
        yield from _linear(f"{layer}.mlp.c_fc", 4 * width, width)
        yield from _linear(f"{layer}.mlp.c_proj", width, 4 * width)
    yield from _norm("ln_final", width)


def _residual(name: str, inputs: int, outputs: int) -> Named:
    yield from _norm(f"{name}.in_layers.0", inputs)
    yield from _conv(f"{name}.in_layers.2", outputs, inputs)
    yield from _linear(f"{name}.emb_layers.1", outputs, 1280)
    yield from _norm(f"{name}.out_layers.0", outputs)
    yield from _conv(f"{name}.out_layers.3", outputs, outputs)
    if inputs != outputs:
        yield from _conv(f"{name}.skip_connection", outputs, inputs, 1)


def _transformer(name: str, width: int, context: int, depth: int, linear: bool) -> Named:
    if not depth:
        return
    yield from _norm(f"{name}.norm", width)
    for end in ("proj_in", "proj_out"):
        yield from (
            _linear(f"{name}.{end}", width, width) if linear else _conv(f"{name}.{end}", width, width, 1)
        )
    for i in range(depth):
        block = f"{name}.transformer_blocks.{i}"
        for attention, source in (("attn1", width), ("attn2", context)):
            yield f"{block}.{attention}.to_q.weight", (width, width)
            yield f"{block}.{attention}.to_k.weight", (width, source)
            yield f"{block}.{attention}.to_v.weight", (width, source)
            yield from _linear(f"{block}.{attention}.to_out.0", width, width)
        yield from _linear(f"{block}.ff.net.0.proj", 8 * width, width)
        yield from _linear(f"{block}.ff.net.2", width, 4 * width)
        for norm in ("norm1", "norm2", "norm3"):
            yield from _norm(f"{block}.{norm}", width)


def _vae_block(name: str, inputs: int, outputs: int) -> Named:
    yield from _norm(f"{name}.norm1", inputs)
    yield from _conv(f"{name}.conv1", outputs, inputs)
    yield from _norm(f"{name}.norm2", outputs)
    yield from _conv(f"{name}.conv2", outputs, outputs)
    if inputs != outputs:
        yield from _conv(f"{name}.nin_shortcut", outputs, inputs, 1)


def _vae_middle(name: str) -> Named:
    for block in ("block_1", "block_2"):
        yield from _vae_block(f"{name}.{block}", 512, 512)
    yield from _norm(f"{name}.attn_1.norm", 512)
    for projection in ("q", "k", "v", "proj_out"):
        yield from _conv(f"{name}.attn_1.{projection}", 512, 512, 1)


def _conv(name: str, outputs: int, inputs: int, kernel: int = 3) -> Named:
    yield f"{name}.weight", (outputs, inputs, kernel, kernel)
    yield f"{name}.bias", (outputs,)


def _linear(name: str, outputs: int, inputs: int) -> Named:
    yield f"{name}.weight", (outputs, inputs)
    yield f"{name}.bias", (outputs,)


def _norm(name: str, width: int) -> Named:
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)


def _prefixed(prefix: str, named: Named) -> Named:
    return ((prefix + name, shape) for name, shape in named)
