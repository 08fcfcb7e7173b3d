"""The tab "Shapeworld": scenes with known truth, what the checker saw in each picture, and the score so far."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr
from PIL import Image

from fouriscale import FouriScaleConfig
from fouriscale.sampling.generate import check_request
from shapeworld import SAMPLING, Report, Scene, check, sample_scenes

from .. import links, watch
from ..jobs.high_resolution import DIRECT, SCALED, sample
from ..jobs.runner import PageJob
from ..workshop import Workshop, check_whole
from .outlines import enlarged, outlined
from .tally import Score, add, load, tally

KIND, TAB = "scene", "world"
MODEL = "shapeworld/unet"
OBJECTS = {"one object": 1, "two objects": 2, "either": None}
SIZES = {"128 x 128": (128, 128), "256 x 256": (256, 256), "384 x 256": (256, 384), "512 x 512": (512, 512)}
FIELDS = ("number", "objects", "size", "seed", "steps")


@dataclass(frozen=True)
class Judged:
    """One job's scene and size (height, width), and {method: (picture with outlines, report)}."""

    scene: Scene
    size: tuple[int, int]
    seen: dict[str, tuple[Image.Image, Report]]


def scene_of(number: float, objects: str) -> Scene:
    """One of the world's scenes, by number."""
    return sample_scenes(1, seed=int(number), objects=OBJECTS[objects])[0]


def problems(workshop: Workshop, values: dict[str, Any]) -> dict[str, str]:
    """{field: what is wrong with it, a sentence}; empty if all is well."""
    found: dict[str, str] = {}
    for name, word, least, most in (
        ("number", "scene", 0, 10**9),
        ("seed", "seed", 0, 2**63 - 2),
        ("steps", "steps", 1, workshop.host.max_steps),
    ):
        try:
            check_whole(word, values[name], least, most)
        except ValueError as error:
            found[name] = str(error)
    for name, known in (("objects", OBJECTS), ("size", SIZES)):
        if values[name] not in known:
            found[name] = f"{name} is {values[name]!r}; it can be {', '.join(known)}"
    return found


def submit(workshop: Workshop, owner: str, values: dict[str, Any]) -> PageJob:
    """Queue a scene: sampled directly and with FouriScale, judged, and counted.

    Raises:
        ValueError: a value is wrong, or the queue is full.
    """
    wrong = problems(workshop, values)
    if wrong:
        raise ValueError("; ".join(wrong.values()))
    height, width = SIZES[values["size"]]
    scene = scene_of(values["number"], values["objects"])
    check_request(height, width, [int(values["seed"])], int(values["steps"]), 1.0)
    folder = workshop.folder(owner, "scenes")

    def work(job: PageJob) -> Judged:
        job.report(0, 0, f"loading {MODEL}")
        made = sample(
            workshop.pipeline(MODEL),
            scene.caption,
            config=FouriScaleConfig.preset("shapeworld"),
            methods=(SCALED, DIRECT),
            folder=folder,
            job=job,
            height=height,
            width=width,
            seed=int(values["seed"]),
            steps=int(values["steps"]),
            guidance=SAMPLING["unet"].guidance,
        )
        seen = {}
        for one in made.made:
            with Image.open(one.path) as image:
                report = check(image, scene)
                seen[one.method] = outlined(image, report), report
            add(folder / "scores.jsonl", Score(one.method, (height, width), report.repeated, report.correct))
        return Judged(scene, (height, width), seen)

    return workshop.runner.submit(work, owner=owner, kind=KIND)


def build(workshop: Workshop, owner: gr.BrowserState, named: Any) -> None:
    """The tab's controls and what they do; `named` is the event after which the browser has a name."""
    with gr.Row():
        with gr.Column(scale=2, min_width=320):
            fields, tools = _inputs()
        with gr.Column(scale=3, min_width=320):
            shown = _outputs()
    _wire(workshop, owner, named, fields, tools, shown)


def _inputs() -> tuple[dict[str, Any], dict[str, Any]]:
    made: dict[str, Any] = {}
    tools: dict[str, Any] = {}
    gr.Markdown(
        "A small world of coloured shapes. Every prompt has a true picture, so a checker can say whether a model drew "
        "what was asked, and whether it drew it more than once, as direct sampling often does beyond 128 x 128 px."
    )
    tools["prompt"] = gr.Textbox(
        scene_of(1, "one object").caption,
        label="Prompt",
        info="the scene's, by its number",
        interactive=False,
        lines=2,
    )
    with gr.Row(elem_classes="seed"):
        made["number"] = gr.Number(1, label="Scene", precision=0, min_width=110, scale=2)
        tools["dice"] = gr.Button("Dice", size="sm", min_width=70, scale=1)
    made["objects"] = gr.Radio(list(OBJECTS), value="one object", label="Objects", elem_classes="chips")
    made["size"] = gr.Radio(
        list(SIZES), value="256 x 256", label="Width x height, pixels", elem_classes="chips"
    )
    with gr.Row():
        made["seed"] = gr.Number(1, label="Seed", precision=0, min_width=110)
        made["steps"] = gr.Number(SAMPLING["unet"].steps, label="Steps", precision=0, min_width=110)
    with gr.Row():
        tools["go"] = gr.Button("Generate", variant="primary", min_width=120)
        tools["stop"] = gr.Button("Cancel", variant="stop", interactive=False, min_width=120)
    for name, field in made.items():
        field.elem_id = f"world-{name}"  # `links.after_click` says there what is wrong
    return made, tools


def _outputs() -> dict[str, Any]:
    made: dict[str, Any] = {"seen": gr.State(("", 0))}
    made["timer"] = gr.Timer(watch.POLL, active=False)
    made["status"] = gr.HTML("", elem_id="world-status")
    made["link"] = gr.HTML("", elem_id="world-link")
    with gr.Row():
        for name, label in (("truth", "The truth"), (DIRECT, "Direct sampling"), (SCALED, "FouriScale")):
            with gr.Column(min_width=150):
                gr.Markdown(f"**{label}**")  # a label of its own would cover the picture
                made[name] = gr.Image(
                    label=label, show_label=False, interactive=False, format="png", min_width=140,
                    elem_id=f"world-{name.lower()}", alt_text=label, buttons=["fullscreen"],
                )  # fmt: skip
                made[f"{name} said"] = gr.HTML("")
    made["scores"] = gr.HTML("", elem_id="world-scores")
    made["clear"] = gr.Button("Clear the scoreboard", size="sm")
    return made


_OF_A_PICTURE = ("truth", "truth said", DIRECT, f"{DIRECT} said", SCALED, f"{SCALED} said")
_LOOKED_AT = ("seen", "status", *_OF_A_PICTURE, "scores")


def look(workshop: Workshop, owner: str, seen: Any, *, anew: bool = False) -> list[Any]:
    """News of the browser's job for `_LOOKED_AT` and the buttons; nothing where there is none."""
    job = workshop.runner.newest(owner, KIND)
    stamp = watch.stamp(job)
    if tuple(seen) == stamp and not anew and not (job and job.state == "waiting"):
        return [gr.skip()] * (len(_LOOKED_AT) + 3)
    news: dict[str, Any] = {name: gr.skip() for name in _LOOKED_AT}
    news |= {"seen": stamp, "status": watch.status(workshop.runner, job)}
    if job and job.state == "done":
        result: Judged = job.result
        news |= _true(result.scene, *result.size)
        for method, (image, report) in result.seen.items():
            news |= {method: image, f"{method} said": verdict(report)}
    if anew or (job and job.finished):
        news["scores"] = scoreboard(workshop, owner)
    return [*news.values(), *watch.buttons(job is not None and not job.finished)]


def _true(scene: Scene, height: int, width: int) -> dict[str, Any]:
    """The true picture and what it shows."""
    return {"truth": enlarged(scene.render(height, width)), "truth said": f"<p>{escape(scene.caption)}</p>"}


def verdict(report: Report) -> str:
    """HTML: repeated or not, correct or not, and what was found."""
    counts = Counter(
        f"{one.color} {'thing of no known shape' if one.shape == 'unknown' else one.shape}"
        for one in report.objects
    )
    found = (
        ", ".join(f"{count} x {name}" if count > 1 else name for name, count in counts.items()) or "nothing"
    )
    marks = "".join(
        f'<li class="{"good" if good else "bad"}">{text}</li>'
        for good, text in (
            (not report.repeated, "repeated" if report.repeated else "not repeated"),
            (report.correct, "correct" if report.correct else "not correct"),
        )
    )
    return f'<ul class="verdict">{marks}</ul><p class="soft">Found {escape(found)} on {escape(report.background)}.</p>'


def scoreboard(workshop: Workshop, owner: str) -> str:
    """HTML: the session's counts by size and sampling."""
    rows = tally(load(workshop.folder(owner, "scenes") / "scores.jsonl"))
    if not rows:
        return '<p class="soft">The scoreboard fills as you generate.</p>'
    head = "".join(
        f"<th scope='col'>{name}</th>" for name in ("size", "sampling", "pictures", "repeated", "correct")
    )
    body = "".join("<tr>" + "".join(f"<td>{escape(str(v))}</td>" for v in row) + "</tr>" for row in rows)
    return f'<h3>Scoreboard</h3><table class="plan scores"><tr>{head}</tr>{body}</table>'


def _wire(
    workshop: Workshop,
    owner: gr.BrowserState,
    named: Any,
    fields: dict[str, Any],
    tools: dict[str, Any],
    shown: dict[str, Any],
) -> None:
    inputs = [fields[name] for name in FIELDS]
    buttons = [shown["timer"], tools["go"], tools["stop"]]
    looked = [shown[name] for name in _LOOKED_AT]
    quick: dict[str, Any] = dict(show_progress="hidden", api_visibility="private")

    def begin(who: str, *values: Any) -> list[Any]:
        given = dict(zip(FIELDS, values, strict=True))
        wrong = problems(workshop, given)
        if wrong:
            return [watch.problems(wrong), *[gr.skip()] * (4 + len(_OF_A_PICTURE))]
        try:
            job = submit(workshop, who, given)
        except ValueError as error:
            return [watch.alert(error), *[gr.skip()] * (4 + len(_OF_A_PICTURE))]
        scene = scene_of(given["number"], given["objects"])
        empty = {name: "" if name.endswith("said") else None for name in _OF_A_PICTURE}
        news = empty | _true(scene, *SIZES[given["size"]])
        return [
            watch.status(workshop.runner, job),
            watch.link(links.to_query(TAB, given)),
            *watch.buttons(True),
            *news.values(),
        ]

    def reopened(request: gr.Request) -> list[Any]:
        usual = {name: fields[name].value for name in FIELDS}
        values = links.of_query(TAB, dict(request.query_params), usual)
        known = values | {name: usual[name] for name in problems(workshop, values)}
        return [known[name] for name in FIELDS]

    def caption(number: float | None, objects: str) -> Any:
        return gr.skip() if number is None else scene_of(number, objects).caption

    def clear(who: str) -> str:
        (workshop.folder(who, "scenes") / "scores.jsonl").unlink(missing_ok=True)
        return scoreboard(workshop, who)

    started = [shown["status"], shown["link"], *buttons, *[shown[name] for name in _OF_A_PICTURE]]
    clicked = tools["go"].click(begin, [owner, *inputs], started, **quick)
    clicked.then(None, None, None, js=links.after_click("world"))
    named.then(reopened, None, inputs, **quick)
    tools["stop"].click(
        lambda who: watch.cancel(workshop.runner, who, KIND), owner, None, queue=False, **quick
    )
    tools["dice"].click(lambda: random.randrange(10**6), None, fields["number"], queue=False, **quick)
    given = [fields["number"], fields["objects"]]
    gr.on([one.change for one in given], caption, given, tools["prompt"], queue=False, **quick)
    shown["clear"].click(clear, owner, shown["scores"], queue=False, **quick)
    shown["timer"].tick(
        lambda who, seen: look(workshop, who, seen),
        [owner, shown["seen"]],
        looked + buttons,
        queue=False,
        **quick,
    )
    named.then(lambda who: look(workshop, who, ("", 0), anew=True), owner, looked + buttons, **quick)
