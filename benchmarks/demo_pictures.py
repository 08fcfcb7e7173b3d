"""The demo's sheet for README, and its last pair under a moving slider.

`python -m benchmarks.demo_pictures` samples what `make demo` samples and writes `docs/demo.png` and
`docs/slider.webp`, an animation. To be made again when the shipped UNet or the fast mode has changed; look at them.
"""

from __future__ import annotations

import math
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from fouriscale.reports.demo import METHODS, SIZES, JudgedPicture, lay_out, sample, shown
from fouriscale.sampling.recipe import save

DOCS = Path(__file__).parents[1] / "docs"
LARGEST = 400_000  # bytes of the animation
_FRAMES, _MILLISECONDS, _REST = 24, 70, 900  # there and back, of a frame, and at either end
_LETTERS, _MARGIN = 20, 10  # pixels


def slider(pair: tuple[JudgedPicture, ...], frames: int = _FRAMES) -> list[Image.Image]:
    """The second picture uncovered from the left, and covered again; both labelled."""
    direct, other = (_labelled(picture, right) for picture, right in zip(pair, (True, False), strict=True))
    return [_divided(other, direct, place) for place in _places(frames)]


def _places(frames: int) -> list[float]:
    """Where the divider stands, from 0 to 1 and back, slow at both ends."""
    return [(1 - math.cos(2 * math.pi * frame / frames)) / 2 for frame in range(frames)]


def _divided(left: Image.Image, right: Image.Image, place: float) -> Image.Image:
    """The left picture up to the divider, the right one behind it."""
    x = round(place * left.width)
    frame = right.copy()
    frame.paste(left.crop((0, 0, x, left.height)), (0, 0))
    ImageDraw.Draw(frame).line((x, 0, x, left.height), fill="white", width=3)
    return frame


def _labelled(picture: JudgedPicture, right: bool) -> Image.Image:
    image = picture.image.convert("RGB")
    place = (image.width - _MARGIN if right else _MARGIN, _MARGIN)
    font, anchor = ImageFont.load_default(_LETTERS), "ra" if right else "la"
    ImageDraw.Draw(image).text(
        place, picture.method, "white", font, anchor=anchor, stroke_width=2, stroke_fill="black"
    )
    return image


def write_slider(pair: tuple[JudgedPicture, ...], path: Path) -> None:
    """An animation that repeats for ever.

    Raises:
        ValueError: it is larger than `LARGEST`.
    """
    frames = slider(pair)
    times = [_REST if place in (0, len(frames) // 2) else _MILLISECONDS for place in range(len(frames))]
    frames[0].save(
        path, save_all=True, append_images=frames[1:], duration=times, loop=0, quality=80, method=6
    )
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path} has {path.stat().st_size} bytes; {LARGEST} at most")


def main() -> None:
    pairs = sample(SIZES, METHODS)
    save(lay_out(pairs), DOCS / "demo.png", shown(pairs))
    write_slider(pairs[-1], DOCS / "slider.webp")
    print("wrote docs/demo.png and docs/slider.webp")


if __name__ == "__main__":
    main()
