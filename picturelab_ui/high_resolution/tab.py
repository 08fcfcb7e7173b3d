"""The tab "High resolution": direct sampling beside FouriScale, and what is done before it is done."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import gradio as gr

from fouriscale.sampling.recipe import Recipe
from fouriscale.sampling.recipe import read as read_recipe

from .. import links, watch
from ..jobs.high_resolution import SCALED, SamplingResult, sample
from ..jobs.runner import PageJob
from ..workshop import Workshop, usual_settings
from . import controls, order, results, sizes
from .order import BOTH, FIELDS, SETTINGS

KIND = "picture"


def submit(workshop: Workshop, owner: str, values: dict[str, Any]) -> PageJob:
    """Queue an order.

    Raises:
        ValueError: a value is wrong, or the queue is full.
    """
    asked = order.read(workshop, values)
    folder = workshop.folder(owner, "pictures")
    told = workshop.explain(asked.model, asked.height, asked.width, asked.steps, asked.config)

    def work(job: PageJob) -> SamplingResult:
        job.report(0, 0, f"loading {asked.model}")
        result = sample(
            workshop.pipeline(asked.model),
            asked.prompt,
            config=asked.config,
            methods=asked.methods,
            folder=folder,
            job=job,
            height=asked.height,
            width=asked.width,
            seed=asked.seed,
            steps=asked.steps,
            guidance=asked.guidance,
            negative_prompt=asked.negative,
        )
        last = result.made[-1]  # the first one also pays for what happens once
        workshop.remember(told, asked.model, last.seconds, last.method == SCALED)
        return result

    return workshop.runner.submit(work, owner=owner, kind=KIND)


def build(workshop: Workshop, owner: gr.BrowserState, named: Any) -> None:
    """The tab's controls and what they do; `named` is the event after which the browser has a name."""
    usual = order.start(workshop)
    with gr.Row():
        with gr.Column(scale=2, min_width=320):
            fields, size = controls.inputs(workshop, usual)
        with gr.Column(scale=3, min_width=320):
            shown = controls.outputs()
    inputs = [fields[name] for name in FIELDS]
    sizes.wire(fields, size)
    size["dice"].click(
        lambda: random.randrange(2**31), None, fields["seed"],
        show_progress="hidden", api_visibility="private", queue=False,
    )  # fmt: skip
    _settings(workshop, fields, shown, inputs, size)
    _running(workshop, owner, fields, shown, inputs, size)
    _restoring(workshop, owner, named, fields, shown, size)


def _named(values: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(FIELDS, values, strict=True))


def _settings(
    workshop: Workshop, fields: dict[str, Any], shown: dict[str, Any], inputs: list[Any], size: dict[str, Any]
) -> None:
    """Model and preset fill the fields below them; the plan follows everything."""
    own = [fields[name] for name in SETTINGS]
    quick: dict[str, Any] = dict(show_progress="hidden", api_visibility="private")

    def choose(model: str, preset: str) -> list[Any]:
        try:
            workshop.check_model(model)
            filled = order.to_fields(order.config_for_choice(workshop, model, preset))
        except ValueError:  # the plan says what is wrong
            return [controls.notes(preset), *[gr.skip()] * len(own)]
        return [controls.notes(preset), *[filled[name] for name in SETTINGS]]

    chosen = [fields["model"], fields["preset"]]
    gr.on([c.input for c in chosen], choose, chosen, [size["notes"], *own], **quick)
    fields["model"].input(usual_settings, fields["model"], [fields["steps"], fields["guidance"]], **quick)
    said = [fields["model"], fields["prompt"]]
    gr.on([one.change for one in said], watch.known, said, size["unknown"], queue=False, **quick)
    decisive = [fields[name] for name in ("model", "width", "height", "steps", "sampling", *SETTINGS)]
    gr.on(
        [one.change for one in (*decisive, shown["gallery"])],  # a new picture tells how fast this machine is
        lambda *values: results.plan(workshop, _named(values)),
        inputs,
        shown["plan"],
        trigger_mode="always_last",
        concurrency_limit=2,
        **quick,
    )


def _running(
    workshop: Workshop,
    owner: gr.BrowserState,
    fields: dict[str, Any],
    shown: dict[str, Any],
    inputs: list[Any],
    size: dict[str, Any],
) -> None:
    """Generate, cancel, and the look at the running job twice a second."""
    quiet: dict[str, Any] = dict(show_progress="hidden", api_visibility="private", queue=False)

    def begin(who: str, *values: Any) -> list[Any]:
        wrong = order.problems(workshop, _named(values))
        if wrong:
            return [watch.problems(wrong), *[gr.skip()] * 5]
        try:
            job = submit(workshop, who, _named(values))
        except ValueError as error:
            return [watch.alert(error), *[gr.skip()] * 5]
        query = order.link(workshop, _named(values))
        return [
            watch.status(workshop.runner, job),
            watch.link(query),
            gr.Gallery(visible=False),  # of the run before
            *watch.buttons(True),
        ]

    buttons = [shown["timer"], size["go"], size["stop"]]
    gr.on(
        [size["go"].click, fields["prompt"].submit],
        begin,
        [owner, *inputs],
        [shown["status"], shown["link"], shown["previews"], *buttons],
        show_progress="hidden",
        api_visibility="private",
        concurrency_limit=4,
    ).then(None, None, None, js=links.after_click("hires"))
    size["stop"].click(lambda who: watch.cancel(workshop.runner, who, KIND), owner, None, **quiet)
    shown["timer"].tick(
        lambda who, seen, count: look(workshop, who, seen, count),
        [owner, shown["seen"], shown["shown"]],
        [shown[name] for name in _LOOKED_AT] + buttons,
        **quiet,
    )


_LOOKED_AT = (
    "seen", "shown", "status", "previews", "slider", "image", "save_scaled", "save_direct", "spectrum",
    "gallery", "files",
)  # fmt: skip


def look(workshop: Workshop, owner: str, seen: Any, count: int, *, anew: bool = False) -> list[Any]:
    """News of the browser's job for `_LOOKED_AT`, the timer and the buttons; nothing where there is none.

    Args:
        seen: the stamp of what the page shows.
        count: previews that it shows.
        anew: the page was just opened and shows nothing yet.
    """
    job = workshop.runner.newest(owner, KIND)
    stamp = watch.stamp(job)
    running = job is not None and not job.finished
    if tuple(seen) == stamp and not anew and not (job and job.state == "waiting"):
        return [gr.skip()] * (len(_LOOKED_AT) + 3)
    news: dict[str, Any] = {name: gr.skip() for name in _LOOKED_AT}
    news |= {"seen": stamp, "status": watch.status(workshop.runner, job)}
    if job and len(job.previews) != count:
        strip = job.previews[-10:]
        news |= {"shown": len(job.previews), "previews": gr.Gallery(strip, visible=bool(strip))}
    if job and job.state == "done" and isinstance(job.result, SamplingResult):
        news |= results.results(job.result)
    if anew or not running:
        files = [str(path) for path in workshop.pictures(owner)]
        news |= {"files": files, "gallery": [(path, results.caption(Path(path))) for path in files]}
    return [*news.values(), *watch.buttons(running)]


def _restoring(
    workshop: Workshop,
    owner: gr.BrowserState,
    named: Any,
    fields: dict[str, Any],
    shown: dict[str, Any],
    size: dict[str, Any],
) -> None:
    """From the gallery, from a picture's recipe, from a link, and after a reload."""
    everything = [fields[name] for name in FIELDS]
    views = [shown[name] for name in ("slider", "image", "save_scaled", "save_direct", "status")]
    quick: dict[str, Any] = dict(show_progress="hidden", api_visibility="private", queue=False)

    def filled(path: Path, both: bool) -> list[Any]:
        values = order.of_recipe(workshop, Recipe.parse(read_recipe(path)), BOTH if both else None)
        return [values[name] for name in FIELDS]

    def from_gallery(files: list[str], picked: gr.SelectData) -> list[Any]:
        try:
            scaled, direct = results.pair(Path(files[picked.index]))
            values = filled(scaled or direct or Path(files[picked.index]), bool(scaled and direct))
        except (ValueError, IndexError) as error:
            return [gr.skip()] * (len(FIELDS) + 4) + [watch.alert(error)]
        return [
            *values,
            *results.pictures(scaled, direct).values(),
            watch.said("Settings and picture restored."),
        ]

    def from_file(path: str | None) -> list[Any]:
        if path is None:
            return [gr.skip()] * len(FIELDS) + [""]
        try:
            return [*filled(Path(path), True), watch.said("Settings taken from the picture's recipe.")]
        except ValueError as error:
            sentence = str(error).replace(path, Path(path).name)
            return [gr.skip()] * len(FIELDS) + [watch.alert(ValueError(sentence))]

    def last_seed(files: list[str]) -> Any:
        try:
            return read_recipe(files[0])["seed"]
        except (ValueError, IndexError, KeyError):
            return gr.skip()

    shown["gallery"].select(from_gallery, shown["files"], [*everything, *views], **quick)
    shown["recipe"].change(from_file, shown["recipe"], [*everything, shown["said"]], **quick)
    size["reuse"].click(last_seed, shown["files"], fields["seed"], **quick)

    def reopened(who: str, request: gr.Request) -> list[Any]:
        values = order.of_link(workshop, dict(request.query_params))
        news = look(workshop, who, ("", 0), 0, anew=True)
        return [*[values[name] for name in FIELDS], results.plan(workshop, values), *news]

    named.then(
        reopened,
        owner,
        [
            *everything,
            shown["plan"],
            *[shown[name] for name in _LOOKED_AT],
            shown["timer"],
            size["go"],
            size["stop"],
        ],
        show_progress="hidden",
        api_visibility="private",
    )
