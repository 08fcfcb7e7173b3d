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
            "fast": {"mode": "fast"},
            "whole late": {"mode": "fast", "late_attention": "full"},
        }.items()
    }
    assert told["split"].peak_values[0] <= 1.05 * told["split"].peak_values[1]
    assert told["split"].step_cost == told["paper"].step_cost
    assert told["fast"].step_cost < 0.9
    assert told["fast"].step_cost == told["whole late"].step_cost
    assert told["fast"].run_cost < told["whole late"].run_cost


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
        ("sdxl", "2048x2048", ["training size: width 1024, height 1024", "2567.5 million weights"]),
        ("shapeworld/unet", "384x256", ["dilation: 3 at most", "the first 30 of 50 active"]),
        ("shapeworld", "128x128", ["the size lies within it, so nothing is done"]),
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
        (["--size", "512x512", "--model", "sd16"], "there is no model 'sd16'"),
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
