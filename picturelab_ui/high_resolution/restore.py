"""Values that come back: from the gallery, from a picture's recipe, from the last picture, from a link."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from fouriscale.sampling.recipe import read as read_recipe

from .. import messages
from ..events import AT_ONCE, QUIET, News, answer
from ..forms import Form
from ..jobs.files import pair
from ..workshop import Workshop
from . import order
from .controls import HighResolutionTools
from .from_picture import of_file
from .plan import plan
from .views import HighResolutionViews, show_pictures

# JavaScript: a picture that was chosen below comes into sight.
_INTO_SIGHT = (
    "() => document.querySelector('#hires-frame')?.scrollIntoView({block: 'nearest', behavior: 'smooth'})"
)


def wire(workshop: Workshop, form: Form, tools: HighResolutionTools, views: HighResolutionViews) -> None:
    """A click in the gallery, a picture dropped in, and the button Reuse."""

    def from_gallery(files: list[str], choice: gr.SelectData) -> News:
        try:
            file = Path(files[choice.index])
            scaled, direct = pair(file)
            values, _ = of_file(workshop, scaled or direct or file, bool(scaled and direct))
        except (ValueError, IndexError) as error:
            return {views.own_remark: messages.alert(error)}
        remark = messages.remark("Settings and picture restored.")
        return _filled(form, values) | show_pictures(views, scaled, direct) | {views.own_remark: remark}

    def from_file(file: str | None) -> News:
        if file is None:
            return {views.recipe_remark: ""}
        try:
            values, said = of_file(workshop, Path(file), both=True)
        except Exception as error:
            return {views.recipe_remark: messages.alert(error)}
        return _filled(form, values) | {views.recipe_remark: messages.remark(said)}

    def last_seed(files: list[str]) -> Any:
        try:
            return answer({form["seed"]: read_recipe(Path(files[0]))["seed"]})
        except (ValueError, IndexError, KeyError):
            return answer({})

    fields = [*form.values()]
    restored = [*fields, *views.pictures, views.own_remark]
    chosen = views.gallery.select(from_gallery, views.files, restored, **AT_ONCE)
    chosen.then(None, None, None, js=_INTO_SIGHT)
    views.recipe.change(from_file, views.recipe, [*fields, views.recipe_remark], **AT_ONCE)
    tools.reuse.click(last_seed, views.files, form["seed"], **AT_ONCE)


def _filled(form: Form, values: dict[str, Any]) -> News:
    """A picture's values in their fields; a recipe is of one picture, and how many come next is left as it is."""
    return form.fill({name: value for name, value in values.items() if name != "count"})


def on_opening(workshop: Workshop, form: Form, views: HighResolutionViews, opened: Any) -> None:
    """The page's address fills the fields; `opened` is the event after which the page shows its job."""

    def from_link(request: gr.Request) -> News:
        values, first = order.of_link(workshop, dict(request.query_params)), form.first_values()
        # What the link does not change stays alone: somebody may have typed there while the page opened.
        told = {name: value for name, value in values.items() if value != first[name]}
        return form.fill(told) | {views.plan: plan(workshop, values)}

    opened.then(from_link, None, [*form.values(), views.plan], **QUIET)
