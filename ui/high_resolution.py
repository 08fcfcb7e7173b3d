"""The tab "High resolution": direct sampling beside FouriScale, and what is done before it is done."""

from __future__ import annotations

import math
import random
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from fouriscale.explain import sentences
from fouriscale.recipe import Recipe
from fouriscale.recipe import read as read_recipe
from fouriscale.spectrum import spectrum_chart
from fouriscale.watched import DIRECT, SCALED, Result, sample
from fouriscale_padtone.jobs import Job

from . import high_resolution_controls as controls
from . import links, order, watch
from .high_resolution_controls import FREE, RATIOS
from .order import BOTH, FIELDS, SETTINGS
from .workshop import Workshop, usual_settings

KIND = "picture"
_GRID = 16  # pixels: what the ratio buttons round to


def ratio_size(ratio: tuple[float, float], scale: float, side: int) -> tuple[int, int]:
    """(width, height): a rectangle of a ratio (width, height) and the area of (scale x side) squared, rounded."""
    across, down = ratio
    long = scale * side * math.sqrt(across / down)
    rounded = (max(_GRID, round(v / _GRID) * _GRID) for v in (long, long * down / across))
    width, height = rounded
    return width, height


def _training_side(training: str) -> int | None:
    """The side in pixels of a square as large as the training size nearest to a square; None: not understood."""
    try:
        sides = [order.parse_size(line) for line in training.splitlines()]
        height, width = min(sides, key=lambda pair: abs(pair[0] - pair[1]))
    except ValueError:  # the plan says what is wrong with it
        return None
    return round(math.sqrt(height * width)) or None


def submit(workshop: Workshop, owner: str, values: dict[str, Any]) -> Job:
    """Queue an order.

    Raises:
        ValueError: a value is wrong, or the queue is full.
    """
    asked = order.read(workshop, values)
    folder = workshop.folder(owner, "pictures")
    told = workshop.explain(asked.model, asked.height, asked.width, asked.steps, asked.config)

    def work(job: Job) -> Result:
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


def plan(workshop: Workshop, values: dict[str, Any]) -> str:
    """HTML: what would be done for the page's values, or what is wrong with them."""
    wrong = order.problems(workshop, values | {"prompt": "-"})
    if wrong:
        return f'<p class="wrong" role="alert">{escape("; ".join(wrong.values()))}.</p>'
    asked = order.read(workshop, values | {"prompt": "-"})
    try:
        told = workshop.explain(asked.model, asked.height, asked.width, asked.steps, asked.config)
    except ValueError as error:
        return f'<p class="wrong" role="alert">{escape(str(error))}.</p>'
    lines = [line.partition(": ") for line in sentences(told)]
    rows = [(subject, said) for subject, _, said in lines]
    own = workshop.config(asked.model).training_sizes
    if asked.config.training_sizes != own:
        listed = ", ".join(f"{w}x{h}" for h, w in own[:3])
        rows.insert(2, ("mind", f"these are not this model's own training sizes ({listed})"))
    times = [workshop.seconds(told, asked.model, method == SCALED) for method in asked.methods]
    known = [seconds for seconds in times if seconds is not None]
    about = f"about {sum(known):.0f} s here" if known else "known after the first picture"
    rows.append(("time", f"{about}, for {'both pictures' if len(times) == 2 else 'the picture'}"))
    decoding = workshop.decoder_bytes(asked.model, asked.height, asked.width)
    if decoding is not None:
        rows.append(
            ("decoding", f"about {decoding / 1e9:.2f} GB at its peak; in tiles where that does not fit")
        )
    cells = "".join(f"<tr><th scope='row'>{escape(a)}</th><td>{escape(b)}</td></tr>" for a, b in rows)
    return f'<table class="plan">{cells}</table>'


def build(workshop: Workshop, owner: gr.BrowserState, named: Any) -> None:
    """The tab's controls and what they do; `named` is the event after which the browser has a name."""
    usual = order.start(workshop)
    with gr.Row():
        with gr.Column(scale=2, min_width=320):
            fields, size = controls.inputs(workshop, usual)
        with gr.Column(scale=3, min_width=320):
            shown = controls.outputs()
    inputs = [fields[name] for name in FIELDS]
    _sizes(fields, size)
    _settings(workshop, fields, shown, inputs, size)
    _running(workshop, owner, fields, shown, inputs, size)
    _restoring(workshop, owner, named, fields, shown, size)


def _named(values: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(FIELDS, values, strict=True))


def _sizes(fields: dict[str, Any], size: dict[str, Any]) -> None:
    """Ratio buttons and scale write width and height, and follow them however those come about."""

    def resize(ratio: str, scale: float, training: str, width: Any, height: Any) -> tuple[Any, Any]:
        side = _training_side(training)
        shape = RATIOS.get(ratio, (width, height))
        return ratio_size(shape, scale, side) if side and all(shape) else (gr.skip(), gr.skip())

    def follow(training: str, width: Any, height: Any) -> tuple[Any, Any]:
        side = _training_side(training)
        if not (side and width and height) or min(width, height) <= 0:
            return FREE, gr.skip()
        scale = min(max(round(math.sqrt(width * height) / side * 4) / 4, 1), 4)
        fitting = (r for r, shape in RATIOS.items() if ratio_size(shape, scale, side) == (width, height))
        return next(fitting, FREE), scale

    both, training = [fields["width"], fields["height"]], fields["training_sizes"]
    given = [size["ratio"], size["scale"], training, *both]
    quick: dict[str, Any] = dict(show_progress="hidden", api_visibility="private", queue=False)
    gr.on([size["ratio"].input, size["scale"].release], resize, given, both, **quick)
    gr.on([s.change for s in both], follow, [training, *both], [size["ratio"], size["scale"]], **quick)
    size["dice"].click(lambda: random.randrange(2**31), None, fields["seed"], **quick)


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
        lambda *values: plan(workshop, _named(values)),
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
    if job and job.state == "done" and isinstance(job.result, Result):
        news |= _results(job.result)
    if anew or not running:
        files = [str(path) for path in workshop.pictures(owner)]
        news |= {"files": files, "gallery": [(path, _caption(Path(path))) for path in files]}
    return [*news.values(), *watch.buttons(running)]


def _results(result: Result) -> dict[str, Any]:
    news = _pictures(result.path(SCALED), result.path(DIRECT))
    if result.activity is not None:
        scaled = next(one for one in result.made if one.method == SCALED)
        recipe = Recipe.parse(read_recipe(scaled.path))
        config = order.FouriScaleConfig.from_dict(recipe.config or {})
        runs = {one.method: one.powers for one in result.made}
        chart = spectrum_chart(result.activity, config, runs)
        news["spectrum"] = (
            f'<img class="chart" src="{chart}" alt="Low-pass windows, spectra of the latents along the run, '
            'dilation by step, and what each layer did">' + _SPECTRUM_TEXT
        )
    return news


_SPECTRUM_TEXT = """<p class="soft">Top left: what each layer's filter lets through before its dilated convolution.
Top right: how much of each frequency the unfinished picture holds, from the first step (dark) to the last (light);
dashed is direct sampling. Dotted in the first are the windows
of the guidance branch. Below: the dilation falls step by step, and a layer is filtered while its window cuts
anything off.</p>"""


def _pictures(scaled: Path | None, direct: Path | None) -> dict[str, Any]:
    """Both in the slider, or the only one as a picture; with their downloads."""
    both = scaled is not None and direct is not None
    only = scaled or direct
    about = f": seed {_seed(only)}" if only else ""
    return {
        "slider": gr.ImageSlider((str(direct), str(scaled)), visible=True, label=controls.COMPARED + about)
        if both
        else gr.ImageSlider(visible=False),
        "image": gr.Image(visible=False)
        if both
        else gr.Image(str(only), visible=True, label=f"Picture{about}"),
        "save_scaled": gr.DownloadButton(value=str(scaled) if scaled else None, visible=scaled is not None),
        "save_direct": gr.DownloadButton(value=str(direct) if direct else None, visible=direct is not None),
    }


def _caption(path: Path) -> str:
    return f"{'direct' if path.stem.endswith('-direct') else 'FouriScale'}, seed {_seed(path)}"


def _seed(path: Path) -> str:
    return path.stem.rsplit("-", 3)[-3]


def _pair(path: Path) -> tuple[Path | None, Path | None]:
    """The FouriScale picture and the direct one of a job, from either."""
    stem = path.stem.rpartition("-")[0]
    scaled, direct = (path.with_name(f"{stem}-{method.lower()}.png") for method in (SCALED, DIRECT))
    return (scaled if scaled.is_file() else None, direct if direct.is_file() else None)


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
            scaled, direct = _pair(Path(files[picked.index]))
            values = filled(scaled or direct or Path(files[picked.index]), bool(scaled and direct))
        except (ValueError, IndexError) as error:
            return [gr.skip()] * (len(FIELDS) + 4) + [watch.alert(error)]
        return [*values, *_pictures(scaled, direct).values(), watch.said("Settings and picture restored.")]

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
        return [*[values[name] for name in FIELDS], plan(workshop, values), *news]

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
