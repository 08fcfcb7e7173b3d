"""What others add within deep blocks, at their size: ControlNets' residuals, T2I-Adapters' features, masks."""

import math
import warnings

import pytest
import torch
from diffusers.image_processor import IPAdapterMaskProcessor
from torch.nn import functional as F

from fouriscale import fouriscale
from fouriscale.hooks.patch import current_state
from tests.fouriscale.hooks.test_patch import relative
from tests.matrix.cells_adapters import ip_adapter
from tests.matrix.plain_deep import DeepStep, cosines
from tests.tiny import unet_pipelines as models
from tests.tiny.bare_unets import CONFIG, FIRST, LATE, applied, call, small_unet


def small_sizes(unet, size):
    """By level, of the deep maps, for a sample of a size."""
    return DeepStep(unet, CONFIG, size, 1, 0, 10).small


def residuals(unet, size, rows=1):
    """What a ControlNet would add to each of the maps that skip, in their order."""
    generator, shapes = torch.Generator().manual_seed(7), [size]
    for i, block in enumerate(unet.down_blocks):
        shapes += [size] * len(block.resnets)
        if i < len(unet.down_blocks) - 1:
            size = tuple((side + 1) // 2 for side in size)
            shapes.append(size)
    return [torch.randn(rows, 8, *shape, generator=generator) for shape in shapes]


def features(unet, size, rows=1):
    """What a T2I-Adapter would add to each down block, which adds it after its downsampler if it has no attention."""
    generator, shapes = torch.Generator().manual_seed(8), []
    for block in unet.down_blocks:
        smaller = tuple((side + 1) // 2 for side in size) if block.downsamplers else size
        shapes.append(size if hasattr(block, "attentions") else smaller)
        size = smaller
    return [torch.randn(rows, 8, *shape, generator=generator) for shape in shapes]


def given_to_forward(unet, size, *args, timestep=FIRST, **further):
    """The arguments that reach a UNet's own `forward`, which takes features out of their list."""
    seen, forward = [], unet.forward

    def note(*args, **kwargs):
        seen.append((args, {k: list(v) if isinstance(v, list) else v for k, v in kwargs.items()}))
        return forward(*args, **kwargs)

    unet.forward = note
    try:
        if args:
            sample, text = torch.zeros(1, 4, *size), torch.zeros(1, 5, 8)
            with torch.no_grad():
                unet(sample, timestep, text, *args)
        else:
            call(unet, size, timestep, **further)
    finally:
        del unet.forward
    return seen[0]


def all_equal(ours, expected):
    assert len(ours) == len(expected)
    for one, other in zip(ours, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [(32, 48), (33, 47), (9, 90)])
def test_what_a_controlnet_adds_is_resampled_from_the_first_deep_block_on(size):
    unet = small_unet()
    down, small = residuals(unet, size), small_sizes(unet, size)
    mid = down[-1] + 1
    before = [one.clone() for one in down]
    with applied(unet):
        given = {"down_block_additional_residuals": tuple(down), "mid_block_additional_residual": mid}
        _, kwargs = given_to_forward(unet, size, **given)
        _, late = given_to_forward(unet, size, timestep=LATE, **given)
    # conv_in, a ResNet, a downsampler; a ResNet, a downsampler; a ResNet
    expected = [*down[:3], cosines(down[3], small[1]), cosines(down[4], small[2]), cosines(down[5], small[2])]
    all_equal(kwargs["down_block_additional_residuals"], expected)
    all_equal([kwargs["mid_block_additional_residual"]], [cosines(mid, small[2])])
    assert all(a is b for a, b in zip(late["down_block_additional_residuals"], down, strict=True))
    assert all(torch.equal(*pair) for pair in zip(down, before, strict=True))


def test_residuals_given_by_place_are_resampled_too():
    unet, size = small_unet(), (32, 48)
    down, small = residuals(unet, size), small_sizes(unet, size)
    places = [None] * 5  # from class_labels to added_cond_kwargs
    with applied(unet):
        args, kwargs = given_to_forward(unet, size, *places, down, down[-1])
        assert len(args) == 3 + len(places)
        all_equal([kwargs["mid_block_additional_residual"]], [cosines(down[-1], small[2])])
        all_equal(kwargs["down_block_additional_residuals"][4:5], [cosines(down[4], small[2])])
        rest = [*places, None, None, features(unet, size), torch.ones(1, 5)]
        args, kwargs = given_to_forward(unet, size, *rest)
    assert torch.equal(kwargs["encoder_attention_mask"], torch.ones(1, 5))
    assert args[8:] == (None, None)
    all_equal([kwargs["down_intrablock_additional_residuals"][-1]], [cosines(rest[-2][-1], small[2])])


@pytest.mark.parametrize("levels", [2, 3, 4])
def test_what_a_t2i_adapter_adds_is_resampled_in_deep_blocks_whichever_argument_it_comes_by(levels):
    unet, size = small_unet(levels), (33, 47)
    added, small = features(unet, size), small_sizes(unet, size)
    expected = [added[0]]
    for level, one in enumerate(added[1:], start=1):
        expected.append(cosines(one, small[min(level + (level < levels - 1), levels - 1)]))
    with applied(unet):
        _, kwargs = given_to_forward(unet, size, down_intrablock_additional_residuals=[*added])
        new = call(unet, size, down_intrablock_additional_residuals=[*added])
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # diffusers' about the old argument: it is not given that
            old = call(unet, size, down_block_additional_residuals=[*added])
        without = call(unet, size)
    assert torch.equal(new, old)
    assert relative(new, without) > 0.1
    all_equal(kwargs["down_intrablock_additional_residuals"], expected)


@pytest.mark.parametrize("changes", [{}, {"third_branch": True}, {"third_branch": True, "early_guidance": 2}])
def test_split_rows_give_the_same(changes):
    unet, config = small_unet(), CONFIG.replace(**changes)
    net = dict(
        down_block_additional_residuals=residuals(unet, (33, 47), rows=4),
        mid_block_additional_residual=residuals(unet, (33, 47), rows=4)[-1],
    )
    results = []
    for split in (False, True):
        with applied(unet, config.replace(split_rows=split), guided=True):
            results.append(call(unet, (33, 47), rows=4, guided=True, **net))
    assert relative(*results) < 1e-5


def test_a_feature_of_no_level_stays_as_it_is():
    unet, size = small_unet(2), (32, 32)
    odd = [*features(unet, size), torch.ones(1, 8, 5, 5)]
    with applied(unet):
        call(unet, size, down_intrablock_additional_residuals=odd)


@pytest.mark.slow
@pytest.mark.parametrize("as_list", [True, False])
def test_masks_have_the_grids_rows_and_columns(monkeypatch, as_list):
    """diffusers takes the grid of 4 x 18 for one of 3 x 24, by the picture's aspect ratio."""
    pipe, embeds = ip_adapter("SD")
    height, width = 64, 320
    mask = torch.rand(1, 1, height, width, generator=torch.Generator().manual_seed(0))
    own, seen = IPAdapterMaskProcessor.downsample, []

    def downsample(mask, rows, tokens, channels):
        seen.append((tokens, own(mask, rows, tokens, channels)[0, :, 0]))
        return own(mask, rows, tokens, channels)

    monkeypatch.setattr(IPAdapterMaskProcessor, "downsample", staticmethod(downsample))
    with fouriscale(pipe, models.CONFIG.replace(mode="fast", split_rows=as_list)), warnings.catch_warnings():
        warnings.simplefilter("error")
        pipe(
            **models.call(height=height, width=width, steps=1, output_type="latent"),
            ip_adapter_image_embeds=[embeds],
            cross_attention_kwargs={"ip_adapter_masks": [mask] if as_list else mask},
        )
        assert current_state(pipe).plan.grid.size == (4, 18)
    by_tokens = dict(seen)
    assert by_tokens.keys() == {8 * 40, 4 * 18}
    for size in ((8, 40), (4, 18)):
        expected = F.interpolate(mask, size, mode="bicubic").flatten()
        torch.testing.assert_close(by_tokens[math.prod(size)], expected)
