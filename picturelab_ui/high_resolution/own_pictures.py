"""What a visitor does with finished pictures: all of them in one file, one of them gone, one seen as it wraps."""

from __future__ import annotations

import contextlib
import secrets
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from .. import messages
from ..events import AT_ONCE, News
from ..jobs.files import pair
from ..visitors import visitor_of
from ..workshop import Workshop
from .views import HighResolutionViews, show_example, show_gallery, show_pictures, wrap_axes
from .wrapped import AS_IT_IS, seen_as


def packed(workshop: Workshop, name: str) -> Path:
    """All pictures of a browser in one ZIP file, which carry their recipes.

    Raises:
        ValueError: there are none.
    """
    pictures = workshop.folders.pictures(name)
    if not pictures:
        raise ValueError("there are no pictures yet: generate one first")
    folder = workshop.folders.of(name, "packed")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "pictures.zip"
    part = folder / f"{secrets.token_hex(8)}.part"
    with workshop.disk.writing(folder):
        try:
            with zipfile.ZipFile(part, "w") as archive:
                for picture in pictures:
                    with contextlib.suppress(FileNotFoundError):  # it was old, and has just gone
                        archive.write(picture, picture.name)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    return path


# JavaScript: the download begins once the browser knows its address.
_DOWNLOAD = """() => setTimeout(() => document.querySelector('#hires-archive')?.click(), 300)"""


def wire(workshop: Workshop, owner: gr.BrowserState, views: HighResolutionViews) -> None:
    """The buttons below the frame."""

    def pack(name: str, request: gr.Request | None = None) -> News:
        try:
            path = packed(workshop, visitor_of(request, name).name)
        except (ValueError, OSError) as error:
            return {views.own_remark: messages.alert(error), views.archive: gr.DownloadButton(visible=False)}
        archive = gr.DownloadButton(value=str(path), visible=True)
        return {views.own_remark: "", views.archive: archive}

    def delete(name: str, shown: Sequence[str], request: gr.Request | None = None) -> News:
        visitor = visitor_of(request, name).name
        own = {str(path) for path in workshop.folders.pictures(visitor)}
        gone = [Path(path) for path in shown if path in own]
        if not gone:
            return {views.own_remark: messages.remark("No picture of yours is shown: choose one below.")}
        for path in gone:
            path.unlink(missing_ok=True)
        left = workshop.folders.pictures(visitor)
        news = show_pictures(views, *pair(left[0])) if left else show_example(views)
        said = messages.remark("Deleted." if len(gone) == 1 else f"{len(gone)} pictures deleted.")
        return news | show_gallery(views, left) | {views.own_remark: said}

    def look(view: str, shown: Sequence[str]) -> Any:
        paths = [Path(path) for path in shown if Path(path).is_file()]
        if not paths:
            return gr.skip()
        if view == AS_IT_IS:
            news = show_pictures(views, *pair(paths[0]))
            return {part: news[part] for part in (views.slider, views.image)}
        with Image.open(paths[0]) as picture:
            seen = seen_as(picture.convert("RGB"), wrap_axes(paths[0]), view)
        return {
            views.slider: gr.ImageSlider(visible=False),
            views.image: gr.Image(seen, visible=True, label=f"The picture, {view}"),
        }

    packing = views.pack.click(pack, owner, [views.archive, views.own_remark], **AT_ONCE)
    packing.then(None, None, None, js=_DOWNLOAD)
    changed = [*views.pictures, views.gallery, views.files, views.pack, views.own_remark]
    views.delete.click(delete, [owner, views.shown], changed, **AT_ONCE)
    views.wrapped.input(look, [views.wrapped, views.shown], [views.slider, views.image], **AT_ONCE)
