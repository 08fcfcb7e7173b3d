"""The page with a transformer: its fields, its plan, what a recipe puts back, and a job."""

import pytest

from fouriscale import FouriScaleConfig, PositionConfig
from fouriscale.loading.pipeline import load_pipeline
from fouriscale.sampling.cascade import Cascade
from fouriscale.sampling.recipe import Recipe, read
from picturelab_ui.high_resolution import from_picture, order
from picturelab_ui.high_resolution.config_fields import (
    TRANSFORMER_SETTINGS,
    from_fields,
    to_fields,
)
from picturelab_ui.high_resolution.plan import foretold, plan
from picturelab_ui.jobs.files import DIRECT, SCALED
from picturelab_ui.jobs.high_resolution import sample
from picturelab_ui.jobs.runner import Runner

MODEL = "shapeworld/joint-masked"
CONFIG = PositionConfig.preset("shapeworld-joint")


@pytest.fixture
def values(workshop):
    """What the tab holds once that model is chosen."""
    return order.start(workshop) | {"model": MODEL, "steps": 1, "guidance": 3.0} | to_fields(CONFIG)


def test_transformers_are_offered_with_their_own_settings(workshop):
    assert MODEL in workshop.models.names()
    assert (workshop.models.denoiser(MODEL), workshop.models.denoiser("shapeworld/unet")) == (
        "transformer",
        "unet",
    )
    assert workshop.models.usual_settings(MODEL) == (15, 3.0)
    assert order.config_for_choice(workshop, MODEL, order.AUTO) == CONFIG
    assert order.config_for_choice(workshop, MODEL, "flux") == PositionConfig.preset("flux")
    with pytest.raises(ValueError, match="are for a unet, and shapeworld/joint-masked has a transformer"):
        order.config_for_choice(workshop, MODEL, "sd15")


@pytest.mark.parametrize(
    "config", [CONFIG, CONFIG.replace(temperature=1.1, shift=2, axes="each", dynamic=True)]
)
def test_fields_hold_a_config(config):
    fields = to_fields(config)
    assert set(fields) == set(TRANSFORMER_SETTINGS)
    assert from_fields(fields, "transformer") == config


def test_fields_of_the_other_kind_do_not_matter(workshop, values):
    assert set(values) == set(order.FIELDS)
    asked = order.read(workshop, values | {"layers": "", "stop": 7, "cascade": True})
    assert (asked.config, asked.cascade) == (CONFIG, Cascade())
    of_a_unet = order.start(workshop) | {"temperature": "hot"}
    assert order.read(workshop, of_a_unet).config == FouriScaleConfig.preset("shapeworld")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"temperature": "hot"}, "temperature='hot': must be one of none, yarn, proportional or a number"),
        ({"shift": ""}, "shift='': must be one of training, pipeline or a number"),
        ({"rule": None}, "rule=None: must be one of"),
        ({"dynamic": "yes"}, "dynamic='yes': must be true or false"),
        ({"preset": "sd15"}, "these settings are for a unet, and shapeworld/joint-masked has a transformer"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(workshop, values, change, sentence):
    (wrong,) = order.problems(workshop, values | change).items()
    assert wrong[0] == next(iter(change))
    assert wrong[1].startswith(sentence)


def test_a_link_and_a_recipe_bring_the_settings_back(workshop, values):
    changed = values | {"temperature": "1.1", "rule": "ntk"}
    query = dict(pair.split("=") for pair in order.link(workshop, changed).split("&"))
    assert {"temperature", "rule", "model"} <= set(query)
    assert "layers" not in query
    opened = order.of_link(
        workshop, {"model": MODEL, "temperature": "1.1", "rule": "ntk", "prompt": "a red circle"}
    )
    assert (opened["model"], opened["temperature"], opened["rule"]) == (MODEL, "1.1", "ntk")


@pytest.mark.slow
def test_the_plan(workshop, values):
    said = plan(workshop, values)
    assert "2.00 on both axes" in said
    assert "sampled directly; enlarged as pixels" in plan(workshop, values | {"cascade": True})
    assert foretold(workshop, order.read(workshop, values)).run_cost == 1.0
    assert "width 256, height 255" in plan(workshop, values | {"height": 255})


@pytest.mark.slow
def test_a_job(workshop, values, tmp_path):
    asked = order.read(workshop, values | {"width": 160, "height": 144, "steps": 2})
    runner = Runner()
    pipe = load_pipeline(MODEL, device="cpu")
    pipe.set_progress_bar_config(disable=True)
    job = runner.submit(lambda job: sample(pipe, asked, folder=tmp_path, job=job))
    assert job.wait(120)
    runner.close()
    assert job.state == "done"
    result = job.result
    assert result.activity is None
    assert [picture.method for picture in result.pictures] == [SCALED, DIRECT]
    assert len(result.pictures[0].powers) == 2
    assert [label for _, label in job.previews] == [f"{SCALED}, step 1", f"{DIRECT}, step 1"]
    restored = from_picture.of_recipe(workshop, Recipe.parse(read(result.path(SCALED))))
    assert (restored["model"], restored["rule"]) == (MODEL, "interpolate")
