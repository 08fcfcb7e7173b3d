"""Texts before pictures: the text encoders are let go, pictures stay the same, and the folder says how it was done."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from fouriscale.sampling.batch import FouriScaleInstrument
from padtone.recipe import read_recipe
from padtone.runs.batch import Arm, remake
from picturelab import models
from picturelab.batch.encodings import EncodingCache
from picturelab.batch.progress import progress
from picturelab.batch.stores import open_store
from picturelab.hooks.text_encoders import text_encoders
from tests.picturelab.batch_rows import pictures, row
from tests.tiny import text_pipelines

COLOURS = ("red", "green", "blue")
ROWS = [
    row(i, f"a {colour} circle on a white background", negative_prompt="square", guidance=3.0)
    for i, colour in enumerate(COLOURS * 2)
]


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def painted(monkeypatch):
    """Which text encoders the pipeline has at each painting, and how often one is loaded."""
    found, paint, load = [], FouriScaleInstrument.paint, FouriScaleInstrument.load

    def look(self, pipe, jobs, encodings):
        found.append(list(text_encoders(pipe)))
        return paint(self, pipe, jobs, encodings)

    def loaded(self, *args):
        found.append("loaded")
        return load(self, *args)

    monkeypatch.setattr(FouriScaleInstrument, "paint", look)
    monkeypatch.setattr(FouriScaleInstrument, "load", loaded)
    return found


@pytest.mark.slow
def test_the_encoder_is_let_go_and_the_pictures_are_the_same(make, tmp_path, painted, tiny_model):
    first = make(ROWS, tmp_path / "first", batch=2)
    assert painted == ["loaded", [], [], []]
    painted.clear()
    held = make(ROWS, tmp_path / "held", batch=2, keep_encoder=True)
    assert painted == ["loaded", *[["text_encoder"]] * 3]
    assert (first.encoded, held.encoded, first.done) == (3, 3, 6)
    assert pictures(tmp_path / "first") == pictures(tmp_path / "held")
    said = [progress(open_store(str(tmp_path / name))).notes[0] for name in ("first", "held")]
    assert said == [
        f"text encoders of {tiny_model}: let go once the texts are encoded (6 jobs)",
        f"text encoders of {tiny_model}: stay: they are held beside the denoiser (6 jobs)",
    ]


@pytest.mark.slow
def test_a_text_that_is_lost_has_the_model_loaded_again(make, tmp_path, painted, monkeypatch):
    make(ROWS, tmp_path / "out", batch=2)
    painted.clear()
    monkeypatch.setattr(EncodingCache, "get", lambda self, what: None)
    assert make(ROWS, tmp_path / "lost", batch=2).done == 6
    assert painted == ["loaded", "loaded", *[["text_encoder"]] * 3]  # and is let go no more
    assert pictures(tmp_path / "out") == pictures(tmp_path / "lost")


@pytest.fixture(scope="module")
def lumina(tmp_path_factory):
    """A folder of a tiny pipeline whose encoder's padding is left out, and whose groups are of one length."""
    folder = tmp_path_factory.mktemp("models") / "lumina2"
    text_pipelines.fresh("lumina2").save_pretrained(folder)
    (folder / "sampling.json").write_text(json.dumps({"call": text_pipelines.CALL["lumina2"]}))
    return str(folder)


ARMS = [
    row(i, prompt, keep="full", size="32x32")
    for i, prompt in enumerate(["a red cat", "a dog", "a big old tree on the left", "a blue cat", "a cat"])
]


@pytest.mark.slow
def test_arms_at_their_true_length_in_groups_of_one(make, tmp_path, lumina):
    make(ARMS, tmp_path / "out", model=lumina)
    recipes = {path.stem: read_recipe(path) for path in sorted((tmp_path / "out").glob("*.png"))}
    assert {name: (recipe["batch_size"], recipe["batch_index"]) for name, recipe in recipes.items()} == {
        "1": (2, 0), "2": (2, 0), "3": (1, 0), "4": (2, 1), "5": (2, 1),
    }  # fmt: skip
    assert {recipe["encoding"] for recipe in recipes.values()} == {"true length"}
    said = "\n".join(progress(open_store(str(tmp_path / "out"))).notes)
    assert "stay: with an arm, the pipeline encodes the negative prompt itself (5 jobs)" in said
    assert (
        "5 jobs are in 3 groups of one text length each, without padding or mask; in the order of the file 1 of 1 "
        "groups would need a mask, and " in said
    )
    pipe = models.load_pipeline(lumina, device="cpu")
    pipe.set_progress_bar_config(disable=True)
    again = remake(pipe, Arm.parse(recipes["3"]))
    assert (np.asarray(again) == np.asarray(Image.open(tmp_path / "out" / "3.png"))).all()


@pytest.mark.slow
def test_a_folder_of_an_older_version_goes_on_with_padding_in_the_order_of_the_file(make, tmp_path, lumina):
    out = tmp_path / "out"
    out.mkdir()
    note = out / "plan.json"
    note.write_text(json.dumps({"plan": "", "total": 5}))  # so that groups are those of the file
    make(ARMS, out, model=lumina, pad_text=True)
    before = pictures(out)
    recipes = [read_recipe(out / name) for name in before]
    assert {("encoding" in recipe, recipe["batch_size"]) for recipe in recipes} == {(False, 5)}
    newer = {"by_length", "pad_text", "text_encoders", "text_lengths"}
    older = {key: value for key, value in json.loads(note.read_text()).items() if key not in newer}
    note.write_text(json.dumps(older))
    (out / "2.png").unlink()
    assert make(ARMS, out, model=lumina).made == 1
    assert pictures(out) == before


@pytest.mark.slow
def test_a_folder_of_texts_at_their_true_length_goes_on_so(make, tmp_path, lumina):
    make(ARMS[:1], tmp_path / "out", model=lumina)
    with pytest.raises(ValueError, match="a run begun with texts at their true length instead of --pad-text"):
        make(ARMS[:1], tmp_path / "out", model=lumina, pad_text=True)


@pytest.mark.parametrize("value", ["perhaps", 3])
def test_what_pad_text_can_be(make, tmp_path, value):
    with pytest.raises(ValueError, match=rf"pad_text is {value!r}: "):
        make([row(1, pad_text=value)], tmp_path / "out")
