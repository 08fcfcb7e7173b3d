"""The page where the toy world is not installed: it asks for a model, and one tab is not there."""

import sys

import gradio as gr
import pytest

from fouriscale.cli import main
from fouriscale.reports.validate import our_prompts
from fouriscale.sampling.recipe import Recipe, read
from picturelab.worlds import DEFAULT_MODEL
from picturelab_ui import page
from picturelab_ui.high_resolution import from_picture, order
from picturelab_ui.high_resolution import tab as high_resolution
from picturelab_ui.host import Host
from picturelab_ui.jobs.padding_tokens import audit_prompts
from picturelab_ui.padding_tokens.tokens import read_tokens
from picturelab_ui.visitors import Visitor
from picturelab_ui.workshop import Workshop
from tests.ui.in_process import in_a_loop


@pytest.fixture(autouse=True)
def _no_world(monkeypatch, tiny_model):
    """No world is announced, and nothing can import this one; `tiny_model` is built before."""
    monkeypatch.setattr("picturelab.worlds.worlds", dict)
    for name in list(sys.modules):
        if name == "shapeworld" or name.startswith(("shapeworld.", "picturelab_ui.shapeworld")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "shapeworld", None)


@pytest.fixture
def workshop(tiny_model, tmp_path):
    workshop = Workshop(Host(model=str(tiny_model), output=tmp_path))
    yield workshop
    workshop.runner.close()


def components(blocks, kind):
    return [one["props"] for one in blocks.get_config_file()["components"] if one["type"] == kind]


@pytest.mark.slow
def test_two_tabs_with_prompts_and_sizes_for_the_model(workshop, tiny_model):
    blocks = in_a_loop(lambda: page.build(workshop))
    assert [tab["label"] for tab in components(blocks, "tabitem")] == ["High resolution", "Padding tokens"]
    values = {one.get("elem_id"): one.get("value") for one in components(blocks, "textbox")}
    assert values["hires-prompt"] == values["pad-prompt"] == our_prompts()[0]
    numbers = {one.get("elem_id"): one.get("value") for one in components(blocks, "number")}
    assert (numbers["hires-width"], numbers["hires-height"]) == (256, 256)  # twice its training size
    models = {one["elem_id"]: one["choices"] for one in components(blocks, "dropdown") if one.get("elem_id")}
    assert models["hires-model"] == models["pad-model"] == [(tiny_model.name, tiny_model.name)]
    assert "world of shapes" not in components(blocks, "markdown")[0]["value"]


def test_a_link_to_the_tab_that_is_not_there_opens_the_first(workshop):
    keys = [tab.key for tab in page.tabs()]
    assert keys == ["high", "padding"]
    query = {"tab": "world", "seed": "5"}
    assert page._tab_of(query, keys) == gr.skip()
    assert order.of_link(workshop, query) == order.start(workshop)


@pytest.mark.slow
def test_the_model_draws_and_reads(workshop, tiny_model):
    values = order.start(workshop) | {"width": 64, "height": 64, "steps": 1}
    job = high_resolution.submit(workshop, Visitor(), values)
    assert job.wait(120)
    assert (job.error, len(job.result.pictures)) == ("", 2)
    recipe = Recipe.parse(read(job.result.pictures[0].path))
    assert recipe.model == tiny_model.name  # where it lies is the host's own affair
    assert from_picture.of_recipe(workshop, recipe)["model"] == tiny_model.name
    (entry,) = read_tokens(workshop, tiny_model.name, "a red circle")
    assert "padding" in entry.roles
    assert len(audit_prompts(str(tiny_model), "", 3).texts) == 3


def test_a_model_without_a_unet_is_refused(tmp_path):
    (tmp_path / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    workshop = Workshop(Host(model=str(tmp_path), output=tmp_path))
    with pytest.raises(ValueError, match="needs a model with a UNet, or a transformer"):
        workshop.models.first()
    workshop.runner.close()


@pytest.mark.parametrize("words", [(), ("--model", DEFAULT_MODEL)])
def test_a_model_is_asked_for(run_command, words):
    code, out, err = run_command(main, "page", *words)
    assert (code, out) == (2, "")
    assert err.startswith("Error: fouriscale page needs --model, such as a diffusers folder or a hub id")
    assert err.count("\n") == 1
