"""The tab "Padding tokens": what stands in a prompt's padding, what it does, and how much of it is needed."""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Callable
from typing import Any

import gradio as gr

from fouriscale.sampling.generate import check_request
from padtone.interventions.ite import token_roles
from padtone.maths.roles import TokenRoles

from .. import links, watch
from ..jobs.padding_tokens import Audited, attention, audit, audit_prompts, both_interventions, curve
from ..jobs.runner import PageJob
from ..workshop import Workshop, check_whole
from . import controls, results
from .chips import chips
from .controls import ARMS, CHOSEN

KIND = TAB = "padding"
FIELDS = ("prompt", "model", "seed", "steps", "arms")


def read_tokens(workshop: Workshop, model: str, prompt: str) -> tuple[TokenRoles, ...]:
    """What each text encoder makes of a prompt.

    Raises:
        ValueError: the model is not allowed here, or padtone does not know it.
    """
    workshop.check_model(model, with_unet=False)
    with workshop.reader(model) as pipe:
        return token_roles(pipe, prompt)


def problems(workshop: Workshop, values: dict[str, Any], chosen: list[int]) -> dict[str, str]:
    """{field: what is wrong with it, a sentence}; empty if all is well."""
    found: dict[str, str] = {}
    if not str(values["prompt"] or "").strip():
        found["prompt"] = "the prompt is empty: say what to draw"
    try:
        workshop.check_model(values["model"], with_unet=False)
    except ValueError as error:
        found["model"] = str(error)
    for name, least, most in (("seed", 0, 2**63 - 2), ("steps", 1, workshop.host.max_steps)):
        try:
            check_whole(name, values[name], least, most)
        except ValueError as error:
            found[name] = str(error)
    if not values["arms"]:
        found["arms"] = "nothing is kept: choose at least one"
    elif CHOSEN in values["arms"] and not chosen:
        found["arms"] = f"{CHOSEN!r} is kept, but no chip is chosen: click some of the tokens"
    return found


def submit(workshop: Workshop, owner: str, work: Callable[[Any, PageJob], Any], model: str) -> PageJob:
    """Queue work on a model, which is called with the loaded pipeline and the job.

    Raises:
        ValueError: the queue is full, or the browser's last one is not finished.
    """

    def run(job: PageJob) -> Any:
        job.report(0, 0, f"loading {model}")
        return work(workshop.pipeline(model), job)

    return workshop.runner.submit(run, owner=owner, kind=KIND)


def check_audit(workshop: Workshop, prompts: int, seeds: int) -> None:
    """Is an audit of this size allowed here?

    Raises:
        ValueError: it is not.
    """
    if seeds < 2:
        raise ValueError(f"seeds={seeds}: 2 or more are needed, for their difference is the yardstick")
    most = workshop.host.max_audit
    if prompts * seeds > most:
        raise ValueError(
            f"{prompts} prompts and {seeds} seeds are {prompts * seeds} pictures an arm; this page makes {most}"
        )


def build(workshop: Workshop, owner: gr.BrowserState, named: Any) -> None:
    """The tab's controls and what they do; `named` is the event after which the browser has a name."""
    with gr.Row():
        with gr.Column(scale=2, min_width=320):
            fields, tools = controls.inputs(workshop)
        with gr.Column(scale=3, min_width=320):
            shown = controls.outputs()
    _chips(workshop, named, fields, tools, shown)
    _jobs(workshop, owner, named, fields, tools, shown)
    _keep_slider(shown)


_HOW_TO_CHOOSE = '<p class="soft">Click tokens to keep just those.</p>'


def _chips(
    workshop: Workshop, named: Any, fields: dict[str, Any], tools: dict[str, Any], shown: dict[str, Any]
) -> None:
    """The tokens follow the prompt; chips that are clicked become an arm."""
    quick: dict[str, Any] = dict(show_progress="hidden", api_visibility="private")

    def drawn(prompt: str, model: str, arms: list[str]) -> tuple[Any, list[int], str, Any]:
        left = [arm for arm in arms if arm != CHOSEN] if CHOSEN in arms else gr.skip()
        try:
            return chips(read_tokens(workshop, model, prompt or "")), [], _HOW_TO_CHOOSE, left
        except ValueError as error:
            return watch.alert(error), [], "", left

    def choose(arms: list[str], event: gr.EventData) -> tuple[list[int], Any, str]:
        rows = sorted(int(row) for row in event.rows)
        with_chosen = [arm for arm in arms if arm != CHOSEN] + ([CHOSEN] if rows else [])
        names = ", ".join(f"{event.rows[str(row)]} ({row})" for row in rows)
        return rows, with_chosen, watch.said(f"Chosen: {names}.") if rows else _HOW_TO_CHOOSE

    told = [shown["chips"], shown["chosen"], shown["chosen_said"], fields["arms"]]
    asked = [fields["prompt"], fields["model"]]
    given = [*asked, fields["arms"]]
    said = [fields["model"], fields["prompt"]]
    gr.on([one.change for one in said], watch.known, said, tools["unknown"], queue=False, **quick)
    gr.on([one.change for one in asked], drawn, given, told, trigger_mode="always_last", **quick)
    named.then(drawn, given, told, **quick)
    shown["chips"].select(
        choose, fields["arms"], [shown["chosen"], fields["arms"], shown["chosen_said"]], queue=False, **quick
    )


def _jobs(
    workshop: Workshop,
    owner: gr.BrowserState,
    named: Any,
    fields: dict[str, Any],
    tools: dict[str, Any],
    shown: dict[str, Any],
) -> None:
    """The four things to run, cancelling, and the look at what runs."""
    inputs = [fields[name] for name in FIELDS]
    starters = [tools[name] for name in ("go", "curve", "attention", "audit")]
    buttons = [shown["timer"], tools["stop"], *starters]
    quiet: dict[str, Any] = dict(show_progress="hidden", api_visibility="private", queue=False)

    def begin(what: str, who: str, chosen: list[int], *values: Any) -> list[Any]:
        given = dict(zip(FIELDS, values, strict=True))
        wrong = problems(workshop, given, chosen)
        if wrong:
            return [gr.skip(), watch.problems(wrong), *[gr.skip()] * 6]
        prompt, seed, steps = given["prompt"].strip(), int(given["seed"]), int(given["steps"])

        def work(pipe: Any, job: PageJob) -> Any:
            if what == "curve":
                return curve(pipe, prompt, seed=seed, steps=steps, job=job)
            if what == "attention":
                return attention(pipe, prompt, seed=seed, steps=steps, job=job)
            arms = [list(chosen) if arm == CHOSEN else arm for arm in given["arms"]]
            folder = workshop.folder(who, "padding")
            return both_interventions(pipe, prompt, arms, seed=seed, steps=steps, folder=folder, job=job)

        kept = given | {"arms": [arm for arm in given["arms"] if arm != CHOSEN] or ["full"]}
        link = watch.link(links.to_query(TAB, kept))
        return [link, *_started(workshop, lambda: submit(workshop, who, work, given["model"]))]

    for name, what in (("go", "arms"), ("curve", "curve"), ("attention", "attention")):
        events = [tools[name].click, fields["prompt"].submit] if name == "go" else [tools[name].click]
        gr.on(
            events,
            functools.partial(begin, what),
            [owner, shown["chosen"], *inputs],
            [shown["link"], shown["status"], *buttons],
            show_progress="hidden",
            api_visibility="private",
        ).then(None, None, None, js=links.after_click("pad"))

    def reopened(request: gr.Request) -> list[Any]:
        usual = {name: fields[name].value for name in FIELDS}
        values = links.of_query(TAB, dict(request.query_params), usual)
        wrong = problems(workshop, values, [])
        known = values | {name: usual[name] for name in wrong}
        known["arms"] = [arm for arm in known["arms"] if arm in ARMS] or usual["arms"]
        return [known[name] for name in FIELDS]

    named.then(reopened, None, inputs, show_progress="hidden", api_visibility="private")

    def begin_audit(who: str, model: str, steps: float, typed: str, count: float, seeds: float) -> list[Any]:
        def start() -> PageJob:
            workshop.check_model(model, with_unet=False)
            check_request(8, 8, [0], int(steps or 0), 1.0)
            prompts = audit_prompts(model, typed, int(count or 0))
            check_audit(workshop, len(prompts.texts), int(seeds or 0))
            folder = workshop.folder(who, "audits")

            def work(pipe: Any, job: PageJob) -> Audited:
                return audit(pipe, prompts, seeds=int(seeds), steps=int(steps), folder=folder, job=job)

            return submit(workshop, who, work, model)

        return _started(workshop, start)

    audited = tools["audit"].click(
        begin_audit,
        [owner, fields["model"], fields["steps"], tools["prompts"], tools["count"], tools["seeds"]],
        [shown["status"], *buttons],
        show_progress="hidden",
        api_visibility="private",
    )
    audited.then(None, None, None, js=links.after_click("pad"))
    tools["stop"].click(lambda who: watch.cancel(workshop.runner, who, KIND), owner, None, **quiet)
    tools["dice"].click(lambda: random.randrange(2**31), None, fields["seed"], **quiet)
    looked = [shown[name] for name in _LOOKED_AT]
    shown["timer"].tick(
        lambda who, seen: look(workshop, who, seen), [owner, shown["seen"]], looked + buttons, **quiet
    )
    named.then(
        lambda who: look(workshop, who, ("", 0), anew=True),
        owner,
        looked + buttons,
        show_progress="hidden",
        api_visibility="private",
    )


_LOOKED_AT = (
    "seen", "status", "ite", "idp", "save_ite", "save_idp", "curve_box", "curve", "keep", "kept", "measured",
    "attention", "audit", "save_audit",
)  # fmt: skip


def _started(workshop: Workshop, start: Callable[[], PageJob]) -> list[Any]:
    try:
        job = start()
    except ValueError as error:
        return [watch.alert(error), *[gr.skip()] * 6]
    return [watch.status(workshop.runner, job), *_buttons(True)]


def _buttons(running: bool) -> list[Any]:
    """The timer, Cancel, and the four buttons that start something."""
    timer, start, stop = watch.buttons(running)
    return [timer, stop, *[start] * 4]


def look(workshop: Workshop, owner: str, seen: Any, *, anew: bool = False) -> list[Any]:
    """News of the browser's job for `_LOOKED_AT` and the buttons; nothing where there is none."""
    job = workshop.runner.newest(owner, KIND)
    stamp = watch.stamp(job)
    if tuple(seen) == stamp and not anew and not (job and job.state == "waiting"):
        return [gr.skip()] * (len(_LOOKED_AT) + 6)
    news: dict[str, Any] = {name: gr.skip() for name in _LOOKED_AT}
    shown_in = results.SHOWN_IN.get(type(job.result), "") if job else ""
    news |= {"seen": stamp, "status": watch.status(workshop.runner, job, shown_in)}
    if job and job.state == "done":
        news |= results.shown(job.result)
    return [*news.values(), *_buttons(job is not None and not job.finished)]


def _keep_slider(shown: dict[str, Any]) -> None:
    shown["keep"].change(
        lambda result, keep: results.kept_pictures(result, keep) if result else gr.skip(),
        [shown["measured"], shown["keep"]],
        shown["kept"],
        show_progress="hidden",
        api_visibility="private",
        queue=False,
        trigger_mode="always_last",
    )


def as_json(entries: tuple[TokenRoles, ...]) -> list[dict[str, Any]]:
    """Roles as plain values."""
    keys = ("name", "tokens", "ids", "roles", "cut")
    values: list[dict[str, Any]] = json.loads(
        json.dumps([{key: getattr(e, key) for key in keys} for e in entries])
    )
    return values
