"""The shipped models, and folders of them by path: each is what its `sampling.json` says."""

import json
import shutil

import pytest
import torch

from picturelab.models import load_pipeline, usual_call
from shapeworld import SAMPLING, WEIGHTS, models
from shapeworld.masking import MASKINGS

JOINT = {"joint": "none", "joint-masked": "both", "joint-registers": "encoder"}
TOKENS = 5  # of the prompt below, beginning and end included
PROMPT = "a red circle"


def test_what_is_shipped():
    assert models.model_names() == ["unet", "unet-frozen", *JOINT]
    assert {name: SAMPLING[name].masking for name in SAMPLING} == {
        "unet": "none",
        "unet-frozen": "none",
    } | JOINT
    assert {sampling.pixels for sampling in SAMPLING.values()} == {models.IMAGE_SIZE}


def text_rows(pipe):
    ids = pipe.tokenizer_2(PROMPT, padding="max_length", return_tensors="pt").input_ids
    with torch.no_grad():
        return pipe.text_encoder_2(ids)[0]  # (1, tokens, dim)


def velocity(pipe, rows):
    """What the transformer makes of a picture of 2 x 2 tokens and a text."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        return pipe.transformer(
            hidden_states=torch.randn(1, 4, 16, generator=generator),
            encoder_hidden_states=rows,
            pooled_projections=torch.zeros(1, models.SILENT_WIDTH),
            timestep=torch.tensor([0.5]),
            img_ids=torch.tensor([[0.0, y, x] for y in range(2) for x in range(2)]),
            txt_ids=torch.zeros(rows.shape[1], 3),
        )[0]


def by_name(name, tmp_path):
    return models.load_pipeline(name)


def by_path(name, tmp_path):
    """A copy of the folder under another name, by this project's loader for anybody's models."""
    shutil.copytree(WEIGHTS / name, tmp_path / "copy")
    return load_pipeline(str(tmp_path / "copy"), device="cpu")


def as_training_loads_it(name, tmp_path):
    return models.load_folder(WEIGHTS / name)


@pytest.mark.parametrize("load", [by_name, by_path, as_training_loads_it])
@pytest.mark.parametrize(("name", "masking"), JOINT.items())
def test_a_folder_is_the_scenario_that_it_says(name, masking, load, tmp_path):
    pipe = load(name, tmp_path)
    rows = text_rows(pipe)
    assert (rows[:, :TOKENS] != 0).any(-1).all()
    assert bool((rows[:, TOKENS:] == 0).all()) == (masking != "none")
    unread = torch.allclose(velocity(pipe, rows[:, :TOKENS]), velocity(pipe, rows), atol=1e-5)
    assert unread == (masking == "both")


def test_a_folder_by_path_has_its_own_settings(tmp_path):
    shutil.copytree(WEIGHTS / "joint-registers", tmp_path / "copy")
    assert usual_call(str(tmp_path / "copy")) == SAMPLING["joint-registers"].call


@pytest.mark.parametrize(("masked", "masking"), [(False, "none"), (True, "both")])
def test_what_version_0_1_wrote_means_what_it_meant(masked, masking, tmp_path):
    shutil.copytree(WEIGHTS / "joint", tmp_path / "old")
    (tmp_path / "old" / "sampling.json").write_text(json.dumps({"call": {}, "masked": masked}))
    assert models.Sampling.read(tmp_path / "old").masking == masking
    rows = text_rows(load_pipeline(str(tmp_path / "old"), device="cpu"))
    assert bool((rows[:, TOKENS:] == 0).all()) == masked


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"world": "shapeworld", "call": {}, "masking": "all"},
            "masking='all'; it can be none, encoder, both",
        ),
        ({"world": "shapeworld", "masking": "both"}, "sampling.json cannot be read"),
        ({"world": "elsewhere", "call": {}}, "the world 'elsewhere' is not installed"),
        ({"world": ["shapeworld"], "call": {}}, r"the world \"\['shapeworld'\]\" is not installed"),
        ([], "sampling.json cannot be read"),
    ],
)
def test_a_folder_that_cannot_be_obeyed_is_refused(values, sentence, tmp_path):
    shutil.copytree(WEIGHTS / "joint", tmp_path / "copy")
    (tmp_path / "copy" / "sampling.json").write_text(json.dumps(values))
    with pytest.raises(ValueError, match=sentence):
        load_pipeline(str(tmp_path / "copy"), device="cpu")


def test_saved_settings_are_read_again(tmp_path):
    for masking in MASKINGS:
        sampling = models.Sampling({"height": 128, "num_inference_steps": 3}, masking)
        sampling.save(tmp_path)
        assert models.Sampling.read(tmp_path) == sampling
