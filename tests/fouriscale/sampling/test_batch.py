"""Jobs are refused when their file is checked, not when their turn comes."""

import pytest
from PIL import Image

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
