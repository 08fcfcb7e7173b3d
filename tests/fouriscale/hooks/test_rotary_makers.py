"""Positions by the settings in each kind of maker: complex numbers, middles, lengths of captions."""

import pytest
import torch

from fouriscale import FouriScaleConfig, apply_fouriscale, fouriscale, remove_fouriscale
from fouriscale.position_config import PositionConfig
from tests.tiny import text_pipelines

PROMPTS = ["a red cat", "a large green dog sitting under a big old tree"]


def made(pipe, name, maker, prompt):
    """(arguments, output) of the maker's first call in a run."""
    seen = []
    hook = getattr(pipe.transformer, maker).register_forward_hook(
        lambda _, args, out: seen.append((args, out))
    )
    try:
        seeds = tuple(range(len(prompt))) if isinstance(prompt, list) else (0,)
        image = text_pipelines.run(pipe, name, prompt, seeds)
    finally:
        hook.remove()
    return *seen[0], image


def turns(axes, places, theta, scale, m):
    """(tokens, pairs) by hand: interpolated rows and columns behind an axis that stays at `places[:, 0]`."""
    parts = []
    for axis, channels in enumerate(axes):
        frequencies = theta ** (-torch.arange(0, channels, 2, dtype=torch.float64) / channels)
        angles = places[:, axis, None].double() * frequencies / (scale if axis else 1)
        parts.append(torch.polar(torch.full_like(angles, m if axis else 1.0), angles))
    return torch.cat(parts, 1).to(torch.complex64)


def test_qwen_image_counts_from_the_middle_and_its_text_stays(tiny):
    pipe = tiny("qwen_image")
    maker = pipe.transformer.pos_embed
    (shapes, *_), (stock_image, stock_text), plain = made(pipe, "qwen_image", "pos_embed", PROMPTS[0])
    _, rows, columns = shapes[0][0] if isinstance(shapes[0], list) else shapes[0]
    pixels = 2 * pipe.vae_scale_factor
    with fouriscale(pipe, PositionConfig((rows * pixels // 2, columns * pixels // 2), temperature=1.25)):
        _, (image, text), picture = made(pipe, "qwen_image", "pos_embed", PROMPTS[0])
    grid = [
        (0, y - (rows - rows // 2), x - (columns - columns // 2)) for y in range(rows) for x in range(columns)
    ]
    expected = turns(maker.axes_dim, torch.tensor(grid), maker.theta, 2.0, 1.25)
    assert torch.allclose(image, expected, atol=1e-6)
    assert torch.equal(text, stock_text)
    assert not torch.equal(image, stock_image)
    assert not torch.equal(picture, plain)
    assert torch.equal(made(pipe, "qwen_image", "pos_embed", PROMPTS[0])[1][0], stock_image)


def test_lumina_2_puts_the_image_behind_each_caption(tiny):
    pipe = tiny("lumina2")
    maker = pipe.transformer.rope_embedder
    (latents, _), stock, plain = made(pipe, "lumina2", "rope_embedder", PROMPTS)
    rows, columns = (side // maker.patch_size for side in latents.shape[-2:])
    pixels = 2 * pipe.vae_scale_factor
    with fouriscale(pipe, PositionConfig((rows * pixels // 2, columns * pixels // 2), temperature="none")):
        _, found, picture = made(pipe, "lumina2", "rope_embedder", PROMPTS)
    hidden, captions, images, both, lengths, totals = found
    assert torch.equal(hidden, stock[0])
    assert torch.equal(captions, stock[1])
    assert (lengths, totals) == (stock[4], stock[5])
    assert len(set(lengths)) == 2
    for i, length in enumerate(lengths):
        grid = torch.tensor([(length, y, x) for y in range(rows) for x in range(columns)])
        expected = turns(maker.axes_dim, grid, maker.theta, 2.0, 1.0)
        assert torch.allclose(images[i].to(torch.complex64), expected, atol=1e-5)
        assert torch.equal(both[i, length : length + rows * columns], images[i])
        assert torch.equal(both[i, :length], stock[3][i, :length])
    assert not torch.equal(picture, plain)


@pytest.mark.parametrize("name", ["flux", "chroma", "flux2", "qwen_image", "lumina2"])
def test_a_run_afterwards_is_the_stock_one(tiny, name):
    pipe = tiny(name)
    plain = text_pipelines.run(pipe, name, PROMPTS[0])
    for config in (PositionConfig((8, 8)), PositionConfig((8, 8), rule="yarn", dynamic=True, axes="each")):
        apply_fouriscale(pipe, config)
        apply_fouriscale(pipe, config)  # twice is once
        changed = text_pipelines.run(pipe, name, PROMPTS[0])
        remove_fouriscale(pipe)
        assert not torch.equal(changed, plain)
        assert torch.equal(text_pipelines.run(pipe, name, PROMPTS[0]), plain)
    assert "_fouriscale" not in vars(pipe)
    assert not pipe.transformer._forward_pre_hooks


def test_two_pipelines_with_one_transformer_have_settings_each(tiny):
    pipe = tiny("flux")
    other = type(pipe)(**pipe.components)
    other.scheduler = type(pipe.scheduler).from_config(pipe.scheduler.config)
    plain = text_pipelines.run(pipe, "flux", PROMPTS[0])
    with fouriscale(pipe, PositionConfig((8, 8))):
        first = text_pipelines.run(pipe, "flux", PROMPTS[0])
        assert torch.equal(text_pipelines.run(other, "flux", PROMPTS[0]), plain)
        with fouriscale(other, PositionConfig((8, 8), rule="ntk")):
            second = text_pipelines.run(other, "flux", PROMPTS[0])
            assert torch.equal(text_pipelines.run(pipe, "flux", PROMPTS[0]), first)
    assert not torch.equal(first, second)
    assert torch.equal(text_pipelines.run(pipe, "flux", PROMPTS[0]), plain)


def test_what_cannot_be_served_is_refused(tiny):
    pipe = tiny("flux")
    with pytest.raises(TypeError, match=r"config=.*: must be a PositionConfig for a FluxTransformer2DModel"):
        apply_fouriscale(pipe, FouriScaleConfig.preset("sd15"))
    with pytest.raises(ValueError, match="FluxTransformer2DModel without a pipeline"):
        apply_fouriscale(pipe.transformer, PositionConfig((8, 8)))
    assert not pipe.transformer._forward_pre_hooks
