"""What a visitor asks of the first tab, as plain values: checked field by field, and kept in a link."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fouriscale import FouriScaleConfig, preset_names
from fouriscale.config import MODES
from fouriscale.config_kinds import Config, check_kind, config_of, named_config
from fouriscale.maths.sizes import SIZE_MULTIPLE, check_size
from fouriscale.presets import UNET
from fouriscale.sampling.cascade import UPSAMPLINGS, Cascade, first_size
from fouriscale.sampling.recipe import Conditioning, Recipe
from picturelab import bounds
from picturelab.bounds import shown
from picturelab.foreign.settings import ForeignSettings
from picturelab.prompts import check_said

from .. import links
from ..errors import sentence
from ..forms import (
    FieldProblems,
    check_between,
    check_one_of,
    check_optional_prompt,
    check_whole,
)
from ..jobs.files import DIRECT, SCALED
from ..jobs.high_resolution import PictureOrder
from ..prompts import readable
from ..workshop import Workshop
from .config_fields import SETTINGS, from_fields, to_fields, usual_fields

AUTO = "recognised from the model"
BOTH = "both, compared"
SAMPLINGS = (BOTH, SCALED, DIRECT)
CASCADE = ("cascade", "cascade_strength", "cascade_upsampling")
_MAIN = ("prompt", "negative", "model", "width", "height", "seed", "steps", "guidance", "sampling", "preset")
PLAIN = _MAIN + CASCADE
FIELDS = PLAIN + SETTINGS
# With the first and this seed direct sampling repeats its object at 256 x 256, as it does in half of all cases.
SHAPES = (
    "a small red circle on a blue background",
    "a green triangle left of a yellow square on a black background",
    "a small purple square on a white background",
)
SEED = 7


def config_for_choice(workshop: Workshop, model: str, preset: str) -> Config:
    """A preset by name, or the one that fits the model.

    Raises:
        ValueError: there is none, or it is for another kind of denoiser.
    """
    check_preset(preset)
    if preset == AUTO:
        return workshop.models.config(model)
    config = named_config(preset)
    check_kind(config, workshop.models.denoiser(model), model)
    return config


def denoiser_of(workshop: Workshop, values: Mapping[str, Any]) -> str:
    """Whether the page's model has a "unet" or a "transformer"; a UNet where that is not known."""
    try:
        workshop.models.check(values["model"])
        return workshop.models.denoiser(values["model"])
    except ValueError:  # `problems` says what is wrong with it
        return UNET


def check_preset(preset: Any) -> None:
    """Is it one of the presets, or `AUTO`?

    Raises:
        ValueError: it is not.
    """
    if preset not in (AUTO, *preset_names()):
        raise ValueError(f"unknown preset {shown(preset)}; presets are {', '.join(preset_names())}")


def start(workshop: Workshop) -> dict[str, Any]:
    """The values that the page opens with."""
    model = workshop.models.first()
    steps, guidance = workshop.models.usual_settings(model)
    config = config_for_choice(workshop, model, AUTO)
    side = 2 * min(config.training_sizes, key=lambda size: abs(size[0] - size[1]))[0]
    main = (readable(model, SHAPES)[0], "", model, side, side, SEED, steps, guidance, BOTH, AUTO)
    return dict(zip(_MAIN, main, strict=True)) | _cascade_fields(None) | usual_fields() | to_fields(config)


def problems(workshop: Workshop, values: Mapping[str, Any]) -> FieldProblems:
    """What is wrong with the page's values."""
    wrong, host = FieldProblems(), workshop.host
    for name in ("width", "height"):
        with wrong.at(name):
            check_whole(name, values[name])
    with wrong.at("prompt"):
        check_said(values["prompt"])
    with wrong.at("negative"):
        check_optional_prompt(values["negative"], "negative prompt")
    with wrong.at("model"):
        workshop.models.check(values["model"])
    with wrong.at("sampling"):
        check_one_of("sampling", values["sampling"], SAMPLINGS)
    denoiser = denoiser_of(workshop, values)
    with wrong.at("preset"):
        check_preset(values["preset"])
        if values["preset"] != AUTO and "model" not in wrong:
            check_kind(named_config(values["preset"]), denoiser, values["model"])
    if "width" not in wrong and "height" not in wrong:
        with wrong.at("width"):
            check_sides(values["height"], values["width"])
            if host.max_pixels is not None:
                _check_pixels(values["height"], values["width"], host.max_pixels)
    with wrong.at("seed"):
        check_between("seed", values["seed"], 0, int(bounds.BOUNDS["seed"].most))
    with wrong.at("steps"):
        check_between("steps", values["steps"], 1, host.max_steps)
    with wrong.at("guidance"):
        if values["guidance"] is None:
            raise ValueError("guidance is empty: give a number")
        bounds.check("guidance", values["guidance"])
    if denoiser == UNET:  # a transformer's page has no cascade's fields
        _check_cascade(values, wrong)
    try:
        from_fields(values, denoiser)
    except (ValueError, TypeError) as error:
        said = sentence(error)
        field = max((name for name in SETTINGS if said.startswith(name)), key=len, default="layers")
        wrong.setdefault(field, said)
    if not wrong and denoiser == UNET and (parts := chosen_cascade(values)) is not None:
        config = from_fields(values)
        assert isinstance(config, FouriScaleConfig)
        with wrong.at("cascade_strength"):
            size = int(values["height"]), int(values["width"])
            parts.check_active(config, *size, int(values["steps"]))
    return wrong


def read(workshop: Workshop, values: Mapping[str, Any]) -> PictureOrder:
    """The order of a page's values.

    Raises:
        FieldError: something is wrong with one of them.
    """
    problems(workshop, values).refuse()
    sampling, config = values["sampling"], from_fields(values, denoiser_of(workshop, values))
    height, width = int(values["height"]), int(values["width"])
    return PictureOrder(
        prompt=values["prompt"].strip(),
        negative_prompt=(values["negative"] or "").strip() or None,
        model=values["model"],
        recorded_model=workshop.models.recorded(values["model"]),
        height=height,
        width=width,
        seed=int(values["seed"]),
        steps=int(values["steps"]),
        guidance=float(values["guidance"]),
        config=config,
        methods=(SCALED, DIRECT) if sampling == BOTH else (sampling,),
        cascade=_cascade_of(values, config, height, width),
    )


def of_recipe(workshop: Workshop, recipe: Recipe, sampling: str | None = None) -> dict[str, Any]:
    """The page's values that make a recipe's picture again; `sampling` overrules how it was made."""
    model = workshop.models.name_of(recipe.model)
    method = BOTH if recipe.compare else SCALED if recipe.config else DIRECT
    plain = {
        "prompt": recipe.prompt,
        "negative": recipe.negative_prompt or "",
        "model": model,
        "width": recipe.width,
        "height": recipe.height,
        "seed": recipe.seed,
        "steps": recipe.steps,
        "guidance": recipe.guidance,
        "sampling": sampling or method,
        "preset": AUTO,
    } | _cascade_fields(recipe.cascade)
    workshop.models.check(model)
    if recipe.inputs != Conditioning():
        raise ValueError(
            "that picture was made from other pictures or LoRAs too: `fouriscale remake` makes it again"
        )
    own = recipe.config
    config = config_of(own) if own else workshop.models.config(model)
    return plain | to_fields(_left_to_mode(config))


def of_foreign(found: ForeignSettings) -> dict[str, Any]:
    """The page's values that a picture of another program says; the other fields stay as they are.

    Not its model, which is a file on somebody's disk.
    """
    names = {"negative_prompt": "negative"} | {
        name: name for name in ("prompt", "width", "height", "seed", "steps", "guidance")
    }
    return {ours: found.settings[theirs] for theirs, ours in names.items() if theirs in found.settings}


def _left_to_mode(config: Config) -> Config:
    """The same settings, those left open that are as the mode says: then another mode can be chosen there."""
    if not isinstance(config, FouriScaleConfig):
        return config
    names = (*MODES[config.mode], "grid_phases")
    usual = config.replace(**dict.fromkeys(names)).resolved()
    return config.replace(**{name: None for name in names if getattr(config, name) == getattr(usual, name)})


def _cascade_fields(recorded: Mapping[str, Any] | None) -> dict[str, Any]:
    """The values of the cascade's fields; `recorded` is a recipe's, None where the picture was sampled once."""
    parts = Cascade(**recorded or {})
    return dict(zip(CASCADE, (recorded is not None, parts.strength, parts.upsampling), strict=True))


def chosen_cascade(values: Mapping[str, Any]) -> Cascade | None:
    """What the fields ask for, whether or not the size leaves anything to finish; None samples once."""
    on, strength, upsampling = (values[name] for name in CASCADE)
    if not on or values["sampling"] == DIRECT:
        return None
    return Cascade(strength=strength, upsampling=upsampling)


def _cascade_of(values: Mapping[str, Any], config: Config, height: int, width: int) -> Cascade | None:
    """The cascade of an order: none with a transformer, whose page does not offer it."""
    if not isinstance(config, FouriScaleConfig) or first_size(config, height, width) is None:
        return None
    return chosen_cascade(values)


def _check_cascade(values: Mapping[str, Any], wrong: FieldProblems) -> None:
    """Note what is wrong with the cascade's fields."""
    on, strength, upsampling = (values[name] for name in CASCADE)
    with wrong.at("cascade"):
        if not isinstance(on, bool):
            raise ValueError(f"cascade is {shown(on)}: must be true or false")
    with wrong.at("cascade_upsampling"):
        check_one_of("cascade_upsampling", upsampling, UPSAMPLINGS)
    with wrong.at("cascade_strength"):
        parts = Cascade(strength=strength)
        if on is True and values["sampling"] != DIRECT and "steps" not in wrong:
            parts.check_steps(int(values["steps"]))


def link(workshop: Workshop, values: Mapping[str, Any]) -> str:
    """The query that opens the page with these values: those that differ from the usual."""
    usual = start(workshop)
    if values["preset"] != AUTO:
        usual |= to_fields(named_config(values["preset"]))
    changed = {name: values[name] for name in FIELDS if values[name] != usual[name]}
    return links.to_query(links.HOME, changed | {"prompt": values["prompt"]})


def of_link(workshop: Workshop, query: Mapping[str, str]) -> dict[str, Any]:
    """The page's values from a query; what it does not name, or names wrongly, stays as usual."""
    values = start(workshop)
    if query.get("tab", links.HOME) == links.HOME and query.get("preset") in preset_names():
        values |= to_fields(named_config(query["preset"]))
    values = links.of_query(links.HOME, query, values)
    wrong = problems(workshop, values)
    return values | {name: v for name, v in start(workshop).items() if name in wrong}


def check_sides(height: Any, width: Any) -> None:
    """Is this a size that a model can be asked for at all?

    Raises:
        ValueError: it is not.
    """
    for name, side in (("height", height), ("width", width)):
        check_whole(name, side)
    check_size(int(height), int(width), SIZE_MULTIPLE)
    for name, side in (("height", height), ("width", width)):
        bounds.check(name, int(side))


def _check_pixels(height: float, width: float, most: int) -> None:
    if height * width > most:
        side = int(most**0.5) // SIZE_MULTIPLE * SIZE_MULTIPLE
        raise ValueError(
            f"width {width:g}, height {height:g} is {height * width / 1e6:.1f} million pixels; this page makes up "
            f"to {most / 1e6:.1f} million, such as {side} x {side} (its host allows more with --max-pixels)"
        )
