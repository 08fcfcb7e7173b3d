"""One picture that explains an audit's verdict: a row a question, a column a prompt."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from picturelab.failures import told_as
from picturelab.runs.folder import RunFolder

from ..audit.arms import FULL
from ..audit.folder import picture_name
from .grids import small_picture

Judge = Callable[[Image.Image, int], Mapping[str, float]]

ROWS = {  # folder of pictures: what the text is, and what it asks
    FULL: ("prompt and padding", "as everybody draws it"),
    "ite prompt": ("prompt, empty padding", "is the padding needed?"),
    "ite padding": ("padding alone, in the encoding", "has the encoder written into it?"),
    "idp padding": ("padding alone, in diffusion", "does the denoiser write into it?"),
    "ite other padding": ("prompt, another prompt's padding", "does it say something of its own?"),
}
MARKS = {
    "background correct": "background",
    "objects correct": "objects",
}  # a judge's figures, as they are marked

_SHOWN, _NARROW = 5, 3  # prompts; on a narrow screen
_SIDE, _GAP, _STRIP = 112, 8, 34  # pixels: of a picture, between two, under each for its marks
_LEFT, _RIGHT, _TOP = 232, 176, 84  # of the margins
_YES, _NO, _SOFT = "#1b7f3b", "#b3261e", "#5f6b76"


def glance(results: Mapping[str, Any], pictures: RunFolder, judge: Judge | None) -> Image.Image:
    """The arms that the verdict rests on, one row each, with what is right in every picture and in all of them.

    Args:
        results: the content of report.json.
        judge: figures of a picture by its prompt's position; without one likeness to the full picture stands beside.

    Raises:
        ValueError: a picture cannot be read.
    """
    rows = {arm: words for arm, words in ROWS.items() if _figures(results, arm) is not None}
    settings = results["settings"]
    prompts = settings["prompts_used"][:_SHOWN]
    marked = judge is not None and set(MARKS) <= set(_figures(results, FULL) or ())
    height = _SIDE + (_STRIP if marked else 0) + _GAP
    sheet = Image.new(
        "RGB", (_LEFT + len(prompts) * (_SIDE + _GAP) + _RIGHT, _TOP + len(rows) * height + _GAP), "white"
    )
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP, _GAP), f"{results['model']}: {results['verdict']}", fill="black", font=_font(15))
    for column, i in enumerate(prompts):
        lines = textwrap.wrap(settings["prompts"][i], 19)[:3]
        left = _LEFT + column * (_SIDE + _GAP)
        draw.multiline_text((left, _TOP - 6), "\n".join(lines), fill="black", font=_font(10), anchor="ld")
    absent = {(entry["prompt"], arm) for entry in results["left_out"] for arm in entry["arms"]}
    for row, (arm, words) in enumerate(rows.items()):
        top = _TOP + row * height
        _label(draw, top, *words)
        for column, i in enumerate(prompts):
            place = (_LEFT + column * (_SIDE + _GAP), top)
            if (i, arm) in absent:
                draw.text(place, "left out", fill=_SOFT, font=_font(11))
                continue
            image = _picture(pictures, picture_name(arm, i, 0))
            sheet.paste(image.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS), place)
            if marked and judge is not None:
                _marks(draw, place, judge(image, i))
        _shares(draw, _LEFT + len(prompts) * (_SIDE + _GAP) + _GAP, top, _figures(results, arm) or {}, marked)
    return sheet


def _figures(results: Mapping[str, Any], arm: str) -> Mapping[str, Any] | None:
    group, _, name = arm.partition(" ") if arm != FULL else ("ite", "", FULL)
    figures: Mapping[str, Any] | None = (results["arms"][group] or {}).get(name)
    return figures


def _label(draw: ImageDraw.ImageDraw, top: int, what: str, question: str) -> None:
    draw.text((_GAP, top + _SIDE // 2 - 10), what, fill="black", font=_font(13), anchor="lm")
    draw.text((_GAP, top + _SIDE // 2 + 10), question, fill=_SOFT, font=_font(11), anchor="lm")


def _marks(draw: ImageDraw.ImageDraw, place: tuple[int, int], judged: Mapping[str, float]) -> None:
    """A word each under a picture, with a filled or an empty box: colour alone would not do for everybody."""
    left, top = place[0], place[1] + _SIDE + 3
    for line, (figure, word) in enumerate(MARKS.items()):
        right = bool(judged[figure])
        colour, y = _YES if right else _NO, top + 14 * line
        draw.rectangle((left, y + 2, left + 8, y + 10), outline=colour, fill=colour if right else None)
        draw.text((left + 13, y), f"{word} {'right' if right else 'wrong'}", fill=colour, font=_font(10))


def _shares(draw: ImageDraw.ImageDraw, left: int, top: int, figures: Mapping[str, Any], marked: bool) -> None:
    """What all of a row's pictures have."""
    lines = [f"{what}\n  {interval}" for what, interval in _parts(figures, marked)]
    text = "\n".join([*lines, f"({figures['images']} pictures)"])
    draw.multiline_text((left, top + _SIDE // 2), text, fill="black", font=_font(11), anchor="lm", spacing=3)


def _parts(figures: Mapping[str, Any], marked: bool) -> list[tuple[str, str]]:
    """What an arm's pictures have, and its interval."""
    if not marked:
        f = figures["to_full"]
        return [(f"likeness {f['mean']:.2f}", f"{f['low']:.2f} to {f['high']:.2f}")]
    return [
        (f"{word} right in {f['mean']:.0%}", f"{f['low']:.0%} to {f['high']:.0%}")
        for name, word in MARKS.items()
        for f in [figures[name]]
    ]


def cases(results: Mapping[str, Any], pictures: RunFolder) -> list[dict[str, Any]]:
    """The same for a narrow screen: each arm's text and question, three pictures, and what all of its pictures have.

    Raises:
        ValueError: a picture cannot be read.
    """
    marked = set(MARKS) <= set(_figures(results, FULL) or ())
    prompts = results["settings"]["prompts_used"][:_NARROW]
    return [
        {
            "text": text,
            "question": question,
            "pictures": [(i, small_picture(results, pictures, arm, i, 0)) for i in prompts],
            "shares": [f"{what} ({interval})" for what, interval in _parts(figures, marked)],
        }
        for arm, (text, question) in ROWS.items()
        for figures in [_figures(results, arm)]
        if figures is not None
    ]


def _picture(pictures: RunFolder, name: str) -> Image.Image:
    with told_as(f"{pictures.folder / 'images' / name} cannot be read; the same command makes it again"):
        return pictures.picture(name)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
