import dataclasses
import functools
import gc
import json
import shutil
import threading

import psutil
import pytest
import torch
from diffusers import UNet2DConditionModel
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from fouriscale import FouriScaleConfig, fouriscale, size_conditioning
from fouriscale.cli import main
from fouriscale.loading.configs import unet_config, vae_scale_factor
from fouriscale.loading.single_file import COMPONENTS
from fouriscale.reports.explain import explain
from fouriscale.reports.explain_words import sentences
from fouriscale.reports.memory import LiveBytes
from picturelab.memory import peak_memory
from tests.tiny.golden import build_pipe, load_case

CONFIG = FouriScaleConfig.preset("sd15", training_sizes=(128, 128), start=0.25, stop=0.75)


@pytest.fixture
def run(run_command):
    return functools.partial(run_command, main)


@pytest.mark.slow
def test_costs_are_those_of_a_real_run():
    """The multiply-adds foretold from the config equal those counted while sampling."""
    case, _, unet = load_case("sd_square_2x")
    told = explain(unet.config, 256, 256, steps=8, config=CONFIG)
    pipe = build_pipe(case, unet)
    pipe.scheduler.set_timesteps(8)
    sample = torch.randn(1, 4, 32, 32).repeat(2, 1, 1, 1)
    counts, peaks = [], []
    with torch.no_grad(), fouriscale(unet, CONFIG, scheduler=pipe.scheduler):
        for now in (pipe.scheduler.timesteps[0], pipe.scheduler.timesteps[7]):
            # The CPU's own attention is no operation that the counter knows.
            with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
                unet(sample, now, torch.randn(2, 77, 32))
            counts.append(counter.get_total_flops())
            with LiveBytes() as live:
                unet(sample, now, torch.randn(2, 77, 32))
            peaks.append(live.peak / 4)
    assert told.step_cost == pytest.approx(counts[0] / counts[1])
    assert told.step_cost > 1.4
    assert (told.active, told.steps) == (6, 8)
    assert told.run_cost == pytest.approx((6 * told.step_cost + 2) / 8)
    assert told.peak_values == pytest.approx(peaks, rel=0.05)  # the kernel keeps a number a query
    assert told.peak_values[0] > 1.4 * told.peak_values[1]
    assert told.parameters == sum(p.numel() for p in unet.parameters())
    assert told.convolutions == (34, 31)
    assert told.dilations[:2] == (2.0, 2.0)


@pytest.mark.slow
def test_without_the_third_branch_there_are_no_more_rows():
    _, _, unet = load_case("sd_square_2x")
    told = explain(unet.config, 256, 256, steps=8, config=CONFIG.replace(third_branch=False))
    assert told.peak_values[0] == pytest.approx(told.peak_values[1], rel=0.01)
    assert told.step_cost == pytest.approx(1.0, abs=0.05)


@pytest.mark.slow
def test_what_the_modes_save():
    """Late attention counts too, and rows one after the other need the maps of the larger part only."""
    _, _, unet = load_case("sd_square_2x")
    told = {
        name: explain(unet.config, 256, 256, steps=8, config=CONFIG.replace(**changes))
        for name, changes in {
            "paper": {},
            "split": {"split_rows": True},
            "layerwise": {"mode": "layerwise"},
            "whole late": {"mode": "layerwise", "late_attention": "full"},
        }.items()
    }
    assert told["split"].peak_values[0] <= 1.05 * told["split"].peak_values[1]
    assert told["split"].step_cost == told["paper"].step_cost
    assert told["layerwise"].step_cost < 0.9
    assert told["layerwise"].step_cost == told["whole late"].step_cost
    assert told["layerwise"].run_cost < told["whole late"].run_cost


DEEP = CONFIG.replace(mode="fast", grid_phases=[[0.5, 1], [0.75, 1.5]], grid_level=1)


@pytest.mark.slow
def test_costs_of_the_deep_grid_are_those_of_a_real_run():
    """Each part of the run has a cost of its own, though the dilation rounds up to 2 in both."""
    case, _, unet = load_case("sd_square_2x")
    told = explain(unet.config, 256, 256, steps=8, config=DEEP)
    pipe = build_pipe(case, unet)
    pipe.scheduler.set_timesteps(8)
    sample = torch.randn(1, 4, 32, 32).repeat(2, 1, 1, 1)
    counts, peaks = [], []
    with torch.no_grad(), fouriscale(unet, DEEP, scheduler=pipe.scheduler):
        for now in (pipe.scheduler.timesteps[i] for i in (0, 4, 7)):
            with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
                unet(sample, now, torch.randn(2, 77, 32))
            counts.append(counter.get_total_flops() / 2)
            with LiveBytes() as live:
                unet(sample, now, torch.randn(2, 77, 32))
            peaks.append(live.peak / 4)
    assert counts[0] < counts[1] < counts[2] < told.direct_cost
    assert told.step_cost == pytest.approx(counts[0] / told.direct_cost)
    assert told.run_cost == pytest.approx(
        (4 * counts[0] + 2 * counts[1] + 2 * counts[2]) / (8 * told.direct_cost)
    )
    assert told.peak_values[0] == pytest.approx(max(peaks), rel=0.05)
    assert told.dilations == (2.0,) * 4 + (pytest.approx(4 / 3),) * 2 + (1.0, 1.0)
    assert (told.active, told.convolutions) == (6, (0, 0))
    # Sizes by hand: of 32 latent pixels level 1 has 16, half of them in the first part and 12 in the second.
    lines = sentences(told)
    assert [line for line in lines if line.startswith("grid: ")] == [
        "grid: level 1 runs on width 8, height 8 instead of width 16, height 16, level 2 runs on width 4, height 4 "
        "instead of width 8, height 8, level 3 runs on width 2, height 2 instead of width 4, height 4, "
        "until step 4 of 8",
        "grid: level 1 runs on width 12, height 12 instead of width 16, height 16, level 2 runs on width 6, height 6 "
        "instead of width 8, height 8, level 3 runs on width 3, height 3 instead of width 4, height 4, "
        "until step 6 of 8",
    ]
    assert not any(line.startswith(("dilation", "padding", "layers")) for line in lines)


@pytest.mark.slow
def test_a_deep_grid_that_never_is_smaller():
    _, _, unet = load_case("sd_square_2x")
    told = explain(unet.config, 256, 256, steps=2, config=DEEP.replace(grid_phases=[[0.5, 2]]))
    assert told.grids == ()
    assert "grid: in none of 2 steps; all of them with self-attention to downsampled keys" in sentences(told)
    within = dataclasses.replace(told, config=CONFIG, fit=CONFIG.fit(128, 128), size=(128, 128))
    assert sentences(within)[1].endswith("; the size lies within it, so nothing is done")


def test_live_bytes_by_hand():
    before = torch.zeros(100)
    with LiveBytes() as live:
        a = torch.ones(1000)
        b = a.view(10, 100)  # no more bytes
        before.t()
        c = a + 1  # 8000 alive
        del a, b
        d = c * 2  # 8000 again
        del c, d
        torch.ones(500)
    assert live.peak == 8000
    assert live._live == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "size", "lines"),
    [
        (
            "sd15",
            "1024x768",
            ["training size: width 512, height 512", "34 convolutions, 31 of them filtered"],
        ),
        (
            "sdxl",
            "2048x2048",
            [
                "training size: width 1024, height 1024, which is told to the model as the size\n",
                "2567.5 million weights",
            ],
        ),
        (
            "shapeworld/unet",
            "384x256",
            [
                "factor: 2.45 on each axis, the root of the areas' ratio\n",
                "grid: level 1 runs on width 20, height 14 instead of width 48, height 32, level 2 runs on width 10, "
                "height 7 instead of width 24, height 16, until step 20 of 25\n",
                "blocks: down_blocks.1 to up_blocks.1 on the grid, by cosines; no convolution is dilated or filtered\n",
                "without effect on the deep grid: stop\n",
                "steps: the first 20 of 25 on the grid, the others with self-attention to downsampled keys\n",
            ],
        ),
        (
            "shapeworld",
            "128x128",
            ["the size is 1.00 times that on each axis by area, and up to 1.1 nothing is done"],
        ),
    ],
)
def test_explained_on_the_command_line(run, model, size, lines):
    code, out, _ = run("explain", "--model", model, "--size", size)
    assert code == 0
    width, height = size.split("x")
    assert out.startswith(f"size: width {width}, height {height}\n")
    for line in lines:
        assert line in out


@pytest.mark.slow
def test_a_folder_with_only_config_files(run, tmp_path):
    """SSD-1B's shape: SDXL's blocks, fewer transformer layers."""
    config = json.loads((COMPONENTS / "sdxl" / "unet" / "config.json").read_text())
    config["transformer_layers_per_block"] = [1, 2, 4]
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "config.json").write_text(json.dumps(config))
    assert vae_scale_factor(str(tmp_path)) == 8
    code, out, _ = run("explain", "--model", tmp_path, "--size", "2048x1024")
    assert code == 0
    assert "21 convolutions, 20 of them filtered" in out


def test_other_kinds_of_models(tiny_model, tmp_path):
    assert unet_config(str(tiny_model))["block_out_channels"] == [32, 64, 160]
    assert vae_scale_factor(str(tiny_model)) == vae_scale_factor("shapeworld") == 4
    with pytest.raises(ValueError, match="cannot be had from the hub"):
        unet_config("nobody/nothing")
    other = shutil.copytree(tiny_model, tmp_path / "other")
    (other / "unet" / "config.json").write_text('{"_class_name": "UNet3DConditionModel"}')
    with pytest.raises(ValueError, match="of a UNet3DConditionModel"):
        unet_config(str(other))
    (other / "unet" / "config.json").write_text("{")
    with pytest.raises(ValueError, match="cannot be read"):
        unet_config(str(other))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--size", "500x512"], "width 500, height 512 does not fit"),
        (["--size", "512"], "size '512' is not understood"),
        (["--size", "512x512", "--steps", "0"], "steps=0"),
        (["--size", "512x512", "--model", "sd16"], "there is no model or preset 'sd16'"),
        ([], "--size"),
    ],
)
def test_bad_input(run, arguments, sentence):
    code, out, err = run("explain", *arguments)
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1


def test_sdxls_size_conditioning():
    sdxl = FouriScaleConfig.preset("sdxl")
    assert size_conditioning(sdxl, 2048, 2048) == {
        "original_size": (1024, 1024),
        "target_size": (1024, 1024),
    }
    assert size_conditioning(sdxl, 1536, 1536)["target_size"] == (832, 1152)
    assert size_conditioning(sdxl, 960, 1024) == {"original_size": (960, 1024), "target_size": (960, 1024)}


@pytest.mark.slow
def test_nothing_is_built_of_the_weights(monkeypatch):
    """A UNet of 2.6 thousand million weights is explained on the meta device."""
    build = UNet2DConditionModel.from_config
    seen = []

    def watched(config):
        unet = build(config)
        seen.extend({p.device.type for p in unet.parameters()})
        return unet

    monkeypatch.setattr(UNet2DConditionModel, "from_config", watched)
    explain(unet_config("sdxl"), 1024, 1024, steps=2, config=FouriScaleConfig.preset("sdxl"))
    assert seen == ["meta"]


def test_peak_memory_sees_what_is_taken_and_given_back(monkeypatch):
    look = psutil.Process.memory_info
    looks = threading.Semaphore(0)

    def counted(process):
        memory = look(process)
        looks.release()
        return memory

    monkeypatch.setattr(psutil.Process, "memory_info", counted)
    gc.collect()  # or what earlier tests left is given back between the two
    with peak_memory(torch.device("cpu")) as idle:
        assert looks.acquire(timeout=300)
    with peak_memory(torch.device("cpu")) as busy:
        held = torch.ones(50_000_000)  # 200 MB
        while looks.acquire(blocking=False):
            pass
        for _ in range(2):  # the first look may have begun before
            assert looks.acquire(timeout=300)
        del held
    assert 1.8e8 < busy.bytes - idle.bytes < 3e8
