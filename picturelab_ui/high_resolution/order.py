"""What a visitor asks of the first tab, as plain values: checked field by field, and kept in a link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fouriscale import FouriScaleConfig, preset_names
from fouriscale.config import CHOICES, MODES
from fouriscale.maths.sizes import RULES, check_size
from fouriscale.sampling.generate import SIZE_MULTIPLE, check_request
from fouriscale.sampling.recipe import Conditioning, Recipe
from picturelab.cli.arguments import parse_size

from .. import links
from ..jobs.high_resolution import DIRECT, SCALED
from ..workshop import Workshop, usual_settings

AUTO = "recognised from the model"
BOTH = "both, compared"
SAMPLINGS = (BOTH, SCALED, DIRECT)
SETTINGS = tuple(FouriScaleConfig.model_fields)
PLAIN = ("prompt", "negative", "model", "width", "height", "seed", "steps", "guidance", "sampling", "preset")
FIELDS = PLAIN + SETTINGS
AS_MODE = "as the mode says"  # a field's word for a setting that is left to the mode
_YES_NO = {"yes": True, "no": False}
# What the fields of these settings offer.
OFFERED: dict[str, tuple[str, ...]] = {
    "mode": tuple(MODES),
    "size_rule": tuple(RULES),
    "third_branch": (AS_MODE, *_YES_NO),
    **{name: (AS_MODE, *known) for name, known in CHOICES.items()},
}
# With these direct sampling repeats its object at 256 x 256, as it does in half of all cases.
PROMPT, SEED = "a small red circle on a blue background", 7


@dataclass(frozen=True)
class PictureOrder:
    """A checked request. Sizes are in pixels."""

    prompt: str
    negative: str | None
    model: str
    width: int
    height: int
    seed: int
    steps: int
    guidance: float
    sampling: str
    preset: str
    config: FouriScaleConfig

    @property
    def methods(self) -> tuple[str, ...]:
        return (SCALED, DIRECT) if self.sampling == BOTH else (self.sampling,)


def config_for_choice(workshop: Workshop, model: str, preset: str) -> FouriScaleConfig:
    """A preset by name, or the one that fits the model.

    Raises:
        ValueError: there is none.
    """
    return workshop.config(model) if preset == AUTO else FouriScaleConfig.preset(preset)


def start(workshop: Workshop) -> dict[str, Any]:
    """The values that the page opens with."""
    model = workshop.models()[0]
    steps, guidance = usual_settings(model)
    config = config_for_choice(workshop, model, AUTO)
    side = 2 * min(config.training_sizes, key=lambda size: abs(size[0] - size[1]))[0]
    plain = (PROMPT, "", model, side, side, SEED, steps, guidance, BOTH, AUTO)
    return dict(zip(PLAIN, plain, strict=True)) | to_fields(config)


def to_fields(config: FouriScaleConfig) -> dict[str, Any]:
    """A config as people edit it: one size or pattern a line, sizes as WIDTHxHEIGHT."""
    made = config.to_dict()
    made["training_sizes"] = "\n".join(f"{width}x{height}" for height, width in config.training_sizes)
    words = {None: AS_MODE, True: "yes", False: "no"}
    left = {name: words.get(made[name], made[name]) for name in ("third_branch", *CHOICES)}
    return made | left | {name: "\n".join(made[name]) for name in ("layers", "unfiltered")}


def from_fields(values: Mapping[str, Any]) -> FouriScaleConfig:
    """The config of edited fields.

    Raises:
        ValueError, TypeError: a value is wrong; the sentence begins with the field's name.
    """
    made = {name: values[name] for name in SETTINGS}
    made |= {name: None for name in ("third_branch", *CHOICES) if made[name] == AS_MODE}
    made["third_branch"] = _YES_NO.get(made["third_branch"], made["third_branch"])
    lines = {name: _lines(made[name]) for name in ("training_sizes", "layers", "unfiltered")}
    try:
        sizes = [parse_size(line) for line in lines["training_sizes"]]
    except ValueError as error:
        raise ValueError(f"training_sizes: {error}") from None
    return FouriScaleConfig.from_dict(made | lines | {"training_sizes": sizes})


def problems(workshop: Workshop, values: Mapping[str, Any]) -> dict[str, str]:
    """{field: what is wrong with it, a sentence}; empty if all is well."""
    found: dict[str, str] = {}

    def attempt(field: str, check: Any) -> None:
        try:
            check()
        except (ValueError, TypeError) as error:
            found.setdefault(field, str(error))

    host = workshop.host
    whole = {name: values[name] for name in ("width", "height", "seed", "steps")}
    for name, value in whole.items():
        if not isinstance(value, int | float) or not float(value).is_integer():
            found[name] = f"{name} is {'empty' if value is None else repr(value)}: give a whole number"
    if not str(values["prompt"] or "").strip():
        found["prompt"] = "the prompt is empty: say what to draw"
    attempt("model", lambda: workshop.check_model(values["model"]))
    if values["sampling"] not in SAMPLINGS:
        found["sampling"] = f"sampling is {values['sampling']!r}; it can be {', '.join(SAMPLINGS)}"
    if values["preset"] not in (AUTO, *preset_names()):
        found["preset"] = f"unknown preset {values['preset']!r}; presets are {', '.join(preset_names())}"
    if "width" not in found and "height" not in found:
        attempt("width", lambda: _check_pixels(values["height"], values["width"], host.max_pixels))
    if "seed" not in found:
        attempt("seed", lambda: check_request(SIZE_MULTIPLE, SIZE_MULTIPLE, [int(values["seed"])], 1, 0.0))
    if "steps" not in found and not 1 <= values["steps"] <= host.max_steps:
        found["steps"] = f"steps={values['steps']:g}: must be from 1 to {host.max_steps} here"
    if not isinstance(values["guidance"], int | float):
        found["guidance"] = "guidance is empty: give a number"
    else:
        attempt("guidance", lambda: check_request(8, 8, [0], 1, float(values["guidance"])))
    try:
        from_fields(values)
    except (ValueError, TypeError) as error:
        said = str(error)
        field = next((name for name in SETTINGS if said.startswith(name)), "layers")
        found.setdefault(field, said)
    return found


def read(workshop: Workshop, values: Mapping[str, Any]) -> PictureOrder:
    """The order of a page's values.

    Raises:
        ValueError: something is wrong with one of them.
    """
    wrong = problems(workshop, values)
    if wrong:
        raise ValueError("; ".join(wrong.values()))
    whole = {name: int(values[name]) for name in ("width", "height", "seed", "steps")}
    return PictureOrder(
        prompt=values["prompt"].strip(),
        negative=(values["negative"] or "").strip() or None,
        model=values["model"],
        guidance=float(values["guidance"]),
        sampling=values["sampling"],
        preset=values["preset"],
        config=from_fields(values),
        **whole,
    )


def of_recipe(workshop: Workshop, recipe: Recipe, sampling: str | None = None) -> dict[str, Any]:
    """The page's values that make a recipe's picture again; `sampling` overrules how it was made."""
    method = BOTH if recipe.compare else SCALED if recipe.config else DIRECT
    made = {
        "prompt": recipe.prompt,
        "negative": recipe.negative_prompt or "",
        "model": recipe.model,
        "width": recipe.width,
        "height": recipe.height,
        "seed": recipe.seed,
        "steps": recipe.steps,
        "guidance": recipe.guidance,
        "sampling": sampling or method,
        "preset": AUTO,
    }
    workshop.check_model(recipe.model)
    if recipe.inputs != Conditioning():
        raise ValueError(
            "that picture was made from other pictures or LoRAs too: `fouriscale remake` makes it again"
        )
    config = FouriScaleConfig.from_dict(recipe.config) if recipe.config else workshop.config(recipe.model)
    return made | to_fields(config)


def link(workshop: Workshop, values: Mapping[str, Any]) -> str:
    """The query that opens the page with these values: those that differ from the usual."""
    usual = start(workshop)
    if values["preset"] != AUTO:
        usual |= to_fields(FouriScaleConfig.preset(values["preset"]))
    changed = {name: values[name] for name in FIELDS if values[name] != usual[name]}
    return links.to_query(links.HOME, changed | {"prompt": values["prompt"]})


def of_link(workshop: Workshop, query: Mapping[str, str]) -> dict[str, Any]:
    """The page's values from a query; what it does not name, or names wrongly, stays as usual."""
    values = start(workshop)
    if query.get("tab", links.HOME) == links.HOME and query.get("preset") in preset_names():
        values |= to_fields(FouriScaleConfig.preset(query["preset"]))
    values = links.of_query(links.HOME, query, values)
    wrong = problems(workshop, values)
    return values | {name: v for name, v in start(workshop).items() if name in wrong}


def _check_pixels(height: float, width: float, most: int) -> None:
    check_size(int(height), int(width), SIZE_MULTIPLE)
    if height * width > most:
        side = int(most**0.5) // SIZE_MULTIPLE * SIZE_MULTIPLE
        raise ValueError(
            f"width {width:g}, height {height:g} is {height * width / 1e6:.1f} million pixels; this page makes up "
            f"to {most / 1e6:.1f} million, such as {side} x {side}"
        )


def _lines(text: Any) -> list[str]:
    return [line.strip() for line in str(text or "").splitlines() if line.strip()]
