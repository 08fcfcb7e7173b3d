"""The page's cascade: its fields, what is foretold of it, what a recipe puts back, and a job that makes one."""

from pathlib import Path

import pytest
from PIL import Image

from fouriscale import FouriScaleConfig
from fouriscale.config import MODES
from fouriscale.sampling.cascade import Cascade
from fouriscale.sampling.recipe import Recipe, read
from picturelab_ui.high_resolution import from_picture, order
from picturelab_ui.high_resolution.config_fields import AS_MODE
from picturelab_ui.high_resolution.plan import foretold, plan
from picturelab_ui.jobs.files import DIRECT, SCALED
from picturelab_ui.jobs.high_resolution import sample

OLD = Path(__file__).parents[1] / "fouriscale" / "sampling" / "data" / "fast-at-438a06a.png"


def test_a_strength_that_leaves_no_step_matters_where_there_is_a_cascade(workshop, values):
    little = values | {"cascade_strength": 0.01}
    assert not order.problems(workshop, little)
    assert not order.problems(workshop, little | {"cascade": True, "sampling": order.DIRECT})
    wrong = order.problems(workshop, little | {"cascade": True})
    assert list(wrong) == ["cascade_strength"]
    assert wrong["cascade_strength"].startswith("cascade_strength=0.01, steps=25: ")


def test_a_strength_that_leaves_no_step_on_the_grid(workshop, values):
    late = values | {"cascade_strength": 0.15, "mode": "fast"}
    assert not order.problems(workshop, late)
    assert not order.problems(workshop, late | {"cascade": True, "sampling": order.DIRECT})
    assert not order.problems(workshop, late | {"cascade": True, "width": 128, "height": 128})
    wrong = order.problems(workshop, late | {"cascade": True})
    assert wrong == {
        "cascade_strength": "cascade_strength=0.15: none of the last 3 of 25 steps is on the grid, which lasts until "
        "step 20; from 0.24 on some are"
    }


def test_where_nothing_is_enlarged_no_order_has_a_cascade(workshop, values):
    near = values | {"cascade": True, "width": 136, "height": 136}
    asked = order.read(workshop, near)
    assert (asked.cascade, asked.steps_of(SCALED)) == (None, 25)
    assert "none, since the size is at most a tenth beyond the training size" in plan(workshop, near)
    assert "beyond the training size: it is sampled once" not in plan(
        workshop, near | {"sampling": order.DIRECT}
    )


@pytest.mark.slow
def test_the_plan_of_a_cascade(workshop, values):
    on = values | {"cascade": True}
    asked = order.read(workshop, on)
    assert asked.cascade == Cascade()
    assert order.read(workshop, on | {"sampling": order.DIRECT}).cascade is None
    assert "25 steps at width 128, height 128, sampled directly" in plan(workshop, on)
    both = foretold(workshop, asked)
    assert both.cascade == asked.cascade
    assert f"{both.run_cost:.2f} times over both parts of the run" in plan(workshop, on)


def test_a_cascades_recipe_fills_its_fields(workshop, values):
    config = FouriScaleConfig.preset("shapeworld").to_dict()
    recipe = Recipe.parse(read(OLD))
    restored = from_picture.of_recipe(
        workshop, recipe.model_copy(update={"cascade": {"strength": 0.3}, "config": config})
    )
    assert [restored[name] for name in order.CASCADE] == [True, 0.3, "pixels"]
    assert [values[name] for name in order.CASCADE] == [False, 0.5, "pixels"]


@pytest.mark.parametrize("mode", MODES)
def test_a_recipe_leaves_open_what_is_as_its_mode_says(workshop, values, mode):
    own = FouriScaleConfig.preset("shapeworld", mode=mode, attention="polyphase")
    recipe = Recipe.parse(read(OLD)).model_copy(update={"config": own.resolved().to_dict()})
    restored = from_picture.of_recipe(workshop, recipe)
    assert (restored["mode"], restored["attention"]) == (mode, "polyphase")
    assert restored["third_branch"] == restored["grid"] == AS_MODE
    assert order.read(workshop, restored).config.resolved() == own.resolved()


def test_an_old_fast_picture_shows_the_mode_that_it_was_made_in(workshop):
    restored = from_picture.of_recipe(workshop, Recipe.parse(read(OLD)))
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
    assert [label for _, label in job.previews] == [f"{SCALED}, step {i}" for i in range(1, 6)] + [
        f"{DIRECT}, step {i}" for i in range(1, 4)
    ]
    scaled, direct = job.result.pictures
    assert (len(scaled.powers), len(direct.powers)) == (2, 4)  # of the picture's own size
    assert len(job.result.activity.dilations) == 2
    assert {len(row) for row in job.result.activity.states} == {2}
    assert read(scaled.path)["cascade"] == {
        "strength": 0.5,
        "upsampling": "pixels",
        "vae_tiling": False,
    }
    assert read(direct.path)["cascade"] is None
    with Image.open(scaled.path) as image:
        assert image.size == (192, 192)
    restored = from_picture.of_recipe(workshop, Recipe.parse(read(scaled.path)), order.BOTH)
    assert order.read(workshop, restored).cascade == Cascade(strength=0.5)
