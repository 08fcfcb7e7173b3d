"""Values that come back: from the gallery, from a picture's recipe, from the last picture, from a link."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from fouriscale.sampling.recipe import CHUNK, Recipe
from fouriscale.sampling.recipe import read as read_recipe
from picturelab.foreign.pictures import foreign_settings
from picturelab.foreign.settings import ForeignSettings
from picturelab.recipes import open_texts

from .. import messages
from ..events import AT_ONCE, QUIET, News, answer
from ..forms import Form
from ..jobs.files import pair
from ..workshop import Workshop
from . import order
from .controls import HighResolutionTools
from .plan import plan
from .views import HighResolutionViews, show_pictures


def wire(
    workshop: Workshop, form: Form, tools: HighResolutionTools, views: HighResolutionViews, status: gr.HTML
) -> None:
    """A click in the gallery, a picture dropped in, and the button Reuse."""

    def from_gallery(files: list[str], choice: gr.SelectData) -> News:
        try:
            file = Path(files[choice.index])
            scaled, direct = pair(file)
            values = _of_picture(workshop, scaled or direct or file, bool(scaled and direct))
        except (ValueError, IndexError) as error:
            return {status: messages.alert(error)}
        remark = messages.remark("Settings and picture restored.")
        return form.fill(values) | show_pictures(views, scaled, direct) | {status: remark}

    def from_file(file: str | None) -> News:
        if file is None:
            return {views.recipe_remark: ""}
        try:
            foreign = read_foreign(Path(file))
            values = order.of_foreign(foreign) if foreign else _of_picture(workshop, Path(file), True)
        except Exception as error:
            return {views.recipe_remark: messages.alert(error)}
        said = "Settings taken from the picture's recipe."
        if foreign:
            said = f"What {foreign.program} says was taken. Mind: {'; '.join(foreign.remarks[:4])}."
        return form.fill(values) | {views.recipe_remark: messages.remark(said)}

    def last_seed(files: list[str]) -> Any:
        try:
            return answer({form["seed"]: read_recipe(Path(files[0]))["seed"]})
        except (ValueError, IndexError, KeyError):
            return answer({})

    fields = [*form.values()]
    views.gallery.select(from_gallery, views.files, [*fields, *views.pictures, status], **AT_ONCE)
    views.recipe.change(from_file, views.recipe, [*fields, views.recipe_remark], **AT_ONCE)
    tools.reuse.click(last_seed, views.files, form["seed"], **AT_ONCE)


def on_opening(workshop: Workshop, form: Form, views: HighResolutionViews, opened: Any) -> None:
    """The page's address fills the fields; `opened` is the event after which the page shows its job."""

    def from_link(request: gr.Request) -> News:
        values = order.of_link(workshop, dict(request.query_params))
        return form.fill(values) | {views.plan: plan(workshop, values)}

    opened.then(from_link, None, [*form.values(), views.plan], **QUIET)


def read_foreign(file: Path) -> ForeignSettings | None:
    """What a picture of A1111 or ComfyUI says; None: it is none, or has a recipe of ours."""
    carried = open_texts(file, "this page")
    return None if CHUNK in carried.texts else foreign_settings(file.name, carried)


def _of_picture(workshop: Workshop, file: Path, both: bool) -> dict[str, Any]:
    """The values of a picture's recipe; `both`: to be sampled both ways."""
    return order.of_recipe(workshop, Recipe.parse(read_recipe(file)), order.BOTH if both else None)
