"""Whether it fits, how long and what to mind, in words; and the code to paste."""

import dataclasses

import pytest

from fouriscale import FouriScaleConfig
from fouriscale.maths.grid import DeepGrid
from fouriscale.reports import fit_words, measured, other_cards, paste
from fouriscale.reports.card import GIB, Parts
from fouriscale.reports.explain import Explanation, GridPhase
from fouriscale.reports.measure import StepTimes
from fouriscale.reports.warnings import warnings_of
from fouriscale.sampling.cascade import Cascade

PAPER = FouriScaleConfig.preset("sdxl")
FAST = PAPER.replace(mode="fast")
PARTS = Parts(5 * GIB, 2 * GIB, 1 * GIB, 6 * GIB, 4 * GIB, 20 * GIB, 3 * GIB)
GRID = DeepGrid(latent_size=(256, 256), level=1, levels=3, size=(64, 64), resampling="cosines")


def explained(config=PAPER, size=(2048, 2048), **more):
    """An explanation of 50 steps, 35 of them active, whose costs are round numbers."""
    values = dict(
        size=size,
        fit=config.fit(*size),
        told=True,
        config=config,
        convolutions=(21, 20),
        grids=(GridPhase(35, GRID),) if config.deep else (),
        steps=50,
        dilations=(2.0,) * 35 + (1.0,) * 15,
        direct_cost=35_907 * 10**9,
        step_cost=1.5,
        run_cost=1.35,
        parameters=2_567_500_000,
        peak_values=(1500, 1000),
    )
    return Explanation(**values | more)


def test_what_fits_and_what_must_be_switched_on():
    def said(memory, switches, parts=PARTS):
        return fit_words.fit_sentences(
            parts, dtype="float16", memory=memory * GIB, where="asked for", switches=switches, steps=50
        )

    assert said(40, ()) == [
        "holds: UNet 5 GiB, text encoders 2 GiB, VAE 1 GiB; a step's maps 6 GiB (4 GiB with split rows); decoding "
        "20 GiB at once, 3 GiB in tiles; weights in float16",
        "fit: yes; 40 GiB asked for, 0.8 GiB of them set aside, 28 GiB needed",
    ]
    _, fit, tiles, offload = said(12, ("tiles", "model offload"))
    assert fit == "fit: 11 GiB needed instead of 28 GiB; 12 GiB asked for, 0.8 GiB of them set aside; with"
    assert tiles.startswith("  tiles: decodes in tiles, ")
    assert offload.endswith(", 0.7 s a picture at 12 GB a second; the 8 GiB of weights stay in main memory")
    assert said(3, None)[1] == (
        "fit: no; 3 GiB asked for, 0.8 GiB of them set aside, and with all that can be switched on 4 GiB are needed "
        "beside those: a smaller size needs less; code for this one is left out"
    )


def test_which_memory_is_meant():
    assert fit_words.where_of(True, "cpu") == "asked for"
    assert fit_words.where_of(False, "cuda") == "on this card"
    assert "no GPU" in fit_words.where_of(False, "cpu")


def test_seconds_are_computed_from_the_measured_card():
    """By hand: 50 direct steps of .202 s; 35 steps of 1.55 times that and 15 as they are."""
    computed = measured.estimate(explained(), "sdxl")
    assert computed.direct == pytest.approx(10.1)
    assert computed.run == pytest.approx(0.202 * (35 * 1.55 + 15))
    said = fit_words.time_sentence(explained(), None, computed)
    assert said.startswith(
        "time: 14 s for 50 steps on an H100 80 GB in float16, sampled directly 10.1 s; computed "
    )
    fast = measured.estimate(explained(FAST), "sdxl")
    assert fast.run == pytest.approx(0.202 * (35 * 0.49 + 15 * 0.80))
    far = measured.estimate(explained(size=(4096, 4096), direct_cost=287_780 * 10**9), "sdxl")
    assert far.direct == pytest.approx(50 * 1.435)


def test_what_was_not_measured_is_said_to_be():
    assert "no card was measured" in fit_words.time_sentence(explained(), None, None)
    assert measured.estimate(explained(), "shapeworld") is None
    assert measured.estimate(explained(), None) is None
    parts = explained(FAST, cascade=Cascade(), first_size=(1024, 1024))
    assert fit_words.time_sentence(parts, None, measured.estimate(parts, "sdxl")).startswith(
        "time: at least 13.6 s"
    )


def test_measured_seconds():
    times = StepTimes(direct=1.0, active=2.0, late=1.5, device="a card in float16")
    said = fit_words.time_sentence(explained(), times, None)
    assert said.startswith(
        "time: 92.5 s for 50 steps, sampled directly 50 s; measured on a card in float16: a step 2 s"
    )


@pytest.mark.parametrize("config", [PAPER, FAST])
def test_beyond_what_was_studied(config):
    (line,) = warnings_of(explained(config, (5120, 5120)))
    assert line == "warning: 5 times the training size on each axis; no more than 4 was studied"
    assert warnings_of(explained(config, (4096, 4096))) == []


def test_where_most_is_padding():
    """Of 1536 x 1536 pixels 1032 x 520 are no padding, and of 1024 x 1024 pixels 1024 x 520."""
    sd15 = FouriScaleConfig.preset("sd15")
    (line,) = warnings_of(explained(sd15, (1032, 520)))
    assert line.startswith("warning: 77% of what is filtered is padding; ")
    assert warnings_of(explained(sd15, (1024, 520))) == []


def test_a_picture_turned_by_90_degrees():
    turned = [
        size
        for size in ((h, w) for h in range(1024, 4097, 256) for w in range(1024, 4097, 256))
        if any("turned by 90 degrees" in line for line in warnings_of(explained(PAPER, size)))
    ]
    for height, width in turned:
        fit, other = PAPER.fit(height, width), PAPER.fit(width, height)
        assert (fit.training_size, fit.dilation) != (other.training_size[::-1], other.dilation)
    assert turned
    assert (2048, 2048) not in turned


def lines_of(explanation, **more):
    values = dict(
        prompt="a cat", model="owner/name", own=PAPER, preset=None, dtype="float16", switches=(), place="cuda"
    )
    lines = paste.code(explanation, **values | more)
    compile("\n".join(lines), "pasted", "exec")
    return lines


def test_the_code():
    assert lines_of(explained(FAST), switches=("tiles", "model offload")) == [
        "from fouriscale import apply_fouriscale",
        "import torch",
        "from diffusers import DiffusionPipeline",
        "",
        "pipe = DiffusionPipeline.from_pretrained('owner/name', dtype=torch.float16)",
        "# with a pipeline of your own, from here on",
        "pipe.vae.enable_tiling()",
        "pipe.enable_model_cpu_offload()",
        "apply_fouriscale(pipe, mode='fast')",
        "# the sizes are (height, width): SDXL is told that it draws at its training size",
        'image = pipe("a cat", height=2048, width=2048, num_inference_steps=50, original_size=(1024, 1024), '
        "target_size=(1024, 1024)).images[0]",  # what an SDXL is told
    ]
    untold = dataclasses.replace(explained(FAST), told=False)
    assert lines_of(untold)[-1].endswith("num_inference_steps=50).images[0]")
    assert lines_of(explained(), switches=("split",))[-4:-2] == [
        'pipe.to("cuda")',
        "apply_fouriscale(pipe, split_rows=True)",
    ]
    assert "apply_fouriscale(pipe, FouriScaleConfig.named('my.yaml'))" in lines_of(
        explained(), preset="my.yaml"
    )
    assert lines_of(explained(), model="a/b.safetensors")[4] == (
        "pipe = StableDiffusionXLPipeline.from_single_file('a/b.safetensors', dtype=torch.float16)"
    )
    parts = dataclasses.replace(explained(FAST), cascade=Cascade(), first_size=(1024, 1024))
    assert lines_of(parts)[-1] == (
        'image = cascade(pipe, "a cat", height=2048, width=2048, steps=50, '
        "strength=0.5, upsampling='pixels')[0].image"
    )


def test_what_stands_for_a_preset():
    assert paste.loadable("sdxl", "sdxl") == "stabilityai/stable-diffusion-xl-base-1.0"
    assert paste.loadable("owner/name", "sdxl") == "owner/name"


@pytest.mark.parametrize(
    ("config", "cascade", "ways"),
    [
        (PAPER, None, "--mode fast, --cascade, --steps 25"),
        (FAST, None, "--cascade, --steps 25"),
        (FAST, Cascade(), "--steps 25"),
    ],
)
def test_what_would_be_faster(config, cascade, ways):
    (line,) = fit_words.faster_sentences(explained(config, cascade=cascade))
    assert line.startswith(f"faster: {ways}, of which the same command says how much; ")


def test_a_run_that_fits_barely_says_what_is_left_to_do():
    """28 GiB are needed and .8 set aside; offloaded the UNet's 5 and its 6 of maps stay, and 8 GiB of weights move."""

    def said(memory, **more):
        where = dict(dtype="float16", where="asked for", steps=50) | more
        return fit_words.fit_sentences(PARTS, memory=memory * GIB, switches=(), **where)

    close = (
        "close: where that runs out of memory, model offload instead of pipe.to(...) makes it 21 GiB, in 0.7 s more a "
        "picture"
    )
    assert said(30)[-1] == close
    assert len(said(40)) == len(said(30, card=False)) == 2


def test_other_cards_in_proportion():
    """By hand: 989 / 165 of 10 s, 989 / 25.6 of it."""
    said = other_cards.elsewhere_sentence(10)
    assert said.startswith("elsewhere: about 60 s on an RTX 4090, ")
    assert ", 6 min on an RTX 3060; " in said


def test_nothing_is_faster_than_doing_nothing():
    assert not fit_words.faster_sentences(dataclasses.replace(explained(), dilations=(1.0,)))
