"""Which of a UNet's blocks are on the deep grid."""

import pytest
import torch

from fouriscale import FouriScaleConfig, apply_fouriscale, fouriscale
from fouriscale.hooks.modules import levels_of, listed_convolutions
from fouriscale.hooks.patch import current_state
from fouriscale.loading.configs import unet_config
from fouriscale.maths.grid import Levels
from fouriscale.maths.layers import derive_layers
from shapeworld import models as world
from tests.fouriscale.hooks.test_patch import traces
from tests.fouriscale.test_recognise import SHAPES, meta
from tests.tiny import unet_pipelines as models
from tests.tiny.bare_unets import CONFIG, FIRST, SCHEDULER, applied, call, map_sizes, small_unet


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
