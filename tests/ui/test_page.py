"""The page without a browser: its endpoints through gradio_client, what it refuses, its links and its limits."""

import json
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from gradio_client.exceptions import AppError
from PIL import Image

from fouriscale import FouriScaleConfig
from fouriscale.sampling.recipe import Recipe, read, save
from picturelab_ui import links
from picturelab_ui.folders import Folders
from picturelab_ui.high_resolution import from_picture, order
from picturelab_ui.high_resolution.config_fields import (
    TRANSFORMER_SETTINGS,
    UNET_SETTINGS,
    from_fields,
    to_fields,
)
from picturelab_ui.high_resolution.controls import FREE, RATIOS
from picturelab_ui.high_resolution.plan import plan
from picturelab_ui.high_resolution.sizes import free_size, ratio_of, ratio_size
from picturelab_ui.host import Host
from picturelab_ui.padding_tokens import order as padding_order
from picturelab_ui.workshop import Workshop

DOCUMENTED = Path(__file__).parents[2] / "docs" / "page.md"


@pytest.mark.slow
def test_generate_gives_both_pictures_with_their_recipes(served):
    client, output, _ = served
    files = client.predict("a red circle", 128, 192, 3, 2, compare=True, api_name="/generate")
    recipes = [Recipe.parse(read(file)) for file in files]
    assert [recipe.config is None for recipe in recipes] == [False, True]
    assert {(r.prompt, r.height, r.width, r.seed, r.steps) for r in recipes} == {
        ("a red circle", 128, 192, 3, 2)
    }
    with Image.open(files[0]) as image:
        assert image.size == (192, 128)
    written = [path.read_bytes() for path in output.glob("*/pictures/*.png")]
    assert all(Path(file).read_bytes() in written for file in files)


@pytest.mark.slow
def test_explain_and_encode_answer_in_json(served):
    client, *_ = served
    explanation = client.predict("shapeworld/unet", 256, 512, api_name="/explain")
    assert explanation["fit"] == {"training_size": [128, 128], "dilation": pytest.approx(8**0.5)}
    assert explanation["active"] == 20
    assert [phase["grid"]["size"] for phase in explanation["grids"]] == [[12, 22]]
    assert any(line.startswith("factor: 2.83") for line in explanation["sentences"])
    read = client.predict("a red circle", "padding", api_name="/encode")
    assert read["roles"] == ["bos", "prompt", "prompt", "prompt", "eos", *["padding"] * 19]
    assert read["kept"] == [role == "padding" for role in read["roles"]]
    assert read["encoders"][0]["tokens"][1:4] == ["a", "red", "circle"]


def test_every_argument_has_a_default(served):
    client, *_ = served
    named = client.view_api(return_format="dict")["named_endpoints"]
    assert sorted(named) == ["/audit", "/encode", "/explain", "/generate"]
    assert all(p["parameter_has_default"] for one in named.values() for p in one["parameters"])
    names = [p["parameter_name"] for p in named["/generate"]["parameters"]]
    assert names == ["prompt", "height", "width", "seed", "steps", "preset", "compare"]


@pytest.mark.parametrize(
    ("endpoint", "arguments", "sentence"),
    [
        ("/generate", {"width": 250}, "width 250, height 256 does not fit"),
        ("/generate", {"width": 512}, "up to 0.1 million"),
        ("/generate", {"seed": -1}, "seed=-1"),
        ("/generate", {"steps": 1000}, "steps=1000: must be from 1 to 200"),
        ("/generate", {"prompt": "  "}, "the prompt is empty"),
        ("/generate", {"preset": "sd16"}, "'sd16'"),
        ("/explain", {"model": "owner/name"}, "this page does not load 'owner/name'"),
        ("/explain", {"model": "/etc"}, "this page does not load '/etc'"),
        ("/explain", {"height": 0}, "height 0"),
        ("/encode", {"keep": "nonsense"}, "'nonsense'"),
        ("/audit", {"prompts": ["one"]}, "two or more prompts"),
        ("/audit", {"prompts": ["one", "two"], "seeds": 1}, "seeds=1"),
        ("/audit", {"seeds": 900}, "7200 pictures"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_bad_input_is_one_sentence(served, endpoint, arguments, sentence):
    client, *_ = served
    with pytest.raises(AppError, match=r".") as refused:
        client.predict(api_name=endpoint, **arguments)
    assert sentence in str(refused.value)
    assert "Traceback" not in str(refused.value)


@pytest.mark.slow
def test_the_documented_example_runs(served):
    (block,) = [part.split("```")[0] for part in DOCUMENTED.read_text().split("```python\n")[1:]]
    *_, url = served
    space = {}
    exec(compile(block.replace("http://127.0.0.1:7860", url), "docs/page.md", "exec"), space)
    assert Recipe.parse(read(space["files"][0])).prompt == "a small red square on a white background"
    assert space["report"]["verdict"] == "inconclusive"  # two prompts decide nothing
    assert Path(space["html"]).read_text().startswith("<!doctype html>")


def test_the_first_values_are_an_order(workshop, values):
    asked = order.read(workshop, values)
    assert (asked.width, asked.height, asked.steps, asked.guidance) == (256, 256, 25, 4.0)
    assert asked.config == FouriScaleConfig.preset("shapeworld")
    assert asked.methods == ("FouriScale", "direct")


WRONG = [
    ("prompt", "", "empty"),
    ("width", 250, "multiples of 8"),
    ("width", None, "empty"),
    ("width", 32768, "--max-pixels"),
    ("height", 32768, "million pixels"),
    ("seed", -1, "from 0"),
    ("seed", float("inf"), "whole number"),
    ("steps", 0, "from 1 to 200"),
    ("steps", 2.5, "whole number"),
    ("guidance", None, "empty"),
    ("guidance", float("nan"), "a number from 0 to 1000"),
    ("model", "owner/name", "does not load"),
    ("sampling", "both", "both, compared"),
    ("preset", "sd16", "sd15"),
    ("training_sizes", "128 by 128", "384x256"),
    ("training_sizes", "", "at least one"),
    ("layers", "", "at least one pattern"),
    ("start", 0.9, "before stop"),
    ("stop", 2, "from 0 to 1"),
    ("cascade", "yes", "must be true or false"),
    ("cascade_strength", 0, "above 0 and at most 1"),
    ("cascade_strength", None, "above 0 and at most 1"),
    ("cascade_upsampling", "pixel", "pixels, latents"),
    ("floor", 1, "from 0 to"),
    ("early_guidance", 0, "from 0.001 to 1000"),
    ("size_rule", "best", "nearest"),
    ("mode", "quick", "paper, fast"),
    ("third_branch", "perhaps", "true or false"),
    ("attention", "sparse", "polyphase"),
    ("grid", "shallow", "full, deep"),
    ("grid_phases", "half: 1", "pairs such as 0.5: 1, 0.8: 2"),
    ("grid_phases", "0.5: 1: 2", "pairs such as 0.5: 1, 0.8: 2"),
    ("grid_phases", "0.5", "pairs such as 0.5: 1, 0.8: 2"),
    ("grid_phases", "0.8: 1, 0.5: 2", "both rising"),
    ("grid_phases", "nan: 1", "in (0, 1]"),
    ("grid_phases", 0.5, "must be text"),
    ("grid_level", 1.5, "whole number"),
    ("grid_level", 0, "from 1 to"),
    ("grid_resampling", "bilinear", "cosines, area"),
]


@pytest.mark.parametrize(("field", "value", "sentence"), WRONG, ids=lambda v: str(v)[:12])
def test_what_is_wrong_is_said_at_its_field(workshop, values, field, value, sentence):
    size = {"height": "width"}.get(field, field)  # a size is one sentence, at its first field
    wrong = order.problems(workshop, values | {field: value})
    assert list(wrong) == [size]
    assert sentence in wrong[size]
    with pytest.raises(ValueError, match=r"."):
        order.read(workshop, values | {field: value})


def test_the_deep_grid_s_fields_as_people_type_them(values):
    assert (values["grid"], values["grid_phases"], values["grid_level"]) == ("as the mode says", "", None)
    typed = {"grid": "deep", "grid_phases": "0.5: 1,\n .8:2.5\n", "grid_level": 2, "grid_resampling": "area"}
    config = from_fields(values | typed)
    assert config.grid_phases == ((0.5, 1.0), (0.8, 2.5))
    assert (config.grid, config.grid_level, config.grid_resampling) == ("deep", 2, "area")
    fields = to_fields(config)
    assert fields["grid_phases"] == "0.5: 1.0, 0.8: 2.5"
    assert from_fields(fields) == config
    third = config.replace(grid_phases=[[1 / 3, 1]])
    assert from_fields(to_fields(third)) == third


def test_links_keep_every_setting(workshop, values):
    changed = values | {
        "prompt": "a green triangle & more", "width": 384, "seed": 8, "sampling": "direct",
        "start": None, "anneal": False, "layers": "mid_block.*\nup_blocks.*", "floor": 0.25,
        "grid": "deep", "grid_phases": "0.5: 1, 0.8: 2", "grid_level": 2, "grid_resampling": "nearest",
        "cascade": True, "cascade_strength": 0.35,
    }  # fmt: skip
    query = dict(parse_qsl(order.link(workshop, changed)))
    assert set(query) == {
        "tab", "prompt", "width", "seed", "sampling", "start", "anneal", "layers", "floor",
        "grid", "grid_phases", "grid_level", "grid_resampling", "cascade", "cascade_strength",
    }  # fmt: skip
    assert order.of_link(workshop, query) == changed
    preset = values | to_fields(FouriScaleConfig.preset("sd15")) | {"preset": "sd15"}
    assert set(dict(parse_qsl(order.link(workshop, preset)))) == {"tab", "prompt", "preset"}
    assert order.of_link(workshop, dict(parse_qsl(order.link(workshop, preset)))) == preset


@pytest.mark.parametrize(
    "query", [{"width": "250"}, {"width": "x"}, {"model": "/etc"}, {"floor": "[1]"}, {"other": "1"}]
)
def test_a_wrong_link_opens_the_usual_page(workshop, values, query):
    assert order.of_link(workshop, query) == values


def test_a_tab_takes_only_its_own_link():
    usual = {"prompt": "a", "seed": 0, "arms": ["full"]}
    changed = {"prompt": "b & c", "seed": 3, "arms": ["eos", "clean"]}
    query = dict(parse_qsl(links.to_query("padding", changed)))
    assert links.of_query("padding", query, usual) == changed
    assert links.of_query("world", query, usual) == usual
    assert links.of_query("padding", {"tab": "padding", "seed": "[1]", "arms": "x"}, usual) == usual


@pytest.mark.slow
def test_a_recipe_fills_every_field(workshop, values, tmp_path, served):
    client, *_ = served
    (file,) = client.predict("a red circle", 64, 64, 5, 1, compare=False, api_name="/generate")
    restored = from_picture.of_recipe(workshop, Recipe.parse(read(file)))
    expected = values | {"prompt": "a red circle", "width": 64, "height": 64, "seed": 5, "steps": 1}
    for name in set(TRANSFORMER_SETTINGS) - set(UNET_SETTINGS):
        del expected[name]  # a UNet's picture says nothing of them
    assert restored == expected | {"sampling": "FouriScale"}
    changed = read(file) | {"model": "owner/name"}
    with Image.open(file) as image:
        save(image, tmp_path / "other.png", changed)
    with pytest.raises(ValueError, match="does not load 'owner/name'"):
        from_picture.of_recipe(workshop, Recipe.parse(read(tmp_path / "other.png")))


@pytest.mark.slow
def test_the_plan_says_what_will_be_done(workshop, values):
    sentences = plan(workshop, values)
    assert "level 1 runs on width 16, height 16 instead of width 32, height 32" in sentences
    assert "the first 20 of 25 on the grid" in sentences
    paper = plan(workshop, values | {"mode": "paper"})
    assert "2 at most" in paper
    assert "the first 15 of 25 active" in paper
    assert "known after the first picture" in sentences
    config = order.read(workshop, values).config
    explanation = workshop.models.explain("shapeworld/unet", 256, 256, 25, config)
    workshop.speed.learn(explanation, "shapeworld/unet", seconds=10.0, scaled=False)
    assert f"about {10 + 10 * explanation.run_cost:.0f} s here" in plan(workshop, values)
    assert "multiples of 8" in plan(workshop, values | {"width": 250})
    assert "warning" not in sentences
    far = plan(workshop, values | {"width": 640, "height": 640})
    assert "mind the warning</summary>" in far
    assert "5 times the training size on each axis; no more than 4 was studied" in far


@pytest.mark.slow
def test_the_plan_says_what_a_start_picture_leaves_of_a_run(workshop, values, tmp_path):
    Image.new("RGB", (256, 256), "red").save(tmp_path / "start.png")
    started = values | {"start_image": str(tmp_path / "start.png"), "strength": 0.4}
    said = plan(workshop, started)
    assert "10 of 25 steps, from the start picture" in said
    assert "the last 10 of 25 steps are run: strength 0.4<" in said
    assert "what is white in the mask" in plan(workshop, started | {"mask": str(tmp_path / "start.png")})


@pytest.mark.slow
def test_the_plan_with_another_models_training_size(workshop, values, monkeypatch):
    foreign = values | {"training_sizes": "96x96"}
    assert "not this model's own training sizes (128x128)" in plan(workshop, foreign).replace("&#x27;", "'")

    def fits_none(model: str) -> FouriScaleConfig:
        raise ValueError("no preset fits")

    monkeypatch.setattr(workshop.models, "config", fits_none)
    assert "factor" in plan(workshop, foreign)
    assert "no preset fits" not in plan(workshop, foreign)


def test_ratio_buttons_are_true_and_keep_the_area():
    assert ratio_size((1, 1), 2, 128) == (256, 256)
    assert ratio_size((16, 9), 2, 128) == (384, 216)
    for ratio, (across, down) in RATIOS.items():
        width, height = ratio_size(RATIOS[ratio], 4, 512)
        assert width % 8 == height % 8 == 0
        assert width * down == height * across
        assert width * height == pytest.approx(2048**2, rel=0.04)
        assert ratio_of((width, height)) == ratio
    assert ratio_of((336, 192)) == FREE
    assert free_size((512, 128), 4, 128) == (1024, 256)


def test_padding_fields_are_checked(workshop):
    good = {"prompt": "a", "model": "shapeworld/unet", "seed": 0, "steps": 5, "arms": ["full"]}
    assert padding_order.problems(workshop, good, []) == {}
    wrong = {"prompt": " ", "model": "owner/name", "seed": -1, "steps": None, "arms": []}
    assert list(padding_order.problems(workshop, wrong, [])) == ["prompt", "model", "seed", "steps", "arms"]
    assert "no chip" in padding_order.problems(workshop, good | {"arms": ["chosen chips"]}, [])["arms"]


def test_each_browser_has_a_folder_of_its_own_and_each_call_of_a_program_a_new_one(tmp_path):
    folders = Folders(tmp_path)
    name = "0123456789abcdef" * 2
    assert folders.of(name, "pictures") == tmp_path / name / "pictures"
    first, second = (folders.of("", "pictures") for _ in range(2))
    assert first != second
    assert first.parents[1] == tmp_path
    assert folders.pictures("") == folders.pictures(name) == []
    assert not any(tmp_path.iterdir())  # nothing is made before there is something to write


def test_any_model_is_a_switch(tiny_model, tmp_path):
    closed, opened = Workshop(Host(output=tmp_path)), Workshop(Host(output=tmp_path, any_model=True))
    with pytest.raises(ValueError, match="this page does not load"):
        closed.models.check(str(tiny_model))
    opened.models.check(str(tiny_model))
    opened.models.check("owner/name")
    with pytest.raises(ValueError, match="there is no model"):
        opened.models.check("no/such/folder")
    for workshop in (closed, opened):
        workshop.runner.close()
