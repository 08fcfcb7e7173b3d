"""Picture files as people see them: turned upright, the first frame, in 8 bits, transparent parts on a ground.

Everything that strangers hand in is opened here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

from .failures import printable, reason, told_as
from .remarks import remark, without_foreign_warnings

_ANOTHER_PROGRAM = {"EPS", "WMF"}  # Pillow has other programs draw these
_LYING = (5, 6, 7, 8)  # values of EXIF's orientation that swap height and width
_STRIP = 256  # rows that are scaled at a time
_PAGES_ARE_NO_FRAMES = {"MPO", "PSD"}  # a phone's second lens, layers


def picture_of(path: str | Path, mode: str = "RGB", ground: str = "white") -> Image.Image:
    """A picture, fully read and upright; warns of an animated one, of which the first frame is taken.

    Args:
        mode: "RGB" or "L".
        ground: the colour that shows where the picture is transparent.

    Raises:
        ValueError: it cannot be read, is no picture, or has too many pixels.
    """
    return flat(upright(path), mode, ground)


def size_of(path: str | Path) -> tuple[int, int]:
    """(height, width) of a picture in pixels, as people see it, from its header. Raises what `picture_of` does.

    Pixels that are missing or damaged are not noticed.
    """
    with _reading(path) as image:
        width, height = image.size
        # Pillow has turned the size of a TIFF as soon as it is open.
        lies = image.format != "TIFF" and _orientation(image) in _LYING
    return (width, height) if lies else (height, width)


def upright(path: str | Path) -> Image.Image:
    """A picture in mode L, LA, RGB or RGBA. Warns and raises as `picture_of` does."""
    picture, sentences = look_at(path)
    for sentence in sentences:
        remark(sentence)
    return picture


def look_at(path: str | Path) -> tuple[Image.Image, list[str]]:
    """The picture of `upright`, and what there is to warn of."""
    with _reading(path) as image:
        several = getattr(image, "is_animated", False) and image.format not in _PAGES_ARE_NO_FRAMES
        image.load()
        picture = _turned(_in_8_bits(image), _orientation(image))
    name = printable(str(path))
    return picture, [f"{name} has several frames or pages: only the first is used"] if several else []


@contextmanager
def _reading(path: str | Path) -> Iterator[Image.Image]:
    """A picture of which nothing but the header is read yet.

    Raises:
        ValueError: it, or what is read in the block, is no picture or damaged.
    """
    name = printable(str(path))
    _check_is_file(Path(path), name)
    Image.init()
    kinds = [kind for kind in Image.ID if kind not in _ANOTHER_PROGRAM]
    try:
        with without_foreign_warnings(), Image.open(path, formats=kinds) as image:
            yield image
    except Image.UnidentifiedImageError:
        raise ValueError(
            f"{name} is not a picture that can be read: give PNG, JPEG, WebP, TIFF, BMP or GIF"
        ) from None
    except Image.DecompressionBombError as error:
        raise ValueError(_too_large(name, error)) from None
    except Exception as error:
        raise ValueError(f"{name} cannot be read ({reason(error)})") from error


def flat(image: Image.Image, mode: str = "RGB", ground: str = "white") -> Image.Image:
    """A picture from `upright` without its alpha, on a ground of one colour."""
    if not image.has_transparency_data:
        return image.convert(mode)
    coloured = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, ground), coloured).convert(mode)


def see_through(image: Image.Image) -> bool:
    """Whether a picture from `upright` is transparent anywhere."""
    return image.has_transparency_data and image.getchannel("A").histogram()[255] < image.width * image.height


def _check_is_file(path: Path, name: str) -> None:
    with told_as(f"{name} cannot be read", OSError, ValueError):
        path.stat()
    if path.is_dir():
        raise ValueError(f"{name} cannot be read (it is a folder)")
    if not path.is_file():  # a pipe would keep us waiting, a device may never end
        raise ValueError(f"{name} cannot be read (it is a pipe or device, no file)")


def _too_large(name: str, error: Image.DecompressionBombError) -> str:
    pixels = re.search(r"\d+", str(error))  # nothing else says how many
    size = f"{int(pixels[0]):,}" if pixels else "too many"
    return f"{name} has {size} pixels: a picture can have {2 * (Image.MAX_IMAGE_PIXELS or 0):,} at most"


def _orientation(image: Image.Image) -> int:
    """The EXIF tag; 1, which is upright, where there is none that can be read."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:
        return 1


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    if orientation not in range(2, 9):
        return image
    bare = image.copy()
    bare.info = {}  # other tags may be broken, and would be written anew
    bare.getexif()[ExifTags.Base.Orientation] = orientation
    return ImageOps.exif_transpose(bare)


def _in_8_bits(image: Image.Image) -> Image.Image:
    """In mode L, LA, RGB or RGBA."""
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_grey_in_8_bits(image))
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _grey_in_8_bits(image: Image.Image) -> np.ndarray:
    """Grey of more than 8 bits, scaled, (height, width) of uint8.

    Files of 16 bits have 65535 as white. Whole numbers of 32 bits and floating-point numbers have no such rule:
    white is 1 for fractions, and else the least of 255, 65535 and 2^32 - 1 that holds them all.
    """
    values = np.asarray(image)
    rows = range(0, len(values), _STRIP)
    most = max(float(_numbers(values[row : row + _STRIP]).max(initial=0)) for row in rows)
    if image.mode.startswith("I;16") or image.format in ("PNG", "PPM"):
        white = 65535.0
    elif image.mode == "F" and most < 2:  # resampling overshoots a little
        white = 1.0
    else:
        white = next((white for white in (255.0, 65535.0) if most <= white), 2.0**32 - 1)
    grey = np.empty(values.shape, np.uint8)
    for row in rows:  # a picture may have millions of pixels, and these are several copies
        scaled = _numbers(values[row : row + _STRIP]) * (255 / white)
        grey[row : row + _STRIP] = np.rint(np.clip(scaled, 0, 255))
    return grey


def _numbers(values: np.ndarray) -> np.ndarray:
    """As float32; what is no number is 0."""
    return np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
