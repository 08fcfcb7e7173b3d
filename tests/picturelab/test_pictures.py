"""Pictures as strangers bring them, read as people see them."""

import os
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageDraw

from picturelab.pictures import picture_of, see_through, size_of, upright
from picturelab.remarks import Remark

ORIENTATION = 0x0112
TURNS = {  # what to do with an upright picture so that the tag turns it back
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def red_above_blue(height=96, width=64):
    """Red above, a white corner on the left, blue below."""
    image = Image.new("RGB", (width, height), "blue")
    ImageDraw.Draw(image).rectangle((0, 0, width, height // 2 - 1), "red")
    ImageDraw.Draw(image).rectangle((0, 0, 15, 15), "white")
    return image


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", TURNS)
def test_exif_turns(tmp_path, kind, orientation):
    right, turn = red_above_blue(), TURNS[orientation]
    tag = Image.Exif()
    tag[ORIENTATION] = orientation
    path = tmp_path / f"phone.{kind}"
    (right if turn is None else right.transpose(turn)).save(path, exif=tag)
    assert size_of(path) == (96, 64)
    difference = np.asarray(picture_of(path), int) - np.asarray(right, int)
    assert np.abs(difference).mean() < 6


@pytest.mark.parametrize("value", [0, 9, 2**15])
def test_an_unknown_turn_is_none(tmp_path, value):
    tag = Image.Exif()
    tag[ORIENTATION] = value
    red_above_blue().save(tmp_path / "a.jpg", exif=tag)
    assert size_of(tmp_path / "a.jpg") == (96, 64)


def test_broken_exif_is_no_obstacle(tmp_path):
    broken = b"Exif\0\0MM\0\x2a\0\0\0\x08" + b"\xff" * 40
    red_above_blue().save(tmp_path / "a.jpg", exif=broken)
    red_above_blue().save(tmp_path / "b.png", exif=b"nothing that could be read")
    assert size_of(tmp_path / "a.jpg") == size_of(tmp_path / "b.png") == (96, 64)


def ramp(dtype, white):
    """0, a quarter, a half, three quarters and all of white."""
    return (np.array([[0, 0.25, 0.5, 0.75, 1]]) * white).astype(dtype)


RAMPS = {
    "16 bits, PNG": (ramp(np.uint16, 65535), "a.png"),
    "16 bits, TIFF": (ramp(np.uint16, 65535), "a.tif"),
    "16 bits, other byte order": (ramp(">u2", 65535), "a.tif"),
    "32 bits that hold 8": (ramp(np.int32, 255), "a.tif"),
    "32 bits that hold 16": (ramp(np.int32, 65535), "a.tif"),
    "fractions": (ramp(np.float32, 1), "a.tif"),
    "floating-point numbers that hold 8 bits": (ramp(np.float32, 255), "a.tif"),
}


@pytest.mark.parametrize("name", RAMPS)
def test_grey_of_many_bits_is_scaled(tmp_path, name):
    values, file = RAMPS[name]
    Image.fromarray(values).save(tmp_path / file)
    expected = [0, 64, 128, 191, 255]
    assert np.abs(np.asarray(picture_of(tmp_path / file, "L"), int)[0] - expected).max() <= 1
    assert np.abs(np.asarray(picture_of(tmp_path / file), int)[0, :, 1] - expected).max() <= 1


def test_dark_16_bits_stay_dark(tmp_path):
    Image.fromarray(np.full((4, 4), 255, np.uint16)).save(tmp_path / "a.png")
    assert picture_of(tmp_path / "a.png", "L").getextrema() == (1, 1)


def test_no_number_counts_as_black(tmp_path):
    Image.fromarray(np.array([[np.nan, np.inf, 1.0]], np.float32)).save(tmp_path / "a.tif")
    assert list(np.asarray(picture_of(tmp_path / "a.tif", "L"))[0]) == [0, 0, 255]


def palette(transparent):
    image = Image.new("P", (2, 1))
    image.putpalette([200, 0, 0, 0, 0, 200])
    image.putpixel((1, 0), 1)
    return image, {"transparency": 0} if transparent else {}


@pytest.mark.parametrize("transparent", [False, True])
def test_palettes(tmp_path, transparent):
    image, more = palette(transparent)
    image.save(tmp_path / "a.png", **more)
    left = (255, 255, 255) if transparent else (200, 0, 0)
    assert [picture_of(tmp_path / "a.png").getpixel((x, 0)) for x in (0, 1)] == [left, (0, 0, 200)]
    assert see_through(upright(tmp_path / "a.png")) is transparent


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_every_mode_is_read(tmp_path, mode):
    file = {"CMYK": "a.tif", "YCbCr": "a.jpg"}.get(mode, "a.png")
    Image.new("RGB", (8, 8), "white").convert(mode).save(tmp_path / file)
    assert picture_of(tmp_path / file).getextrema() == ((255, 255),) * 3
    assert picture_of(tmp_path / file, "L").getextrema() == (255, 255)
    assert not see_through(upright(tmp_path / file))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_shows_the_ground(tmp_path, mode):
    hidden = Image.new("RGBA", (2, 1), (255, 0, 0, 0))  # red lies under the alpha
    hidden.putpixel((1, 0), (0, 0, 0, 255))
    hidden.convert(mode).save(tmp_path / "a.png")
    assert [picture_of(tmp_path / "a.png").getpixel((x, 0)) for x in (0, 1)] == [(255,) * 3, (0,) * 3]
    assert picture_of(tmp_path / "a.png", "L", "black").getextrema() == (0, 0)
    assert see_through(upright(tmp_path / "a.png"))


def test_a_transparent_colour_of_an_opaque_mode(tmp_path):
    Image.new("RGB", (4, 4), (1, 2, 3)).save(tmp_path / "a.png", transparency=(1, 2, 3))
    assert picture_of(tmp_path / "a.png").getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("kind", ["gif", "png", "webp", "tif"])
def test_of_an_animated_picture_the_first_frame_is_used(tmp_path, kind):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    path = tmp_path / f"a.{kind}"
    frames[0].save(
        path, save_all=True, append_images=frames[1:], **({"lossless": True} if kind == "webp" else {})
    )
    with pytest.warns(Remark, match=r"a\.\w+ has several frames or pages: only the first is used"):
        assert picture_of(path).getpixel((0, 0)) == (255, 0, 0)


def test_a_phones_second_picture_is_not_worth_a_word(tmp_path):
    right = red_above_blue()
    right.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[right])
    assert size_of(tmp_path / "a.jpg") == (96, 64)  # a remark would fail the test


def png_header(path, side):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = chunk(b"IDAT", zlib.compress(b"\0" * 100))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + rows + chunk(b"IEND", b""))


def test_too_many_pixels(tmp_path):
    png_header(tmp_path / "bomb.png", 30_000)
    with pytest.raises(
        ValueError, match=r"bomb\.png has 900,000,000 pixels: a picture can have 178,956,970 at most$"
    ):
        picture_of(tmp_path / "bomb.png")


def test_many_pixels_are_taken_without_a_foreign_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5000)
    red_above_blue().save(tmp_path / "a.png")  # 6144 pixels
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert size_of(tmp_path / "a.png") == (96, 64)
    assert not seen


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "gif", "tif", "bmp"])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.9])
def test_a_truncated_picture_is_one_sentence(tmp_path, kind, part):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / f"whole.{kind}")
    content = (tmp_path / f"whole.{kind}").read_bytes()
    (tmp_path / f"a.{kind}").write_bytes(content[: int(len(content) * part)])
    with pytest.raises(
        ValueError, match=rf"a\.{kind} (cannot be read \(.+\)|is not a picture that can be read: .+)$"
    ):
        picture_of(tmp_path / f"a.{kind}")


NO_PICTURES = {
    "nothing": b"",
    "text": b"hello",
    "page": b"<!DOCTYPE html><html></html>",
    "drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg'></svg>",
    "photo.heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 64,
    "figure.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n",
    "pickle": b"\x80\x04\x95",
}


@pytest.mark.parametrize("name", NO_PICTURES)
def test_what_is_no_picture(tmp_path, name):
    (tmp_path / name).write_bytes(NO_PICTURES[name])
    with pytest.raises(ValueError, match=f"{name} is not a picture that can be read: give PNG, JPEG"):
        picture_of(tmp_path / name)


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, why in {
        tmp_path / "none.png": "No such file or directory",
        tmp_path / ("a" * 300): "File name too long",
        tmp_path: "it is a folder",
        tmp_path / "pipe": "it is a pipe or device, no file",
        "a\0b": "embedded null byte",
    }.items():
        with pytest.raises(ValueError, match=rf"cannot be read \({why}\)$"):
            picture_of(path)
