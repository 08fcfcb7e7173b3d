"""What goes into a picture besides the prompt."""

import functools
import re

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLImg2ImgPipeline
from PIL import Image
from safetensors.torch import save_file

from fouriscale.sampling import controlnets
from fouriscale.sampling.generate import generate
from fouriscale.sampling.inputs import Inputs, prepared, usual_strength
from fouriscale.sampling.recipe import Conditioning, File
from picturelab import extras, pictures
from picturelab.files import sha256
from picturelab.notation import Weighted
from picturelab.remarks import Remark
from tests.tiny import unet_pipelines


def test_a_lora_without_peft_names_the_extra(monkeypatch, tmp_path):
    file = tmp_path / "style.safetensors"
    save_file({"lora_unet_mid_block.lora_down.weight": torch.zeros(2, 4)}, file)
    assert Inputs(loras=(Weighted(str(file)),)).loras[0].scale == 1.0
    usual = extras.find_spec
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "peft" else usual(name))
    with pytest.raises(ValueError, match=r"^a LoRA needs peft: .*pip install .*\[lora\]' brings it$"):
        Inputs(loras=(Weighted(str(file)),))
    assert Inputs().size is None


def saved(path, image, **more):
    image.save(path, **more)
    return path


def turned(path, image):
    """A file that stores a picture lying, and says so."""
    tag = Image.Exif()
    tag[0x0112] = 6
    return saved(path, image.transpose(Image.Transpose.ROTATE_90), exif=tag)


def test_all_pictures_are_turned_as_people_see_them(tmp_path, monkeypatch):
    image = Image.new("RGB", (64, 96), "black")
    image.paste("white", (0, 0, 64, 48))
    path = turned(tmp_path / "phone.png", image)
    monkeypatch.setattr(controlnets, "check", lambda model: None)
    monkeypatch.setattr(controlnets, "load", lambda model, pipe: unet_pipelines.controlnet("SD"))
    inputs = Inputs(image=path, mask=path, controls=(("net", path, 1.0),))
    assert inputs.size == (96, 64)
    with prepared(unet_pipelines.pipeline("SD"), inputs, 96, 64) as (_, arguments):
        for name in ("image", "mask_image", "control_image"):
            grey = np.asarray(arguments[name].convert("L"))
            assert grey.shape == (96, 64)
            assert grey[:40].min() > 250, name
            assert grey[56:].max() < 5, name


def test_a_mask_of_16_bits_keeps_its_greys(tmp_path):
    grey = np.zeros((8, 16), np.uint16)
    grey[:, 8:] = 65535
    grey[:, :4] = 1000  # dark; it would count as white where 16 bits are cut to 8
    mask = saved(tmp_path / "mask.png", Image.fromarray(grey))
    image = saved(tmp_path / "image.png", Image.new("RGB", (16, 8)))
    with prepared(unet_pipelines.pipeline("SD"), Inputs(image=image, mask=mask), 8, 16) as (_, arguments):
        found = np.asarray(arguments["mask_image"])
    assert found[:, :7].max() < 20
    assert found[:, 9:].min() > 235


def half_transparent(colour):
    image = Image.new("RGBA", (16, 8), colour)
    image.paste((255, 255, 255, 0), (0, 0, 8, 8))
    return image


def test_what_is_transparent_in_a_mask_is_kept_and_told(tmp_path):
    image = saved(tmp_path / "image.png", half_transparent("red"))
    mask = saved(tmp_path / "mask.png", half_transparent("white"))
    with pytest.warns(
        Remark, match=r"mask\.png is transparent in parts: in a mask these count as black and are kept"
    ):
        inputs = Inputs(image=image, mask=mask)
    with prepared(unet_pipelines.pipeline("SD"), inputs, 8, 16) as (_, arguments):
        assert arguments["mask_image"].getpixel((2, 4)) == 0
        assert arguments["mask_image"].getpixel((13, 4)) == 255
        assert arguments["image"].getpixel((2, 4)) == (255, 255, 255)  # a cut-out lies on white
        assert arguments["image"].getpixel((13, 4)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("grey", "sentence"),
    [
        (0, "black everywhere, so nothing of the picture is drawn anew"),
        (127, "black everywhere, so nothing of the picture is drawn anew"),
        (128, "white everywhere, so the whole picture is drawn anew"),
        (255, "white everywhere, so the whole picture is drawn anew"),
    ],
)
def test_a_mask_that_is_the_same_everywhere_is_told(tmp_path, grey, sentence):
    image = saved(tmp_path / "image.png", Image.new("RGB", (16, 8)))
    mask = saved(tmp_path / "mask.png", Image.new("L", (16, 8), grey))
    with pytest.warns(Remark, match=rf"mask\.png is {sentence}"):
        Inputs(image=image, mask=mask)


def started(tmp_path, strength=None):
    return Inputs(image=saved(tmp_path / "a.png", Image.new("RGB", (16, 8))), strength=strength)


@pytest.mark.parametrize(
    ("strength", "steps", "numbers"),
    [
        (0.1, 5, "0.2 would do or 10 steps"),
        (0.3, 3, "0.334 would do or 4 steps"),
        (0.0001, 50, "0.02 would do"),
        (0.07, 14, "0.072 would do or 15 steps"),
    ],
)
def test_a_strength_that_leaves_no_step(tmp_path, strength, steps, numbers):
    inputs = started(tmp_path, strength)
    with pytest.raises(
        ValueError,
        match=rf"^strength={strength:g}, steps={steps}: strength x steps must be at least 1, .*: {numbers}$",
    ):
        inputs.check_steps(steps)


def test_the_numbers_that_are_named_do(tmp_path):
    for steps in range(1, 200):
        for strength in (0.003, 0.01, 0.07, 1 / 3, 0.29, 0.7):
            try:
                started_once(tmp_path, strength).check_steps(steps)
            except ValueError as error:
                enough, more = re.search(r": ([\d.]+) would do(?: or (\d+) steps)?$", str(error)).groups()
                assert int(steps * float(enough)) >= 1
                assert more is None or int(int(more) * strength) >= 1
            else:
                assert int(steps * strength) >= 1


@functools.cache
def started_once(tmp_path, strength):
    return started(tmp_path, strength)


def test_the_pipelines_own_strength_counts_where_none_was_chosen(tmp_path):
    assert usual_strength(object.__new__(StableDiffusionXLImg2ImgPipeline)) == 0.3
    assert usual_strength(object.__new__(StableDiffusionPipeline)) is None
    with pytest.raises(ValueError, match=r"^strength=0\.3, steps=2: "):
        started(tmp_path).check_steps(2, 0.3)
    started(tmp_path).check_steps(2, 0.8)
    started(tmp_path).check_steps(2)
    Inputs().check_steps(2, 0.3)  # no picture, so no strength


@pytest.mark.parametrize("scale", [float("nan"), 1e9])
def test_a_controlnets_scale_has_bounds(tmp_path, scale):
    image = saved(tmp_path / "a.png", Image.new("RGB", (16, 8)))
    with pytest.raises(ValueError, match=r"^scale=.*: must be a number from -100 to 100$"):
        Inputs(controls=(("owner/name", image, scale),))


@pytest.mark.parametrize("path", ["a" * 4000, "a\0b", "/dev/zero", "."])
def test_a_recipe_that_names_no_file(path):
    recorded = Conditioning(image=File(path=path, sha256="0"))
    with pytest.raises(ValueError, match="is not here; put it back to remake the picture"):
        Inputs.from_recorded(recorded)


def test_a_picture_is_decoded_once_for_many_jobs_and_doubts_are_said_each_time(tmp_path, monkeypatch):
    image = saved(tmp_path / "image.png", Image.new("RGB", (16, 8), "red"))
    mask = saved(tmp_path / "mask.png", Image.new("L", (16, 8)))
    looks, look_at = [], pictures.look_at
    monkeypatch.setattr(pictures, "look_at", lambda path: looks.append(path) or look_at(path))
    for _ in range(3):
        with pytest.warns(Remark, match="black everywhere"):
            Inputs(image=image, mask=mask)
    assert looks == [image, mask]
    mask.write_bytes(b"")
    with pytest.raises(ValueError, match=r"mask\.png is not a picture"):
        Inputs(image=image, mask=mask)


def test_a_picture_that_changes_while_it_is_sampled_has_the_hash_of_what_was_read(tmp_path):
    image = saved(tmp_path / "image.png", Image.new("RGB", (16, 16), "red"))
    before = sha256(image)

    def change(*_):
        saved(image, Image.new("RGB", (16, 16), "blue"))

    (picture,) = generate(
        unet_pipelines.pipeline("SD"),
        "a",
        height=16,
        width=16,
        steps=2,
        inputs=Inputs(image=image),
        on_step=change,
    )
    assert picture.recipe.inputs.image.sha256 == before != sha256(image)
