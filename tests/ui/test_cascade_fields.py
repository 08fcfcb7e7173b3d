"""The page's cascade: its fields, what is foretold of it, what a recipe puts back, and a job that makes one."""

from pathlib import Path

import pytest
from PIL import Image

from fouriscale import FouriScaleConfig
from fouriscale.config import MODES
from fouriscale.sampling.cascade import Cascade
from fouriscale.sampling.recipe import Recipe, read
from picturelab_ui.high_resolution import order
from picturelab_ui.high_resolution.config_fields import AS_MODE
from picturelab_ui.high_resolution.plan import foretold, plan
from picturelab_ui.host import Host
from picturelab_ui.jobs.files import DIRECT, SCALED
from picturelab_ui.jobs.high_resolution import sample
from picturelab_ui.workshop import Workshop

OLD = Path(__file__).parents[1] / "fouriscale" / "sampling" / "data" / "fast-at-438a06a.png"


@pytest.fixture(scope="module")
def workshop():
    shared = Workshop(Host())
    yield shared
    shared.runner.close()


@pytest.fixture
def values(workshop):
    return order.start(workshop)


def test_a_strength_that_leaves_no_step_matters_where_there_is_a_cascade(workshop, values):
    little = values | {"cascade_strength": 0.01}
    assert not order.problems(workshop, little)
    assert not order.problems(workshop, little | {"cascade": True, "sampling": order.DIRECT})
    wrong = order.problems(workshop, little | {"cascade": True})
    assert list(wrong) == ["cascade_strength"]
    assert wrong["cascade_strength"].startswith("cascade_strength=0.01, steps=25: ")


@pytest.mark.slow
def test_the_plan_of_a_cascade(workshop, values):
    config = order.read(workshop, values).config
    asked = order.read(workshop, values | {"cascade": True})
    assert asked.cascade == Cascade()
    assert order.read(workshop, values | {"cascade": True, "sampling": order.DIRECT}).cascade is None
    assert "25 steps at width 128, height 128, sampled directly" in plan(workshop, values | {"cascade": True})
    once = workshop.models.explain("shapeworld/unet", 256, 256, 25, config)
    small = workshop.models.explain("shapeworld/unet", 128, 128, 25, config)
    late = (25 * once.run_cost - once.active * once.step_cost) / (25 - once.active)
    finishing = (once.active - 10) * once.step_cost + (25 - once.active) * late  # 15 of 25 steps
    expected = (25 * small.direct_cost / once.direct_cost + finishing) / 25
    assert foretold(workshop, asked).run_cost == pytest.approx(expected)
    assert f"{expected:.2f} times over the run" in plan(workshop, values | {"cascade": True})


def test_a_cascades_recipe_fills_its_fields(workshop, values):
    config = FouriScaleConfig.preset("shapeworld").to_dict()
    recipe = Recipe.parse(read(OLD))
    restored = order.of_recipe(
        workshop, recipe.model_copy(update={"cascade": {"strength": 0.3}, "config": config})
    )
    assert [restored[name] for name in order.CASCADE] == [True, 0.3, "pixels"]
    assert [values[name] for name in order.CASCADE] == [False, 0.6, "pixels"]


@pytest.mark.parametrize("mode", MODES)
def test_a_recipe_leaves_open_what_is_as_its_mode_says(workshop, values, mode):
    own = FouriScaleConfig.preset("shapeworld", mode=mode, attention="polyphase")
    recipe = Recipe.parse(read(OLD)).model_copy(update={"config": own.resolved().to_dict()})
    restored = order.of_recipe(workshop, recipe)
    assert (restored["mode"], restored["attention"]) == (mode, "polyphase")
    assert restored["third_branch"] == restored["grid"] == AS_MODE
    assert order.read(workshop, restored).config.resolved() == own.resolved()


def test_an_old_fast_picture_shows_the_mode_that_it_was_made_in(workshop):
    restored = order.of_recipe(workshop, Recipe.parse(read(OLD)))
    assert (restored["mode"], restored["cascade"]) == ("layerwise", False)
    assert not order.read(workshop, restored).config.deep


@pytest.mark.slow
def test_a_job_counts_the_steps_of_both_parts(workshop, values, tmp_path):
    asked = order.read(
        workshop, values | {"cascade": True, "cascade_strength": 0.5, "steps": 4, "width": 192, "height": 192}
    )
    assert (asked.steps_of(SCALED), asked.steps_of(DIRECT)) == (6, 4)
    seen = []

    def work(job):
        told = job.report
        job.report = lambda done, of, note="": seen.append((done, of)) or told(done, of, note)
        return sample(workshop.models.pipeline(asked.model), asked, folder=tmp_path, job=job)

    job = workshop.runner.submit(work)
    assert job.wait(240)
    assert job.state == "done", job.error
    assert seen == [(done, 10) for done in range(1, 11)]
    assert [label for _, label in job.previews] == [f"{SCALED} {i}" for i in range(1, 6)] + [
        f"{DIRECT} {i}" for i in range(1, 4)
    ]
    scaled, direct = job.result.pictures
    assert (len(scaled.powers), len(direct.powers)) == (2, 4)  # of the picture's own size
    assert len(job.result.activity.dilations) == 2
    assert {len(row) for row in job.result.activity.states} == {2}
    assert read(scaled.path)["cascade"] == {"strength": 0.5, "upsampling": "pixels"}
    assert read(direct.path)["cascade"] is None
    with Image.open(scaled.path) as image:
        assert image.size == (192, 192)
    restored = order.of_recipe(workshop, Recipe.parse(read(scaled.path)), order.BOTH)
    assert order.read(workshop, restored).cascade == Cascade(strength=0.5)
