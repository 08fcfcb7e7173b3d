"""Hostile recipes: each field of each kind, and what `remake` and `show` say before a model is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fouriscale import FouriScaleConfig
from fouriscale.sampling.recipe import Recipe
from padtone.runs.batch import Arm
from padtone.runs.request import Request
from picturelab.bounds import BOUNDS

from .conftest import examples
from .inputs import ARM, FOURISCALE, GRID, write_png
from .trial import outcome
from .values import json_values, numbers

pytestmark = pytest.mark.usefixtures("no_work")
KINDS = {  # program and its chunk, the fields, a good recipe
    "picture": ("fouriscale", Recipe, FOURISCALE),
    "grid": ("padtone", Request, GRID),
    "arm": ("padtone", Arm, ARM),
}
_BOUNDS = {"batch_size": "batch"} | {
    name: name for name in ("seed", "height", "width", "steps", "guidance", "threads")
}
_CALL = {"num_inference_steps": "steps", "height": "height", "width": "width", "guidance_scale": "guidance"}


@st.composite
def recipes(draw: Any, kind: Any, base: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """A recipe with one to three hostile entries, and whether it has to be refused."""
    recipe, refused = dict(base), False
    for name in draw(
        st.lists(st.sampled_from([*kind.model_fields, "another"]), min_size=1, max_size=3, unique=True)
    ):
        bound = _BOUNDS.get(name)
        if bound and draw(st.booleans()):
            recipe[name], refused = draw(numbers(BOUNDS[bound])).value, True
        elif name == "call" and draw(st.booleans()):
            entry = draw(st.sampled_from([*_CALL]))
            recipe[name], refused = base[name] | {entry: draw(numbers(BOUNDS[_CALL[entry]])).value}, True
        elif name == "config" and draw(st.booleans()):
            field = draw(st.sampled_from([*FouriScaleConfig.model_fields]))
            recipe[name] = FouriScaleConfig.preset("shapeworld").to_dict() | {field: draw(json_values())}
        elif name == "scheduler" and draw(st.booleans()):
            recipe[name] = draw(_schedulers)
        elif draw(st.integers(0, 5)) == 0:
            recipe.pop(name, None)
        else:
            recipe[name] = draw(json_values())
    return recipe, refused


_schedulers = st.fixed_dictionaries(
    {
        "class": st.sampled_from(
            [
                "DDIMScheduler",
                "EulerDiscreteScheduler",
                "LCMScheduler",
                "SchedulerMixin",
                "FluxPipeline",
                "os",
            ]
        ),
        "config": st.dictionaries(
            st.sampled_from(
                ["num_train_timesteps", "beta_schedule", "trained_betas", "_class_name", "beta_end", "x"]
            ),
            json_values(),
            max_size=3,
        )
        | json_values(),
    }
)


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_recipes(kind: str, tmp_path: Path):
    program, fields, base = KINDS[kind]
    picture = tmp_path / "picture.png"

    @examples(30)
    @given(recipes(fields, base))
    def trial(drawn: tuple[dict[str, Any], bool]) -> None:
        recipe, refused = drawn
        write_png(picture, program, json.dumps(recipe))
        ended = outcome(program, ["remake", str(picture), "--out", "OUT.png"])
        fault = ended.fault(refused)
        assert not fault, f"{fault}: {json.dumps(recipe)[:900]}\n{ended.err[-1500:]}\n{ended.left}"
        if program == "fouriscale":
            assert not outcome(program, ["show", str(picture)]).fault(False)

    trial()


@pytest.mark.parametrize("kind", KINDS)
def test_the_good_recipe_is_one(kind: str, tmp_path: Path):
    program, _, base = KINDS[kind]
    write_png(tmp_path / "good.png", program, json.dumps(base), side=30_000)  # larger than PIL opens
    assert outcome(program, ["remake", str(tmp_path / "good.png"), "--out", "OUT.png"]).passed


@examples(20)
@given(
    text=st.text(max_size=200)
    | st.sampled_from(["{}", "[]", "null", "{" * 3000, "[1" + ",1" * 100_000 + "]"])
)
def test_text_that_is_no_recipe(text: str, tmp_path_factory: pytest.TempPathFactory):
    picture = tmp_path_factory.getbasetemp() / "text.png"
    write_png(picture, "fouriscale", text)
    assert outcome("fouriscale", ["show", str(picture)]).code == 2
