"""Jobs with a transformer: their settings, what is refused before anything is loaded, and a picture."""

import pytest

from fouriscale import PositionConfig
from fouriscale.sampling.batch import FouriScaleInstrument
from fouriscale.sampling.recipe import Recipe
from picturelab.batch.jobs import parse
from picturelab.hooks.text_encoders import let_go

MODEL = "shapeworld/joint-masked"


def job(**values):
    return parse({"prompt": "a red circle", "model": MODEL, "size": "160x144", "steps": 1, **values}, 1)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"config": {"mode": "fast"}},
            "mode='fast': is no setting of a transformer, which has no convolutions",
        ),
        ({"config": {"rule": "stretch"}}, "rule='stretch': must be one of"),
        ({"preset": "sd15"}, f"these settings are for a unet, and {MODEL} has a transformer"),
        (
            {"preset": "flux", "model": "shapeworld/unet"},
            "are for a transformer, and shapeworld/unet has a unet",
        ),
        ({"config": {"rule": "ntk"}, "model": "shapeworld/unet"}, "rule='ntk': is a setting of transformers"),
        ({"cascade": True, "cascade_upsampling": "latents"}, "cascade_upsampling='latents': a transformer's"),
        (
            {"config": {"rule": "ntk", "mode": "fast"}, "model": "owner/name"},
            "mode='fast': is no setting of a transf",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_loaded(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        FouriScaleInstrument().check(job(**values))


def test_a_model_that_is_not_here_may_have_either_kind_of_settings():
    for config in ({"rule": "ntk"}, {"mode": "fast"}):
        FouriScaleInstrument().check(job(config=config, model="owner/name"))


@pytest.mark.slow
def test_a_picture_of_a_job():
    instrument, asked = FouriScaleInstrument(), job(config={"rule": "ntk", "temperature": 1.1})
    instrument.check(asked)
    pipe = instrument.load(asked, "cpu", "float32")
    pipe.set_progress_bar_config(disable=True)
    text = instrument.encode(pipe, asked)
    assert text is not None
    (alone,) = instrument.paint(pipe, [asked], [None])
    let_go(pipe)
    (picture,) = instrument.paint(pipe, [asked], [text])
    assert picture.image.tobytes() == alone.image.tobytes()
    assert picture.recipe == alone.recipe
    assert picture.image.size == (160, 144)
    expected = PositionConfig.preset("shapeworld-joint", rule="ntk", temperature=1.1)
    assert Recipe.parse(picture.recipe).config == expected.to_dict()
    assert instrument.changed_settings(asked, picture.recipe) is None
    other = job(config={"rule": "yarn"})
    assert instrument.changed_settings(other, picture.recipe).startswith("rule 'ntk' instead of 'yarn'")


@pytest.mark.slow
def test_a_cascade_keeps_its_encoders():
    instrument, asked = FouriScaleInstrument(), job(cascade=True, cascade_strength=0.3)
    instrument.check(asked)
    assert instrument.encoder_stays(asked) == "pipelines that start from pictures are made with them"
    pipe = instrument.load(asked, "cpu", "float32")
    pipe.set_progress_bar_config(disable=True)
    (picture,) = instrument.paint(pipe, [asked], [None])
    assert (picture.image.size, picture.recipe["cascade"]["strength"]) == ((160, 144), 0.3)
