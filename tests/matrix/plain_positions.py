"""Scaled positions computed plainly, as a yardstick: pictures of 32 x 32 px, for each family by its own formula.

It shares nothing with the package but the config, of which it takes interpolation and a temperature that is a number.
"""

import contextlib
import functools
import types

import torch
from diffusers.models.embeddings import get_2d_sincos_pos_embed_from_grid

SIDE = 32  # pixels


@contextlib.contextmanager
def plain_positions(pipe, config):
    """The pipeline's transformer turns the picture's own tokens less far for the length of a `with` block."""
    transformer = getattr(pipe.transformer, "_orig_mod", pipe.transformer)
    scale, m = SIDE / config.training_sizes[0][0], config.temperature
    side = SIDE // (2 * pipe.vae_scale_factor)  # in tokens
    seen, set_timesteps = types.SimpleNamespace(active=[]), pipe.scheduler.set_timesteps

    def shifted_as_in_training(*args, mu=None, **kwargs):
        tokens = (config.training_sizes[0][0] // (2 * pipe.vae_scale_factor)) ** 2
        line = 0.5 + 0.65 * (tokens - 256) / (4096 - 256)
        return set_timesteps(*args, mu=None if mu is None else min(mu, line), **kwargs)

    with contextlib.ExitStack() as undo:
        if pipe.scheduler.config.use_dynamic_shifting:
            functools.update_wrapper(shifted_as_in_training, set_timesteps)
            pipe.scheduler.set_timesteps = shifted_as_in_training
            undo.callback(delattr, pipe.scheduler, "set_timesteps")
        for stand_in in _STAND_INS[type(transformer).__name__](transformer, side, scale, m):
            owner, name, value = stand_in
            before = vars(owner).get(name)
            setattr(owner, name, _counted(value, seen.active))
            if before is None:
                undo.callback(delattr, owner, name)
            else:
                undo.callback(setattr, owner, name, before)
        yield seen


def _counted(function, active):
    def counted(*args, **kwargs):
        active.append(True)
        return function(*args, **kwargs)

    return counted


def _of_ids(name, text_apart=False):
    """FLUX and its kin: behind the text's ids the picture's, and behind those the references', of another time."""

    def stand_ins(transformer, side, scale, m):
        maker = getattr(transformer, name)
        stock, axes = maker.forward, maker.axes_dim
        turned = slice(axes[0], axes[0] + axes[1] + axes[2])

        def forward(ids):
            if text_apart and not ids[:, 1:3].any():
                return stock(ids)
            references = int((ids[:, 0] != ids[0, 0]).sum())
            first = len(ids) - references - side**2
            own = slice(first, first + side**2)
            ids = ids.float().clone()
            ids[own, 1:3] /= scale
            cos, sin = (part.clone() for part in stock(ids))
            for part in (cos, sin):
                part[own, turned] *= m
            return cos, sin

        yield maker, "forward", forward

    return stand_ins


def _phases(axes, theta, places, scale, m):
    """Complex numbers of (frame, row, column)."""
    parts = []
    for axis, channels in enumerate(axes):
        turns = theta ** (-torch.arange(0, channels, 2).double() / channels)
        angles = places[:, axis, None].double() * turns / (scale if axis else 1)
        parts.append(torch.polar(torch.full_like(angles, m if axis else 1.0), angles))
    return torch.cat(parts, 1).to(torch.complex64)


def _grid(side, frame=0, middle=0):
    return torch.tensor([(frame, y - middle, x - middle) for y in range(side) for x in range(side)])


def _qwen_image(transformer, side, scale, m):
    maker = transformer.pos_embed
    stock = maker.forward

    def forward(*args, **kwargs):
        image, text = stock(*args, **kwargs)
        own = _phases(maker.axes_dim, maker.theta, _grid(side, middle=side // 2), scale, m)
        return torch.cat([own, image[side**2 :]]), text

    yield maker, "forward", forward


def _z_image(transformer, side, scale, m):
    stock = transformer.rope_embedder

    def embedder(ids):
        is_text = int(ids[0, 0]) == 1
        return stock(ids) if is_text else _phases(stock.axes_dims, stock.theta, ids, scale, m)

    yield transformer, "rope_embedder", embedder


def _lumina2(transformer, side, scale, m):
    maker = transformer.rope_embedder
    stock = maker.forward

    def forward(*args):
        hidden, captions, images, both, lengths, totals = stock(*args)
        images, both = images.clone(), both.clone()
        for i, length in enumerate(lengths):
            images[i] = _phases(maker.axes_dim, maker.theta, _grid(side, length), scale, m)
            both[i, length : length + side**2] = images[i]
        return hidden, captions, images, both, lengths, totals

    yield maker, "forward", forward


def _sd3(transformer, side, scale, m):
    """The sines of its table at places between; queries and keys of the picture times m."""
    embed = transformer.pos_embed
    entries = embed.pos_embed_max_size
    at = (entries - 1) / 2 + (torch.arange(side) - (side - 1) / 2) / scale
    at = at * embed.base_size / entries
    rows, columns = torch.meshgrid(at, at, indexing="ij")
    width = embed.pos_embed.shape[-1]
    grid = torch.stack([columns, rows]).reshape(2, 1, side, side)
    positions = get_2d_sincos_pos_embed_from_grid(width, grid, output_type="pt").float()[None]
    yield embed, "cropped_pos_embed", lambda height, width: positions
    for block in transformer.transformer_blocks:
        for attention in filter(None, (block.attn, getattr(block, "attn2", None))):
            for norm in (attention.norm_q, attention.norm_k):
                yield norm, "forward", lambda x, stock=norm.forward: m * stock(x)


_STAND_INS = {
    "FluxTransformer2DModel": _of_ids("pos_embed"),
    "ChromaTransformer2DModel": _of_ids("pos_embed"),
    "Flux2Transformer2DModel": _of_ids("pos_embed", text_apart=True),
    "Krea2Transformer2DModel": _of_ids("rotary_emb"),
    "QwenImageTransformer2DModel": _qwen_image,
    "ZImageTransformer2DModel": _z_image,
    "Lumina2Transformer2DModel": _lumina2,
    "SD3Transformer2DModel": _sd3,
}
