"""A validation as a page: one file, direct sampling beside FouriScale."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from picturelab.files import write_whole
from picturelab.reports.pages import environment, thumbnail

from .validate_figures import METHODS, run_folder, sentence

_SIDE = 384  # pixels of a thumbnail
_CROP = 256  # pixels of the picture's middle at most, and half of it at most


def write_page(results: Mapping[str, Any], folder: Path) -> Path:
    """Write `report.html` beside a validation's pictures.

    Args:
        results: the content of report.json.
        folder: the validation's folder.
    """
    run, path = run_folder(folder), folder / "report.html"

    def views(row: Mapping[str, Any], i: int) -> dict[str, dict[str, Any]]:
        by_method = {}
        for note in results["images"]:
            if (note["height"], note["width"], note["prompt"]) == (row["height"], row["width"], i):
                image = run.picture(Path(note["file"]).name) if note["file"] else None
                by_method[note["method"]] = note | _views(image)
        return by_method

    page = environment("fouriscale.reports").get_template("validate.html.j2")
    write_whole(path, page.render(r=results, methods=METHODS, views=views, sentence=sentence))
    return path


def _views(image: Image.Image | None) -> dict[str, str]:
    if image is None:
        return {}
    side = min(_CROP, image.width // 2, image.height // 2)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    middle = image.crop((left, top, left + side, top + side))
    return {"whole": thumbnail(image, _SIDE), "middle": thumbnail(middle, side)}
