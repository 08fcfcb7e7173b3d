"""Z-Image's positions: pictures that are filled up, captions, references, and an embedder that is no module."""

import copy

import pytest
import torch

from fouriscale import apply_fouriscale, fouriscale, remove_fouriscale
from fouriscale.position_config import PositionConfig
from tests.tiny import text_pipelines

WIDTH = 16  # of the tiny model's text


def call(pipe, x, captions, **more):
    """The embedder's outputs in one call of the transformer."""
    transformer, made = pipe.transformer, []
    embedder = transformer.rope_embedder

    def seen(ids):
        made.append((ids.clone(), embedder(ids)))
        return made[-1][1]

    transformer.rope_embedder = seen
    try:
        with torch.no_grad():
            transformer(x, torch.tensor([0.25]).expand(len(x)), captions, **more)
    finally:
        transformer.rope_embedder = embedder
    return made


def noise(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def by_hand(pipe, ids, scale, m):
    """Complex numbers of interpolated positions."""
    embedder, parts = pipe.transformer.rope_embedder, []
    for axis, channels in enumerate(embedder.axes_dims):
        turns = embedder.theta ** (-torch.arange(0, channels, 2).double() / channels)
        angles = ids[:, axis, None].double() * turns / (scale if axis else 1)
        parts.append(torch.polar(torch.full_like(angles, m if axis else 1.0), angles))
    return torch.cat(parts, 1).to(torch.complex64)


def test_rows_of_the_batch_are_scaled_and_what_fills_them_up_is_not(tiny):
    pipe = tiny("z_image")
    x = [noise(4, 1, 8, 12), noise(4, 1, 8, 12)]  # 4 x 6 tokens, filled up to 32
    captions = [noise(5, WIDTH), noise(40, WIDTH)]
    stock = call(pipe, x, captions)
    with fouriscale(pipe, PositionConfig((8, 12), temperature=1.25)):  # half of 16 x 24 px
        (ids, image), (_, text) = call(pipe, x, captions)
    assert torch.equal(text, stock[1][1])
    assert len(image) == 64
    for first in (0, 32):
        own = slice(first, first + 24)
        assert torch.allclose(image[own], by_hand(pipe, ids[own], 2.0, 1.25), atol=1e-6)
        assert torch.equal(image[first + 24 : first + 32], stock[0][1][first + 24 : first + 32])
    assert ids[0, 0] != ids[32, 0]  # behind captions of two lengths
    assert torch.equal(call(pipe, x, captions)[0][1], stock[0][1])


def test_rows_with_captions_of_two_lengths_give_what_each_gives_alone(tiny):
    transformer = tiny("z_image").transformer
    x = [noise(4, 1, 8, 12), noise(4, 1, 8, 12).flip(-1)]
    captions, time = [noise(5, WIDTH), noise(40, WIDTH)], torch.tensor([0.25])
    with torch.no_grad(), fouriscale(tiny("z_image"), PositionConfig((8, 12), temperature=1.25)):
        together = transformer(x, time.expand(2), captions).sample
        alone = [transformer([x[i]], time, [captions[i]]).sample[0] for i in range(2)]
    for row, by_itself in zip(together, alone, strict=True):
        assert torch.allclose(row, by_itself, atol=1e-5)


def test_of_several_pictures_the_last_is_its_own_and_the_references_stay(tiny):
    pipe = tiny("z_image")
    x = [[noise(4, 1, 4, 4), noise(4, 1, 8, 8), noise(4, 1, 8, 8)]]
    captions = [[noise(5, WIDTH), noise(3, WIDTH), noise(4, WIDTH)]]
    more = {"siglip_feats": [None], "image_noise_mask": [[0, 0, 1]]}
    stock = call(pipe, x, captions, **more)
    with fouriscale(pipe, PositionConfig((8, 8), temperature="none")):
        changed = call(pipe, x, captions, **more)
    (ids, image), (_, text) = changed
    assert torch.equal(image[:64], stock[0][1][:64])
    assert torch.allclose(image[64:80], by_hand(pipe, ids[64:80], 2.0, 1.0), atol=1e-6)
    assert torch.equal(image[80:], stock[0][1][80:])
    assert torch.equal(text, stock[1][1])


@pytest.mark.slow
def test_the_stock_embedder_comes_back(tiny):
    pipe = tiny("z_image")
    stock = pipe.transformer.rope_embedder
    plain = text_pipelines.run(pipe, "z_image", "a red cat")
    apply_fouriscale(pipe, PositionConfig((32, 32)))  # the training size: nothing is changed
    assert torch.equal(text_pipelines.run(pipe, "z_image", "a red cat"), plain)
    assert pipe.transformer.rope_embedder.axes_lens == stock.axes_lens
    apply_fouriscale(pipe, PositionConfig((16, 16), rule="yarn", dynamic=True))
    assert not torch.equal(text_pipelines.run(pipe, "z_image", "a red cat"), plain)
    with pytest.raises(TypeError, match="call remove_fouriscale before copying"):
        copy.deepcopy(pipe.transformer)
    remove_fouriscale(pipe)
    assert pipe.transformer.rope_embedder is stock
    assert torch.equal(text_pipelines.run(pipe, "z_image", "a red cat"), plain)
