"""Pictures that wrap from `generate`, a recipe, a job, the command line and `explain`."""

import functools

import numpy as np
import pytest
from PIL import Image

from fouriscale import FouriScaleConfig, PositionConfig, apply_wrap, remove_wrap
from fouriscale.cli import main
from fouriscale.hooks.wrap import current_wrap
from fouriscale.loading.configs import unet_config
from fouriscale.loading.pipeline import load_pipeline
from fouriscale.maths.wrap import WRAPS
from fouriscale.reports.explain import explain
from fouriscale.reports.explain_words import sentences
from fouriscale.sampling.batch import FouriScaleInstrument, _config
from fouriscale.sampling.cascade import Cascade
from fouriscale.sampling.generate import generate, remake
from fouriscale.sampling.wrapping import resized
from picturelab.batch.jobs import Job, parse

CONFIG = FouriScaleConfig.preset("shapeworld", wrap="width")
SMALL = dict(height=128, width=128, steps=1, seed=3)


@pytest.fixture(scope="module")
def pipe(tiny_model):
    pipe = load_pipeline(str(tiny_model), device="cpu")
    pipe.set_progress_bar_config(disable=True)
    return pipe


def test_a_recipe_says_that_a_picture_wraps_and_makes_it_again(pipe):
    (plain,) = generate(pipe, "a red circle", config=CONFIG.replace(wrap="none"), **SMALL)
    (picture,) = generate(pipe, "a red circle", config=CONFIG, **SMALL)
    assert picture.recipe.config["wrap"] == "width"
    assert "wrap" not in plain.recipe.config
    assert (np.asarray(picture.image) != np.asarray(plain.image)).any()
    assert (np.asarray(remake(pipe, picture.recipe)) == np.asarray(picture.image)).all()
    assert (np.asarray(remake(pipe, plain.recipe)) == np.asarray(plain.image)).all()
    assert current_wrap(pipe) == "none"


def test_what_no_recipe_would_tell_of_and_what_cannot_wrap(pipe):
    apply_wrap(pipe, "both")
    with pytest.raises(
        ValueError, match=r"^wrap='both' is applied to this pipeline and the config says 'none': "
    ):
        generate(pipe, "a red circle", **SMALL)
    with pytest.raises(ValueError, match="the config says 'width': give a config with wrap='both'"):
        generate(pipe, "a red circle", config=CONFIG, **SMALL)
    remove_wrap(pipe)
    with pytest.raises(ValueError, match=r"width 136 cannot wrap: .* such as 128 or 144"):
        generate(pipe, "a red circle", config=CONFIG, **SMALL | {"width": 136})
    with pytest.raises(ValueError, match=r"^wrap='width' with a cascade, whose enlarging does not go round"):
        generate(pipe, "a red circle", config=CONFIG, cascade=Cascade(), **SMALL | {"width": 256})


@pytest.mark.parametrize("size", [(30, 66), (90, 40), (40, 60), (7, 200)])
def test_a_picture_that_wraps_is_resized_round(size):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 44, 3), np.uint8)
    once = np.asarray(resized(Image.fromarray(pixels), size, WRAPS["both"]), int)
    moved = Image.fromarray(np.roll(pixels, (10, 22), (0, 1)))
    again = np.asarray(resized(moved, size, WRAPS["both"]), int)
    if size[0] % 2 == 0:
        assert np.abs(again - np.roll(once, (size[0] // 2, size[1] // 2), (0, 1))).max() <= 1
    plain = np.asarray(Image.fromarray(pixels).resize(size[::-1], Image.Resampling.LANCZOS), int)
    assert (np.asarray(resized(Image.fromarray(pixels), size, WRAPS["none"])) == plain).all()
    assert once.shape == plain.shape
    assert (once[:, 0] != plain[:, 0]).any()  # an edge takes part of the opposite one
    wide = np.asarray(resized(Image.fromarray(pixels), size, WRAPS["width"]), int)
    middle = slice(size[1] // 3, -size[1] // 3)
    assert np.abs(wide - plain)[:, middle].max() <= 1
    assert (resized(moved, (20, 44), WRAPS["both"]).tobytes()) == moved.tobytes()


def test_jobs():
    job = parse({"prompt": "a red circle", "wrap": "both", "config": {"stop": 0.7}}, 1)
    assert _config(unet_config("shapeworld"), job).wrap == "both"
    assert "wrap" not in parse({"prompt": "a"}, 1).alike()  # older jobs stay what they are
    check = FouriScaleInstrument().check
    check(job)
    with pytest.raises(ValueError, match=r"wrap='x': must be one of none, width, height, both"):
        check(Job(id="a", prompt="a", wrap="x"))
    with pytest.raises(ValueError, match="wrap='both' with a cascade"):
        check(Job(id="a", prompt="a", wrap="both", cascade=True))
    with pytest.raises(ValueError, match=r"width 264 cannot wrap: .* multiple of 16 .* such as 256 or 272"):
        check(Job(id="a", prompt="a", wrap="both", model="shapeworld/unet", height=256, width=264))
    for values, sentence in (
        ({"wrap": "both", "preset": "none"}, "wrap is 'both' beside preset 'none'; leave the preset out"),
        ({"wrap": "both", "config": {"wrap": "width"}}, "wrap is 'both' beside config's 'width'"),
        ({"wrap": "both", "keep": "full"}, "keep is 'full' beside wrap"),
    ):
        with pytest.raises(ValueError, match=sentence):
            parse({"prompt": "a"} | values, 1)


def test_a_job_that_wraps_now_is_not_the_picture_that_did_not():
    recorded = FouriScaleConfig.preset("shapeworld").resolved().to_dict()
    job = Job(id="a", prompt="a", preset="shapeworld", wrap="width")
    changed = FouriScaleInstrument().changed_settings(job, {"config": recorded})
    assert changed == "wrap 'none' instead of 'width'"


def test_explain_says_what_wraps():
    unet = unet_config("shapeworld")
    paper = CONFIG.replace(mode="paper", border="partial")
    lines = sentences(explain(unet, 144, 304, steps=10, config=paper, vae_scale_factor=4))
    assert lines[1].startswith("wrap: left and right edge are neighbours for every convolution")
    assert "padding: to width 304, height 384 while filtering, 62% of it empty" in lines
    assert "border: partial, which is experimental and does harm" in lines
    with pytest.raises(ValueError, match=r"width 136 cannot wrap: .* multiple of 16 "):
        explain(unet, 128, 136, steps=10, config=CONFIG, vae_scale_factor=4)


def test_the_command_line_refuses_in_one_sentence(run_command):
    run = functools.partial(run_command, main)
    code, _, said = run("generate", "a red circle", "--wrap", "sideways")
    assert (code, "wrap='sideways': must be one of none, width, height, both" in said) == (2, True)
    code, _, said = run("generate", "a red circle", "--wrap", "both", "--cascade")
    assert (code, "wrap='both' with a cascade" in said) == (2, True)
    code, said, _ = run("explain", "--model", "shapeworld", "--size", "128x128", "--wrap", "both")
    assert (code, "opposite edges are neighbours" in said) == (0, True)
    assert "nothing else is done" in said


@pytest.mark.slow
def test_a_transformers_picture_that_wraps():
    pipe = load_pipeline("shapeworld/joint-masked", device="cpu")
    pipe.set_progress_bar_config(disable=True)
    config, small = PositionConfig.preset("shapeworld-joint"), dict(height=64, width=64, steps=1)
    plain, wrapped = (
        generate(pipe, "a red circle", config=one, **small)[0]
        for one in (config, config.replace(wrap="width"))
    )
    assert "wrap" not in plain.recipe.config
    assert wrapped.recipe.config["wrap"] == "width"
    assert (np.asarray(wrapped.image) != np.asarray(plain.image)).any()
    assert (np.asarray(remake(pipe, wrapped.recipe)) == np.asarray(wrapped.image)).all()
    assert (np.asarray(remake(pipe, plain.recipe)) == np.asarray(plain.image)).all()
    assert current_wrap(pipe) == "none"
    wide = config.replace(wrap="width")
    with pytest.raises(ValueError, match=r"^wrap='width' with a cascade, whose enlarging does not go round"):
        generate(pipe, "a red circle", config=wide, cascade=Cascade(), **small)


def test_a_transformers_job_and_its_explanation(run_command):
    job = Job(id="a", prompt="a", model="shapeworld/joint-masked", wrap="width", config={"rule": "ntk"})
    FouriScaleInstrument().check(job)
    plain = PositionConfig.preset("shapeworld-joint", rule="ntk").to_dict()
    named = job.model_copy(update={"preset": "shapeworld-joint"})
    changed = FouriScaleInstrument().changed_settings(named, {"config": plain})
    assert changed == "wrap 'none' instead of 'width'"
    options = ("explain", "--model", "shapeworld/joint", "--size", "128x128", "--wrap", "height")
    code, said, _ = run_command(main, *options)
    assert code == 0
    assert "wrap: top and bottom edge are neighbours: tokens are turned by whole turns" in said
    assert "nothing else is done" in said
    code, _, said = run_command(main, "explain", "--model", "sd3", "--size", "1024x1024", "--wrap", "both")
    assert (code, "adds positions from a table, whose ends do not meet" in said) == (2, True)
