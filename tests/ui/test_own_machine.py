"""One's own machine: no cap but memory, models of a folder, and where they lie stands in recipes."""

import shutil

import pytest

from picturelab_ui import models
from picturelab_ui.forms import FieldError
from picturelab_ui.high_resolution import order
from picturelab_ui.high_resolution.plan import foretold, plan
from picturelab_ui.host import Host
from picturelab_ui.workshop import Workshop


@pytest.fixture
def own(tmp_path, tiny_model):
    (tmp_path / "models").mkdir()
    shutil.copytree(tiny_model, tmp_path / "models" / "mine")
    (tmp_path / "models" / "notes.txt").write_text("no model")
    workshop = Workshop(Host.of(public=False, output=tmp_path / "output", models=tmp_path / "models"))
    yield workshop
    workshop.runner.close()


@pytest.mark.slow
def test_memory_is_the_only_bound_of_a_size(own, workshop, monkeypatch):
    large = order.start(own) | {"width": 2048, "height": 3072, "steps": 4}
    monkeypatch.setattr(models, "memory_of", lambda device: 64 * 2**30)
    asked = order.read(own, large)
    assert foretold(own, asked).size == (3072, 2048)
    assert "2048 x 3072" in plan(own, large)
    assert "--max-pixels" in order.problems(workshop, large)["width"]
    monkeypatch.setattr(models, "memory_of", lambda device: 2**28)
    with pytest.raises(FieldError) as refused:
        foretold(own, asked)
    sentence = refused.value.problems["width"]
    assert sentence.startswith("width 2048, height 3072 needs ")
    assert "and 0.25 GiB are free here" in sentence
    assert "fouriscale explain --model shapeworld/unet --size 2048x3072" in sentence
    assert "needs" in plan(own, large)


def test_a_folder_of_models_can_be_chosen_from(own, tmp_path):
    assert own.models.names()[0] == "shapeworld/unet"
    assert "mine" in own.models.names()
    assert "notes.txt" not in own.models.names()
    where = str(tmp_path / "models" / "mine")
    assert own.models.address("mine") == where
    values = order.start(own) | {"model": "mine"}
    assert order.read(own, values).recorded_model == where
    assert own.models.name_of(where) == "mine"


def test_a_public_page_says_nothing_of_where_models_lie(tmp_path, tiny_model):
    shutil.copytree(tiny_model, tmp_path / "models" / "mine")
    public = Workshop(Host.of(public=True, output=tmp_path / "output", models=tmp_path / "models"))
    assert order.read(public, order.start(public) | {"model": "mine"}).recorded_model == "mine"
    with pytest.raises(
        ValueError, match=r"does not load 'yours'; it has .*mine \(its host adds some with --models\)"
    ):
        public.models.check("yours")
    public.runner.close()
