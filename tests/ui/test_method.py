"""The plain choice of how to sample, the groups of every setting, and the example that the page opens with."""

from pathlib import Path

import pytest
from PIL import Image

from fouriscale import FouriScaleConfig, PositionConfig
from fouriscale.sampling.recipe import Recipe, read
from picturelab_ui.high_resolution import every_setting, order
from picturelab_ui.high_resolution.method import (
    METHODS,
    OWN,
    PAPER,
    PLAIN,
    RECOMMENDED,
    choose,
    explanation_for,
    method_of,
    methods_for,
)
from shapeworld import Object, Scene, check

EXAMPLES = Path(order.__file__).with_name("examples")


def test_each_method_is_what_its_settings_are_taken_for(workshop, values):
    assert method_of(workshop, values) == RECOMMENDED
    for method in METHODS[:3]:
        chosen = values | choose(workshop, values, method)
        assert method_of(workshop, chosen) == method
        assert not order.problems(workshop, chosen)
    paper = order.read(workshop, values | choose(workshop, values, PAPER)).config
    assert (paper.mode, paper.deep, paper.chosen("third_branch")) == ("paper", False, True)
    assert order.read(workshop, values | choose(workshop, values, PLAIN)).methods == ("direct",)


def test_own_settings_are_told_and_kept(workshop, values):
    own = values | {"floor": 0.5}
    assert method_of(workshop, own) == OWN
    assert choose(workshop, own, OWN) == {}
    assert (values | choose(workshop, own, RECOMMENDED))["floor"] == values["floor"]


def test_wrap_and_memory_are_no_part_of_a_method(workshop, values):
    tiles = values | {"wrap": "both", "split_rows": True}
    assert method_of(workshop, tiles) == RECOMMENDED
    assert not choose(workshop, tiles, PAPER).keys() & {"wrap", "split_rows", "border"}


def test_a_comparison_comes_back_after_direct_sampling(workshop, values):
    direct = values | choose(workshop, values, PLAIN)
    assert choose(workshop, direct, PAPER)["sampling"] == order.BOTH
    assert "sampling" not in choose(workshop, values, PAPER)


def test_a_model_without_a_preset_has_own_settings(workshop, values):
    unknown = values | {"model": "owner/name"}
    assert method_of(workshop, unknown) == OWN


def test_the_paper_knows_no_transformers(workshop, values):
    assert methods_for("transformer") == [RECOMMENDED, PLAIN, OWN]
    assert "paper" in explanation_for("unet")
    assert "paper" not in explanation_for("transformer")
    joint = values | {"model": "shapeworld/joint"}
    joint |= choose(workshop, joint, RECOMMENDED)
    assert method_of(workshop, joint) == RECOMMENDED
    assert method_of(workshop, joint | {"rule": "ntk"}) == OWN


@pytest.mark.parametrize(
    ("kind", "groups"),
    [(FouriScaleConfig, every_setting.OF_UNETS), (PositionConfig, every_setting.OF_TRANSFORMERS)],
)
def test_every_setting_is_in_one_group(kind, groups):
    grouped = [name for _, names in (*every_setting.SHARED.values(), *groups.values()) for name in names]
    assert sorted(grouped) == sorted(kind.setting_docs())


def test_the_example_is_what_the_page_opens_with_and_right(workshop, values):
    scene = Scene((Object("circle", "red", 0.5, 0.5, 0.15, "small"),), "blue")
    asked = order.read(workshop, values)
    for name, right in (("fouriscale", True), ("direct", False)):
        recipe = Recipe.parse(read(EXAMPLES / f"{name}.png"))
        assert (recipe.prompt, recipe.seed, recipe.steps) == (asked.prompt, asked.seed, asked.steps)
        assert (recipe.width, recipe.height) == (asked.width, asked.height)
        with Image.open(EXAMPLES / f"{name}.png") as image:
            report = check(image, scene)
        assert (report.correct, report.repeated) == (right, not right)
