"""A validation as a page: one file, direct sampling beside FouriScale, in one mode or several."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from picturelab.failures import told_as
from picturelab.files import write_whole
from picturelab.reports.pages import environment, thumbnail
from picturelab.runs.folder import RunFolder

from .flat_areas import flattest_area
from .validate_figures import labels, run_folder, sentence

_SIDE = 384  # pixels of a thumbnail
_ENLARGED = 4  # times, the flattest part of a picture
_CROP = 256  # pixels of the picture's middle at most, and half of it at most


def write_page(results: Mapping[str, Any], folder: Path) -> Path:
    """Write `report.html` beside a validation's pictures.

    Args:
        results: the content of report.json.
        folder: the validation's folder.

    Raises:
        ValueError: a picture cannot be read, or the page cannot be written.
    """
    run, path = run_folder(folder), folder / "report.html"

    def views(row: Mapping[str, Any], i: int) -> dict[str, dict[str, Any]]:
        by_method = {}
        for note in results["images"]:
            if (note["height"], note["width"], note["prompt"]) == (row["height"], row["width"], i):
                image = _picture(run, Path(note["file"]).name) if note["file"] else None
                by_method[note["method"]] = note | _views(image, "speckle" in note)
        return by_method

    page = environment("fouriscale.reports").get_template("validate.html.j2")
    content = page.render(r=results, names=labels(results["settings"]), views=views, sentence=sentence)
    with told_as(f"{path} cannot be written", OSError):
        write_whole(path, content, sync=True)
    return path


def _picture(run: RunFolder, name: str) -> Image.Image:
    with told_as(f"{run.folder / 'images' / name} cannot be read; the same command makes it again"):
        return run.picture(name)


def _views(image: Image.Image | None, with_flattest: bool) -> dict[str, str]:
    if image is None:
        return {}
    side = min(_CROP, image.width // 2, image.height // 2)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    middle = image.crop((left, top, left + side, top + side))
    views = {"whole": thumbnail(image, _SIDE), "middle": thumbnail(middle, side)}
    if with_flattest:
        area = flattest_area(image)
        part = image.crop((area.left, area.top, area.left + area.side, area.top + area.side))
        enlarged = part.resize((_ENLARGED * area.side,) * 2, Image.Resampling.NEAREST)
        views["flattest"] = thumbnail(enlarged, enlarged.width)
    return views
