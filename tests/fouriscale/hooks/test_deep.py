"""Deep blocks on a smaller grid: sizes of maps, phases, branches, batches, what is added within, which blocks."""

import math
import warnings
from types import SimpleNamespace

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.image_processor import IPAdapterMaskProcessor
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from fouriscale import FouriScaleConfig, apply_fouriscale, fouriscale, remove_fouriscale
from fouriscale.hooks.modules import levels_of, listed_convolutions
from fouriscale.hooks.patch import current_state
from fouriscale.hooks.place import Levels
from fouriscale.loading.configs import unet_config
from fouriscale.maths.layers import derive_layers
from shapeworld import models as world
from tests.fouriscale.hooks.test_patch import relative, traces
from tests.fouriscale.test_recognise import SHAPES, meta
from tests.matrix.cells_adapters import ip_adapter
from tests.matrix.plain_deep import DeepStep, cosines
from tests.matrix.plain_reference import plain_reference
from tests.tiny import unet_pipelines as models

SCHEDULER = SimpleNamespace(timesteps=torch.arange(9, -1, -1))  # ten steps, the first eight on the grid
FIRST, LAST_DEEP, LATE = 9, 2, 1  # their timesteps
CONFIG = FouriScaleConfig(
    training_sizes=(16, 16),
    layers=["down_blocks.1.*", "mid_block.*", "up_blocks.0.*"],
    start=0.2,
    stop=0.6,
    mode="fast",
)


def small_unet(levels=3, **changes):
    """Eight channels at each level, attention at the first and the last."""
    torch.manual_seed(3)
    down = ["CrossAttnDownBlock2D"] + ["DownBlock2D"] * (levels - 2) + ["CrossAttnDownBlock2D"]
    up = ["CrossAttnUpBlock2D"] + ["UpBlock2D"] * (levels - 2) + ["CrossAttnUpBlock2D"]
    given = dict(
        block_out_channels=(8,) * levels,
        layers_per_block=1,
        norm_num_groups=4,
        attention_head_dim=4,
        cross_attention_dim=8,
        down_block_types=down,
        up_block_types=up,
    )
    return UNet2DConditionModel(**given | changes).eval()


def applied(unet, config=CONFIG, guided=False):
    """FouriScale on a UNet by itself, whose sizes are in latent pixels."""
    return fouriscale(unet, config, scheduler=SCHEDULER, vae_scale_factor=1, guided=guided)


@torch.no_grad()
def call(unet, size, timestep=FIRST, rows=1, guided=False, **further):
    """What the UNet makes of noise; row i has its own noise and text, or pairs of rows have noise in common."""
    generators = [torch.Generator().manual_seed(i) for i in range(rows)]
    noise = [
        torch.randn(1, 4, *size, generator=generator) for generator in generators[: rows // (1 + guided)]
    ]
    text = torch.cat([torch.randn(1, 5, 8, generator=generator) for generator in generators])
    sample = torch.cat(noise * (1 + guided))
    return unet(sample.to(unet.dtype), timestep, encoder_hidden_states=text.to(unet.dtype), **further).sample


def map_sizes(unet, size, **settings):
    """{(block, the size of maps in its ResNets)} of a call, and the size of what comes out."""
    seen, hooks = set(), []
    for name, module in unet.named_modules():
        if name.endswith(("conv1", "conv2")):
            block = name.split(".resnets")[0]
            note = lambda _, args, __, block=block: seen.add((block, tuple(args[0].shape[-2:])))  # noqa: E731
            hooks.append(module.register_forward_hook(note))
    out = tuple(call(unet, size, **settings).shape[-2:])
    for hook in hooks:
        hook.remove()
    return seen, out


def test_deep_blocks_have_the_grids_size_and_the_others_the_pictures():
    unet = small_unet()
    with applied(unet):
        seen, out = map_sizes(unet, (32, 48))  # 2.45 times the training size on each axis
        late, _ = map_sizes(unet, (32, 48), timestep=LATE)
    levels = [(32, 48), (6, 10), (3, 5)]  # 6.5 x 9.8 at level 1, in multiples of 2
    assert out == (32, 48)
    assert seen == {
        *((f"down_blocks.{i}", size) for i, size in enumerate(levels)),
        ("mid_block", levels[2]),
        *((f"up_blocks.{2 - i}", size) for i, size in enumerate(levels)),
    }
    assert ("mid_block", (8, 12)) in late
    assert late == map_sizes(unet, (32, 48))[0]


UNETS = {levels: small_unet(levels) for levels in (2, 3, 4)}


def plain_step(unet, size, config=CONFIG, step=0):
    return DeepStep(unet, config, size, 1, step, 10)


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(st.integers(3, 50), st.integers(3, 50), st.integers(2, 4), st.sampled_from([(8, 8), (9, 17)]))
@example(3, 50, 4, (8, 8))  # too narrow for a multiple
@example(50, 5, 4, (8, 8))
def test_any_size_and_any_aspect_ratio(height, width, levels, training):
    config, unet = CONFIG.replace(training_sizes=training), UNETS[levels]
    before = call(unet, (height, width))
    with applied(unet, config):
        seen, out = map_sizes(unet, (height, width))
        plan = current_state(unet).plan
    assert out == (height, width)
    assert (plan is not None) == (height * width > 1.21 * math.prod(training) * (1 + 1e-9))
    if plan is not None:
        plain = plain_step(unet, (height, width), config)
        sizes = [plain.full[0], *plain.small.values()]
        assert {size for block, size in seen if block.startswith("down")} == set(sizes)
        assert sum(map(math.prod, sizes[1:])) <= sum(map(math.prod, plain.full[1:]))
    assert torch.equal(call(unet, (height, width)), before)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(24, 24), (23, 37), (7, 70)])
@pytest.mark.parametrize("levels", [2, 4])
@pytest.mark.parametrize("changes", [{}, {"third_branch": True, "grid_phases": [[0.8, 1.2]]}])
def test_equals_the_method_computed_plainly(size, levels, changes):
    unet, config = UNETS[levels], CONFIG.replace(**changes)
    plain = call(unet, size, rows=2, guided=True)
    for timestep in (LAST_DEEP, LATE):
        with applied(unet, config, guided=True):
            ours = call(unet, size, timestep, rows=2, guided=True)
        stand_in = SimpleNamespace(unet=unet, scheduler=SCHEDULER, vae_scale_factor=1)
        with plain_reference(stand_in, config) as reference, torch.no_grad():
            sample, text = noise_and_text(size)
            expected = unet(sample, timestep, encoder_hidden_states=text)[0]
        assert reference.active == [timestep != LATE]
        assert relative(ours, expected) < 1e-5
    assert relative(ours, plain) > 1e-4


def noise_and_text(size):
    """Those of `call` with two guided rows."""
    generators = [torch.Generator().manual_seed(i) for i in range(2)]
    sample = torch.randn(1, 4, *size, generator=generators[0])
    return torch.cat([sample] * 2), torch.cat([torch.randn(1, 5, 8, generator=g) for g in generators])


# Where the grid is


@pytest.mark.parametrize(("side", "active"), [(16, False), (17, False), (18, True)])
def test_up_to_a_tenth_beyond_the_training_size_nothing_is_done(side, active):
    unet = small_unet()
    plain = [call(unet, (side, side), timestep) for timestep in (FIRST, LATE)]
    with applied(unet):
        ours = [call(unet, (side, side), timestep) for timestep in (FIRST, LATE)]
        assert [torch.equal(*pair) for pair in zip(ours, plain, strict=True)] == [not active] * 2


def test_grids_grow_from_phase_to_phase():
    unet = small_unet(2)
    with applied(unet, CONFIG.replace(grid_phases=[[0.3, 0.5], [0.5, 1], [0.8, 1.5], [0.9, 2]])):
        grids = []
        for timestep in range(9, -1, -1):
            call(unet, (32, 32), timestep)
            plan = current_state(unet).plan
            grids.append(plan.grid.size[0] if plan and plan.grid else None)
    assert grids == [4] * 3 + [8] * 2 + [12] * 3 + [None] * 2  # of 16; the last phase is the whole size


def test_after_the_grid_only_keys_are_fewer():
    unet = small_unet()
    plain = call(unet, (32, 32), LATE)
    with applied(unet, CONFIG.replace(late_attention="full")):
        assert torch.equal(call(unet, (32, 32), LATE), plain)
    with applied(unet):
        assert 1e-6 < relative(call(unet, (32, 32), LATE), plain) < 0.1


@pytest.mark.parametrize(
    ("level", "names"), [(1, ["down_blocks.1", "down_blocks.2"]), (2, ["down_blocks.2"])]
)
def test_the_level_may_be_chosen(level, names):
    unet = small_unet()
    with applied(unet, CONFIG.replace(grid_level=level)):
        seen, _ = map_sizes(unet, (32, 32))
    full = {f"down_blocks.{i}": (32 >> i, 32 >> i) for i in range(3)}
    assert {block for block, size in seen if block in full and size != full[block]} == set(names)


def test_levels_that_there_are_not_are_refused_and_nothing_is_changed():
    unet = small_unet()
    before = traces(unet)
    refusal = r"^grid_level=3: must be from 1 to 2 in this UNet2DConditionModel of 3 levels$"
    with pytest.raises(ValueError, match=refusal):
        apply_fouriscale(unet, CONFIG.replace(grid_level=3), scheduler=SCHEDULER)
    flat = small_unet(
        block_out_channels=(8,), down_block_types=("DownBlock2D",), up_block_types=("UpBlock2D",)
    )
    config = CONFIG.replace(layers=["mid_block.*"])
    with pytest.raises(ValueError, match=r'a single level, so no deeper one .*: set grid="full"$'):
        apply_fouriscale(flat, config, scheduler=SCHEDULER)
    assert traces(unet) == before
    with applied(flat, config.replace(grid="full")):
        call(flat, (32, 32))


def test_two_settings_with_a_level_each_take_turns_on_one_unet():
    unet = models.unet("SD", block_out_channels=(8, 8, 8), **blocks_of(3))
    pipes = [models.pipeline("SD", unet=unet) for _ in range(2)]
    configs = [models.CONFIG.replace(mode="fast", grid_level=level) for level in (1, 2)]
    given = models.call(output_type="latent", steps=2)

    def images(pipe):
        given["generator"].manual_seed(0)
        return pipe(**given).images

    alone = []
    for pipe, config in zip(pipes, configs, strict=True):
        with fouriscale(pipe, config):
            alone.append(images(pipe))
    before = traces(unet)
    with fouriscale(pipes[0], configs[0]), fouriscale(pipes[1], configs[1]):
        for _ in range(2):
            assert torch.equal(images(pipes[0]), alone[0])
            assert torch.equal(images(pipes[1]), alone[1])
    assert traces(unet) == before
    assert not torch.equal(*alone)


def blocks_of(levels):
    return dict(
        down_block_types=("CrossAttnDownBlock2D",) * (levels - 1) + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * (levels - 1),
    )


PRESETS = {name: (unet_config(name), name) for name in ("sd15", "sd21", "sd21-768", "sdxl")}
EXPECTED = {
    "sd15": (4, 2),
    "sd21": (4, 2),
    "sd21-768": (4, 2),
    "sdxl": (3, 2),
    "SSD-1B": (3, 2),
    "Segmind Vega": (3, 2),
    "SDXL refiner": (4, 2),
    "BK-SDM-Base": (4, 2),
    "BK-SDM-Small": (4, 2),
    "tiny-sd, BK-SDM-Tiny": (3, 2),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_where_the_grid_begins_is_derived_from_the_levels(name):
    shape, preset = (PRESETS | SHAPES)[name]
    unet = meta(shape)
    layers = FouriScaleConfig.preset(preset).layers if name in PRESETS else derive_layers(unet.config)
    config = FouriScaleConfig.preset(preset, mode="fast", layers=layers)
    assert levels_of(unet, config, listed_convolutions(unet, config)) == Levels(*EXPECTED[name])


def test_where_it_begins_in_the_shipped_model():
    unet = world.build_unet()
    config = FouriScaleConfig.preset("shapeworld", mode="fast")
    assert levels_of(unet, config, listed_convolutions(unet, config)) == Levels(3, 1)


def test_layers_of_up_blocks_alone_put_the_lowest_level_on_the_grid():
    unet = small_unet()
    config = CONFIG.replace(layers=["up_blocks.*"])
    assert levels_of(unet, config, listed_convolutions(unet, config)) == Levels(3, 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["BK-SDM-Small", "tiny-sd, BK-SDM-Tiny", "SDXL refiner"])
def test_pruned_models_run_on_it(name):
    """In shapes alone, without a mid block, with fewer layers or a further level."""
    shape, preset = SHAPES[name]
    unet = meta(shape)
    config = FouriScaleConfig.preset(preset, mode="fast", layers=derive_layers(unet.config))
    added = {}
    if preset == "sdxl":
        text, ids = torch.zeros(2, 1280, device="meta"), torch.zeros(2, 5, device="meta")
        added = {"added_cond_kwargs": {"text_embeds": text, "time_ids": ids}}
    sample = torch.zeros(2, 4, 205, 150, device="meta")
    text = torch.zeros(2, 77, unet.config.cross_attention_dim, device="meta")
    with fouriscale(unet, config, scheduler=SCHEDULER):
        assert unet(sample, FIRST, encoder_hidden_states=text, **added).sample.shape == sample.shape
        assert current_state(unet).plan.grid.level == 2


# Rows


def test_without_the_guidance_branch_rows_stay_the_callers():
    unet, rows = small_unet(), []
    unet.conv_in.register_forward_hook(lambda _, args, __: rows.append(len(args[0])))
    with applied(unet, guided=True):
        call(unet, (32, 32), rows=2, guided=True)
    with applied(unet, CONFIG.replace(third_branch=True), guided=True):
        call(unet, (32, 32), rows=2, guided=True)
        call(unet, (32, 32), LATE, rows=2, guided=True)
    assert rows == [2, 3, 2]


@pytest.mark.parametrize("third_branch", [False, True])
def test_batches_equal_singles(third_branch):
    unet = small_unet()
    with applied(unet, CONFIG.replace(third_branch=third_branch)):
        both = call(unet, (33, 47), rows=2)
        assert relative(both[:1], call(unet, (33, 47))) < 1e-5
    assert relative(both[1:], both[:1]) > 0.1


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


@pytest.mark.slow
@pytest.mark.parametrize("rows", [2, 8])
def test_polyphase_attention_is_outside_of_the_grid(rows):
    """A deep map has as many tokens as a grid of the full one, and is none."""
    unet = small_unet()
    config = CONFIG.replace(attention="polyphase")
    with applied(unet, config):
        together = call(unet, (32, 32), rows=rows)
        assert relative(together[:1], call(unet, (32, 32))) < 1e-5
    with applied(unet, config.replace(attention="full")):
        assert 1e-6 < relative(call(unet, (32, 32), rows=rows), together) < 0.1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    unet = small_unet()
    with applied(unet):
        exact = call(unet, (33, 47))
        half = call(unet.to(dtype), (33, 47))
    assert half.dtype == dtype
    assert relative(half.float(), exact) < 0.05


def test_an_exception_in_a_deep_block_leaves_nothing():
    unet = small_unet()
    plain = call(unet, (16, 16))
    with applied(unet):
        whole = call(unet, (32, 32))

        def fail(*_):
            raise RuntimeError("stopped")

        hook = unet.mid_block.register_forward_hook(fail)
        with pytest.raises(RuntimeError, match="stopped"):
            call(unet, (32, 32))
        hook.remove()
        assert torch.equal(call(unet, (16, 16)), plain)
        assert torch.equal(call(unet, (32, 32)), whole)


@pytest.mark.parametrize(
    "changes",
    [
        *({"grid_resampling": kind} for kind in ("area", "nearest", "bicubic")),
        {"third_branch": True},
        {"grid_level": 2},
        {"mode": "paper", "grid": "deep"},
        {"mode": "paper"},
    ],
)
def test_other_settings_change_the_picture_and_are_taken_off(changes):
    unet, size = UNETS[3], (23, 37)
    before, found = call(unet, size), traces(unet)
    with applied(unet):
        fast = call(unet, size)
    with applied(unet, CONFIG.replace(**changes)):
        assert relative(call(unet, size), fast) > 1e-3
    assert traces(unet) == found
    assert torch.equal(call(unet, size), before)


# What is added within


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
    down, plain = residuals(unet, size), plain_step(unet, size)
    mid = down[-1] + 1
    before = [one.clone() for one in down]
    with applied(unet):
        given = {"down_block_additional_residuals": tuple(down), "mid_block_additional_residual": mid}
        _, kwargs = given_to_forward(unet, size, **given)
        _, late = given_to_forward(unet, size, timestep=LATE, **given)
    small = plain.small
    # conv_in, a ResNet, a downsampler; a ResNet, a downsampler; a ResNet
    expected = [*down[:3], cosines(down[3], small[1]), cosines(down[4], small[2]), cosines(down[5], small[2])]
    all_equal(kwargs["down_block_additional_residuals"], expected)
    all_equal([kwargs["mid_block_additional_residual"]], [cosines(mid, small[2])])
    assert all(a is b for a, b in zip(late["down_block_additional_residuals"], down, strict=True))
    assert all(torch.equal(*pair) for pair in zip(down, before, strict=True))


def test_residuals_given_by_place_are_resampled_too():
    unet, size = small_unet(), (32, 48)
    down, small = residuals(unet, size), plain_step(unet, size).small
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
    added, plain = features(unet, size), plain_step(unet, size)
    expected = [added[0]]
    for level, one in enumerate(added[1:], start=1):
        expected.append(cosines(one, plain.small[min(level + (level < levels - 1), levels - 1)]))
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


def test_a_feature_of_no_level_stays_as_it_is():
    unet, size = small_unet(2), (32, 32)
    odd = [*features(unet, size), torch.ones(1, 8, 5, 5)]
    with applied(unet):
        call(unet, size, down_intrablock_additional_residuals=odd)


# IP-Adapter's masks


@pytest.mark.slow
@pytest.mark.parametrize("split", [False, True])
def test_masks_have_the_grids_rows_and_columns(monkeypatch, split):
    """diffusers takes the grid of 4 x 18 for one of 3 x 24, by the picture's aspect ratio."""
    pipe, embeds = ip_adapter("SD")
    height, width = 64, 320
    mask = torch.rand(1, 1, height, width, generator=torch.Generator().manual_seed(0))
    own, seen = IPAdapterMaskProcessor.downsample, []

    def downsample(mask, rows, tokens, channels):
        seen.append((tokens, own(mask, rows, tokens, channels)[0, :, 0]))
        return own(mask, rows, tokens, channels)

    monkeypatch.setattr(IPAdapterMaskProcessor, "downsample", staticmethod(downsample))
    with fouriscale(pipe, models.CONFIG.replace(mode="fast", split_rows=split)), warnings.catch_warnings():
        warnings.simplefilter("error")
        pipe(
            **models.call(height=height, width=width, steps=1, output_type="latent"),
            ip_adapter_image_embeds=[embeds],
            cross_attention_kwargs={"ip_adapter_masks": [mask]},
        )
        assert current_state(pipe).plan.grid.size == (4, 18)
    by_tokens = dict(seen)
    assert by_tokens.keys() == {8 * 40, 4 * 18}
    for size in ((8, 40), (4, 18)):
        expected = F.interpolate(mask, size, mode="bicubic").flatten()
        torch.testing.assert_close(by_tokens[math.prod(size)], expected)
    remove_fouriscale(pipe)
