"""FouriScale as a job: previews, spectra, what was active, and stopping in the midst."""

import base64
import re
import threading
from dataclasses import replace

import pytest
import torch
from PIL import Image

from fouriscale import FouriScaleConfig
from fouriscale.loading.pipeline import load_pipeline
from fouriscale.sampling.recipe import read
from picturelab_ui.high_resolution.spectrum_chart import spectrum_chart
from picturelab_ui.jobs.files import DIRECT, SCALED
from picturelab_ui.jobs.high_resolution import PictureOrder, sample
from picturelab_ui.jobs.page_job import PageJob
from picturelab_ui.jobs.previews import preview
from picturelab_ui.jobs.runner import Runner
from picturelab_ui.jobs.spectrum import (
    DILATED,
    FILTERED,
    ON_GRID,
    PLAIN,
    activity,
    kept,
    radial_power,
    short_name,
)

CONFIG = FouriScaleConfig.preset("shapeworld", mode="paper")
ORDER = PictureOrder(
    prompt="a red circle",
    model="shapeworld/unet",
    height=192,
    width=128,
    seed=3,
    steps=4,
    guidance=4.0,
    config=CONFIG,
)


@pytest.fixture(scope="module")
def pipe():
    pipe = load_pipeline()
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture
def run(tmp_path, pipe):
    """Runs `sample` as a job; gives the job."""
    runner = Runner()

    def start(**changes):
        def work(job: PageJob):
            return sample(pipe, replace(ORDER, **changes), folder=tmp_path, job=job)

        job = runner.submit(work)
        assert job.wait(120)
        return job

    yield start
    runner.close()


@pytest.mark.slow
def test_both_pictures_progress_previews_and_spectra(run, pipe):
    job = run()
    assert (job.state, job.done, job.of) == ("done", 8, 8)
    assert [label for _, label in job.previews] == [
        f"{m}, step {i}" for m in (SCALED, DIRECT) for i in (1, 2, 3)
    ]
    assert {picture.size for picture, _ in job.previews} == {(128, 192)}
    scaled, direct = job.result.pictures
    assert (scaled.method, direct.method) == (SCALED, DIRECT)
    assert read(direct.path)["config"] is None
    assert read(scaled.path) | {"config": None} == read(direct.path)
    with Image.open(scaled.path) as one, Image.open(direct.path) as other:
        assert one.size == (128, 192)
        assert one.tobytes() != other.tobytes()
    assert len(scaled.powers) == 4
    assert not torch.equal(scaled.powers[-1], direct.powers[-1])
    assert job.result.activity.dilations[0] == 2.0
    chart = spectrum_chart(
        job.result.activity, CONFIG, {one.method: one.powers for one in job.result.pictures}
    )
    assert chart.startswith("data:image/svg+xml;base64,")


@pytest.mark.slow
def test_of_several_pictures_each_is_named(run):
    job = run(height=64, width=64, steps=2, count=2)
    assert [label for _, label in job.previews] == [
        f"picture {number} of 4, seed {seed}: {method}, step 1"
        for number, (seed, method) in enumerate([(3, SCALED), (3, DIRECT), (4, SCALED), (4, DIRECT)], 1)
    ]
    assert job.outcome == "4 pictures, kept below"
    assert job.note.startswith("picture 4 of 4, seed 4: direct, step 2 of 2")


def test_a_config_that_does_not_fit_fails_before_sampling(run):
    job = run(config=CONFIG.replace(layers=["nowhere.*"]))
    assert job.state == "failed"
    assert "'nowhere.*'" in job.error
    assert job.previews == []


@pytest.mark.slow
def test_stopped_in_the_midst_the_model_is_as_before(pipe, tmp_path):
    runner = Runner()
    hooks = {name: len(m._forward_pre_hooks) + len(m._forward_hooks) for name, m in pipe.unet.named_modules()}

    class Stopping(list):
        def append(self, item):
            super().append(item)
            runner.cancel(job)

    def work(own):
        ready.wait(10)
        own.previews = Stopping()
        long = replace(ORDER, methods=(SCALED,), steps=50)
        return sample(pipe, long, folder=tmp_path, job=own)

    ready = threading.Event()
    job = runner.submit(work)
    ready.set()
    assert job.wait(120)
    assert (job.state, len(job.previews)) == ("cancelled", 1)
    assert job.done < 50
    assert list(tmp_path.iterdir()) == []
    after = {name: len(m._forward_pre_hooks) + len(m._forward_hooks) for name, m in pipe.unet.named_modules()}
    assert after == hooks
    assert not any("_conv_forward" in vars(m) for m in pipe.unet.modules())
    runner.close()


def test_previews_are_pooled_to_a_side(pipe):
    latents = torch.randn(2, pipe.unet.config.in_channels, 32, 64)
    scale = pipe.vae_scale_factor
    assert preview(pipe, latents).size == (64 * scale, 32 * scale)
    assert preview(pipe, latents, side=16).size == (16 * scale, 8 * scale)


def test_previews_undo_a_vae_that_scales_channel_by_channel(pipe):
    torch.manual_seed(0)  # with other latents a sum may round to the next grey level
    latents = torch.randn(1, pipe.unet.config.in_channels, 16, 16)
    channels = latents.shape[1]
    config, factor = pipe.vae.config, pipe.vae.config.scaling_factor
    plain = preview(pipe, latents)
    pipe.vae.register_to_config(latents_mean=[0.0] * channels, latents_std=[1.0] * channels)
    try:
        assert preview(pipe, latents).tobytes() == plain.tobytes()
        pipe.vae.register_to_config(latents_mean=[1.0] * channels, latents_std=[2.0] * channels)
        moved = (latents - factor) / 2  # its 2 x + 1, in the decoder's scale, is the plain one's
        assert preview(pipe, moved).tobytes() == plain.tobytes()
    finally:
        pipe.vae.register_to_config(latents_mean=None, latents_std=None)
    assert config.scaling_factor == factor


def test_white_noise_has_the_same_power_at_every_frequency():
    torch.manual_seed(0)
    power = radial_power(torch.randn(1, 64, 64, 64), bins=16)
    assert power.shape == (16,)
    assert power.tolist() == pytest.approx([1.0] * 16, abs=0.1)


def test_a_wave_has_its_power_at_its_own_frequency():
    x = torch.arange(64)
    wave = (
        torch.cos(2 * torch.pi * 16 / 64 * x).expand(1, 1, 64, 64) + 5
    )  # a quarter cycle a pixel, and a mean
    power = radial_power(wave, bins=8)
    assert int(power.argmax()) == 4
    assert float(power[[0, 1, 2, 3, 5, 6, 7]].abs().max()) < 1e-6


def test_bins_without_a_frequency_are_nan():
    assert torch.isnan(radial_power(torch.randn(1, 4, 16, 16), bins=32)[0])


def test_activity_follows_schedule_and_windows(pipe):
    activities = activity(pipe.unet, CONFIG, 512, 512, 10, pipe.vae_scale_factor)
    assert activities.dilations[:3] == (4.0, 4.0, 4.0)
    assert activities.dilations[6:] == (1.0,) * 4
    assert all(row[6:] == (PLAIN,) * 4 for row in activities.states)
    by_name = dict(zip(activities.layers, activities.states, strict=True))
    assert by_name["up 1 upsample 0 conv"][:6] == (DILATED,) * 6  # never filtered
    assert by_name["down 1 resnet 0 conv1"][:6] == (FILTERED,) * 6
    assert len(activities.layers) == 19
    # A map of 8 keeps everything at d = 2: dilated only, as the facts say.
    small = activity(pipe.unet, CONFIG.replace(training_sizes=[32, 32]), 64, 64, 10, pipe.vae_scale_factor)
    assert set(small.states[0][:6]) == {DILATED}


DEEP = CONFIG.replace(mode="fast", grid_phases=[[0.5, 1], [0.8, 2]])


def test_activity_on_the_deep_grid_is_the_blocks(pipe):
    """512 px are 128 latent pixels: level 1 has 64 of them, on a grid of 16 and then of 32."""
    activities = activity(pipe.unet, DEEP, 512, 512, 10, pipe.vae_scale_factor)
    assert activities.dilations == (4.0,) * 5 + (2.0,) * 3 + (1.0,) * 2
    assert activities.layers == ("down 0", "down 1", "down 2", "mid", "up 0", "up 1", "up 2")
    deep, plain = (ON_GRID,) * 8 + (PLAIN,) * 2, (PLAIN,) * 10
    assert activities.states == (plain, deep, deep, deep, deep, deep, plain)
    assert [*activities.grids] == ["maps 64x64 on 16x16", "maps 64x64 on 32x32"]
    assert activities.windows == {}
    lower = activity(pipe.unet, DEEP.replace(grid_level=2), 512, 512, 10, pipe.vae_scale_factor)
    assert lower.states == (plain, plain, deep, deep, deep, plain, plain)


def test_the_deep_grid_keeps_the_low_frequencies_of_the_longer_axis(pipe):
    config = DEEP.replace(grid_phases=None)
    (grid,) = activity(pipe.unet, config, 384, 256, 2, pipe.vae_scale_factor).grids.values()
    assert (grid.full(1), grid.size) == ((48, 32), (20, 14))
    assert kept(grid).tolist() == pytest.approx([1.0] * 20 + [0.0] * 28, abs=1e-9)
    (area,) = activity(
        pipe.unet, config.replace(grid_resampling="area"), 384, 256, 2, pipe.vae_scale_factor
    ).grids.values()
    assert kept(area)[0] == pytest.approx(1)  # what is even stays
    assert 0.3 < kept(area)[12] < 0.98
    assert kept(grid, onto="area")[12] != kept(grid)[12]


def test_what_wraps_keeps_waves_that_go_round_and_pads_nothing(pipe):
    config = DEEP.replace(grid_phases=None, wrap="both")
    (grid,) = activity(pipe.unet, config, 384, 256, 2, pipe.vae_scale_factor).grids.values()
    passes = kept(grid)
    assert passes[:19].tolist() == pytest.approx([1.0] * 19, abs=1e-9)
    assert passes[21:].tolist() == pytest.approx([0.0] * 27, abs=1e-9)
    layers = dict(mode="paper", grid="full")
    padded, around = (
        activity(pipe.unet, DEEP.replace(**layers, wrap=wrap), 320, 320, 2, pipe.vae_scale_factor).windows
        for wrap in ("none", "both")
    )
    assert padded.keys() == around.keys()
    assert all(around[name][0] < padded[name][0] for name in padded)


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, {"third_branch": True}, {"grid_phases": [[0.5, 4]]}])
def test_the_deep_grid_is_drawn(pipe, changes):
    config = DEEP.replace(**changes)
    activities = activity(pipe.unet, config, 512, 512, 10, pipe.vae_scale_factor)
    chart = spectrum_chart(activities, config, {SCALED: [torch.rand(16) for _ in range(10)]})
    drawing = base64.b64decode(chart.removeprefix("data:image/svg+xml;base64,")).decode()
    words = {"What deep maps keep on the grid", "What each block did", "on the grid", "up 2"}
    words |= set(activities.grids) | ({"dotted: guidance branch"} if changes.get("third_branch") else set())
    assert words <= set(re.findall(r"<text[^>]*>([^<]*)<", drawing))
    assert "ilation" not in drawing


def test_layers_have_short_names():
    assert short_name("down_blocks.1.resnets.0.conv1") == "down 1 resnet 0 conv1"
    assert short_name("mid_block.resnets.1.conv2") == "mid resnet 1 conv2"


def test_every_setting_has_its_sentence():
    sentences = FouriScaleConfig.setting_docs()
    assert list(sentences) == list(FouriScaleConfig.model_fields)
    assert all(len(sentence) > 20 for sentence in sentences.values())
    assert sentences["stop"].startswith("fraction of the run")
