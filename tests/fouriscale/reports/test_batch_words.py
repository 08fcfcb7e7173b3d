"""How many pictures to make at once: chosen from times by hand, and measured here."""

import pytest
import torch

from fouriscale.cli import main
from fouriscale.reports import batch_words
from fouriscale.reports.card import GIB, Parts
from fouriscale.reports.explain import explain
from fouriscale.reports.measure import BatchTimes, measure_batches
from tests.tiny import unet_pipelines


def times(*seconds):
    return BatchTimes(dict(zip(batch_words.PICTURES, seconds, strict=False)), "a card")


@pytest.mark.parametrize(
    ("seconds", "chosen", "gain"),
    [
        ((1.0, 2.0, 4.0, 8.0), 1, 1.0),  # each as long as alone
        ((1.0, 1.6, 2.0, 4.0), 4, 2.0),
        ((1.0, 1.0, 1.9, 3.7), 2, 2.0),  # .4625 for each is the best, and .5 no more than a tenth longer
        ((1.0, 3.0, 5.0, 7.5), 1, 1.0),  # .9375 is not a tenth faster
        ((1.0, 1.0), 2, 2.0),
    ],
)
def test_the_fewest_that_are_nearly_the_fastest(seconds, chosen, gain):
    measured = times(*seconds)
    assert batch_words.choice(measured) == chosen
    assert batch_words.gain(measured, chosen) == pytest.approx(gain)


def test_the_sentence():
    assert batch_words.batch_sentence(times(0.267, 0.434, 0.656, 1.224)) == (
        "batch: ms of a step for each of so many pictures at once: 1: 267, 2: 217, 4: 164, 8: 153; measured on a card; "
        "choose --batch 4 (each is 1.63 times as fast as alone)"
    )
    said = batch_words.batch_sentence(times(1.0, 2.0))
    assert "1: 1e+03, 2: 1e+03; more do not fit into memory; " in said
    assert said.endswith("choose --batch 1 (more gain nothing)")


def test_what_does_not_fit_is_not_tried():
    parts = Parts(unet=GIB, text=0, vae=0, sampling=GIB, split_sampling=None, decoding=0, tiled_decoding=0)
    assert batch_words.fitting(parts, 5 * GIB) == (1, 2, 4)
    with pytest.raises(
        ValueError, match=r"--batch needs 2 GiB for the UNet and its maps, and here are 1\.5 GiB"
    ):
        batch_words.fitting(parts, 1.5 * GIB)


@pytest.mark.slow
def test_steps_of_several_pictures_are_timed():
    config = unet_pipelines.unet("SDXL").config
    explanation = explain(config, 128, 64, steps=4, config=unet_pipelines.CONFIG)
    measured = measure_batches(
        config, explanation, (1, 2), device=torch.device("cpu"), dtype=torch.float32, vae_scale_factor=8
    )
    assert list(measured.seconds) == [1, 2]
    assert 0 < measured.of_a_picture(2) == measured.seconds[2] / 2


@pytest.mark.slow
def test_the_command_says_it_before_the_code(run_command):
    code, out, err = run_command(main, "explain", "--size", "64x64", "--batch")
    assert (code, err) == (0, "")
    assert "\nbatch: ms of a step for each of so many pictures at once: 1: " in out.partition("code:\n")[0]


def test_a_transformers_pictures_are_made_one_at_a_time(run_command):
    code, _, err = run_command(main, "explain", "--model", "shapeworld/joint", "--size", "64x64", "--batch")
    assert code == 2
    assert err == (
        "Error: --batch: shapeworld/joint has a transformer, whose pictures are made one at a time; leave it out\n"
    )
