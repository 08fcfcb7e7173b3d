"""Files as A1111 and ComfyUI write them, read by `fouriscale show`."""

import json

import pytest
from PIL import ExifTags, Image, PngImagePlugin

from fouriscale.cli import main
from tests.picturelab.foreign.test_a1111 import THEIRS
from tests.picturelab.foreign.test_comfyui import GRAPH, KNOWN

SIZE = {"the file's size": "16x8"}


@pytest.fixture
def image():
    return Image.new("RGB", (16, 8))


def png(image, path, **texts):
    chunks = PngImagePlugin.PngInfo()
    for name, text in texts.items():
        chunks.add_text(name, text)
    image.save(path, pnginfo=chunks)


def with_comment(image, path, comment):
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = comment
    image.save(path, exif=exif)


def shown(path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["show", str(path)])
    assert stop.value.code == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".jpg"])
def test_a1111_in_every_format(tmp_path, image, capsys, suffix):
    path = tmp_path / f"a{suffix}"
    if suffix == ".png":
        png(image, path, parameters=THEIRS)
    else:
        with_comment(image, path, b"UNICODE\0" + THEIRS.encode("utf-16-be"))
    said = shown(path, capsys)
    assert said["program"].startswith("AUTOMATIC1111")
    assert said["settings"]["seed"] == 1234567890123
    assert said["settings"]["scheduler"] == "DPMSolverMultistep"
    assert said["others"].items() >= SIZE.items()


def test_comfyui_in_png_and_webp(tmp_path, image, capsys):
    png(image, tmp_path / "a.png", prompt=json.dumps(GRAPH), workflow="{damaged")
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "workflow:{damaged"
    exif[ExifTags.Base.Model] = f"prompt:{json.dumps(GRAPH)}"
    image.save(tmp_path / "a.webp", exif=exif)
    for name in ("a.png", "a.webp"):
        said = shown(tmp_path / name, capsys)
        assert (said["program"], said["settings"], said["others"]) == ("ComfyUI", KNOWN, SIZE)


def test_a_recipe_of_ours_goes_first(tmp_path, image, capsys):
    png(image, tmp_path / "a.png", fouriscale='{"seed": 1}', parameters=THEIRS, prompt=json.dumps(GRAPH))
    assert shown(tmp_path / "a.png", capsys) == {"seed": 1}


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        ({"prompt": "[" * 100_000}, "carries settings that cannot be read (it is nested too deeply)"),
        ({"prompt": "NaN"}, "carries settings that cannot be read (its graph is no JSON object)"),
        ({"parameters": "x" * (2**20 + 1)}, "carries settings that cannot be read (its parameters have 1,048,577"),
        ({"comment": "hello"}, "carries no recipe; only pictures that fouriscale or padtone has written do"),
        ({}, "carries no recipe"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_sentence(tmp_path, image, capsys, texts, sentence):
    png(image, tmp_path / "a.png", **texts)
    with pytest.raises(SystemExit) as stop:
        main(["show", str(tmp_path / "a.png")])
    said = capsys.readouterr()
    assert (stop.value.code, said.out) == (2, "")
    assert said.err.startswith(f"Error: {tmp_path / 'a.png'} {sentence}")
    assert said.err.count("\n") == 1


def test_exif_that_is_damaged_is_none(tmp_path, image, capsys):
    for exif in (b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff", b"\0" * 60):
        image.save(tmp_path / "a.webp", exif=exif)
        with pytest.raises(SystemExit) as stop:
            main(["show", str(tmp_path / "a.webp")])
        assert stop.value.code == 2
        assert "carries no recipe" in capsys.readouterr().err
