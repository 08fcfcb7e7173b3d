"""A step timed here, and the command's answer as it is pasted."""

import pytest
import torch

from fouriscale.cli import main
from fouriscale.reports.explain import explain
from fouriscale.reports.measure import measure
from tests.tiny import unet_pipelines


@pytest.mark.slow
def test_a_step_of_each_kind_is_timed():
    config = unet_pipelines.unet("SD").config
    explanation = explain(config, 256, 256, steps=4, config=unet_pipelines.CONFIG)
    times = measure(
        config,
        explanation,
        device=torch.device("cpu"),
        dtype=torch.float32,
        vae_scale_factor=8,
    )
    assert min(times.direct, times.active, times.late) > 0
    assert times.device == "this machine's CPU in float32"


@pytest.mark.slow
def test_what_is_printed_can_be_pasted(run_command):
    code, out, err = run_command(main, "explain", "--size", "192x128", "--steps", "2", "--measure")
    assert (code, err) == (0, "")
    said, _, pasted = out.partition("code:\n")
    assert "\nholds: UNet 0.0" in said
    assert "\nfit: yes; " in said
    assert "; measured on this machine's CPU in float32: a step " in said
    names: dict = {}
    exec(compile(pasted, "pasted", "exec"), names)
    assert names["image"].size == (192, 128)


def test_more_than_there_is_here(run_command):
    code, _, err = run_command(main, "explain", "--size", "256x256", "--memory", "0")
    assert (code, err) == (2, "Error: memory=0.0: must be a number from 0.1 to 10000\n")
