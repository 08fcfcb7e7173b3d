"""Jobs are refused when their file is checked, not when their turn comes."""

import pytest
from PIL import Image

from fouriscale import cascade
from fouriscale.loading.pipeline import load_pipeline
from fouriscale.sampling.batch import FouriScaleInstrument
from picturelab.batch.jobs import Job
from tests.tiny import lora_files


@pytest.fixture
def check(tmp_path, tiny_model):
    Image.new("RGB", (64, 48), "red").save(tmp_path / "a.png")

    def check(**values):
        FouriScaleInstrument().check(
            Job(id="a", prompt="a red circle", **{"model": str(tiny_model), "preset": "shapeworld"} | values)
        )

    return check


def test_too_many_pixels(check, tmp_path, monkeypatch):
    check(image=str(tmp_path / "a.png"))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # 3072 are more than twice that
    with pytest.raises(ValueError, match=r"a\.png has 3,072 pixels: a picture can have 2,000 at most"):
        check(image=str(tmp_path / "a.png"))


def test_a_strength_that_leaves_no_step(check, tmp_path):
    image = str(tmp_path / "a.png")
    check(image=image, strength=0.5, steps=2)
    with pytest.raises(ValueError, match=r"^strength=0\.1, steps=5: strength x steps must be at least 1"):
        check(image=image, strength=0.1, steps=5)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (dict(cascade=True, preset="none"), r"^cascade_strength=0\.5 without FouriScale: "),
        (dict(cascade=True, image="a.png"), r"^image=.*a\.png with a cascade"),
        (dict(cascade=True, cascade_strength=2), r"^cascade_strength=2: must be above 0"),
        (dict(cascade=True, cascade_strength=float("nan")), r"^cascade_strength=nan: must be above 0"),
        (dict(cascade=True, cascade_upsampling="x"), r"^cascade_upsampling='x': must be one of"),
        (
            dict(cascade=True, cascade_strength=0.1, steps=5),
            r"^cascade_strength=0\.1, steps=5: strength x steps",
        ),
        (
            dict(cascade=True, cascade_strength=0.1, steps=50, config={"mode": "paper"}),
            r"^cascade_strength=0\.1: none of the last 5 of 50 steps is dilated, ",
        ),
        (
            dict(cascade=True, cascade_strength=0.1, steps=50, preset=None, model="shapeworld/unet"),
            r"^cascade_strength=0\.1: none of the last 5 of 50 steps is on the grid, which lasts until step 40; ",
        ),
        (
            dict(cascade_strength=0.5),
            r"^cascade_strength=0\.5: needs a cascade \(--cascade; in jobs, cascade: true\)$",
        ),
        (dict(cascade=False, cascade_upsampling="pixels"), r"^cascade_upsampling='pixels': needs a cascade"),
    ],
)
def test_a_cascade_that_could_not_be_made(check, tmp_path, values, said):
    check(cascade=True, steps=5)
    check(cascade=False)
    if "image" in values:
        values = values | {"image": str(tmp_path / "a.png")}
    with pytest.raises(ValueError, match=said):
        check(**values)


@pytest.mark.slow
def test_a_job_with_a_cascade(tiny_model):
    instrument, pipe = FouriScaleInstrument(), load_pipeline(str(tiny_model), device="cpu")
    pipe.set_progress_bar_config(disable=True)
    job = Job(id="a", prompt="a red circle", model=str(tiny_model), height=192, width=136, steps=2, seed=3,
              cascade=True, cascade_strength=0.5)  # fmt: skip
    (picture,) = instrument.paint(pipe, [job], [instrument.encode(pipe, job)])
    (alone,) = cascade(pipe, "a red circle", height=192, width=136, steps=2, seed=3, strength=0.5)
    assert picture.image.tobytes() == alone.image.tobytes()
    assert picture.recipe == alone.recipe.model_dump()
    assert picture.recipe["config"]["grid"] == "deep"  # where no mode is chosen
    named = job.model_copy(update={"config": {"mode": "paper"}, "cascade_strength": 1.0})
    (paper,) = instrument.paint(pipe, [named], [None])
    assert paper.recipe["config"]["mode"] == "paper"
    assert instrument.changed_settings(job, picture.recipe) is None
    assert instrument.changed_settings(job, paper.recipe) == (
        "third_branch True instead of False, attention 'full' instead of 'downsampled keys', "
        "late_attention 'full' instead of 'downsampled keys'"
    )


def test_steps_that_a_model_names_count(check, tmp_path, tiny_model):
    image = str(tmp_path / "a.png")
    check(image=image, strength=0.01)  # the model names none
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model_index.json").write_text((tiny_model / "model_index.json").read_text())
    (folder / "sampling.json").write_text('{"call": {"num_inference_steps": 20}}')
    with pytest.raises(ValueError, match=r"^strength=0\.01, steps=20: "):
        check(image=image, strength=0.01, model=str(folder))


def test_a_model_that_is_a_lora(check, tmp_path):
    file = lora_files.write(tmp_path / "style.safetensors", lora_files.kohya("lora_unet_mid_block", 2, 2))
    with pytest.raises(ValueError, match=r"style\.safetensors is a LoRA, no full Stable Diffusion"):
        check(model=str(file))


def test_a_preset_file_that_changes_is_read_anew(check, tmp_path):
    preset = tmp_path / "my.yaml"
    preset.write_text("training_sizes: [[8, 8]]\nlayers: [mid_block]\n")
    check(preset=str(preset))
    preset.write_text("training_sizes: [[8, 8]]\nlayers: [mid_block]\nnonsense: 1\n")
    with pytest.raises(ValueError, match="nonsense"):
        check(preset=str(preset))
