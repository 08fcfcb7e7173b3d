"""What a visitor asks of the first tab, as plain values: checked field by field, and kept in a link."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fouriscale import preset_names
from fouriscale.config_kinds import Config, check_kind, named_config
from fouriscale.maths.sizes import SIZE_MULTIPLE, check_size
from fouriscale.presets import UNET
from fouriscale.sampling.cascade import UPSAMPLINGS, Cascade, first_size
from fouriscale.sampling.cascade_checks import check_cascade
from fouriscale.sampling.inputs import Inputs
from picturelab import bounds
from picturelab.bounds import shown
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
from . import beside
from .config_fields import SETTINGS, from_fields, to_fields, usual_fields

AUTO = "recognised from the model"
BOTH = "both, compared"
SAMPLINGS = (BOTH, SCALED, DIRECT)
CASCADE = ("cascade", "cascade_strength", "cascade_upsampling")
_MAIN = ("prompt", "negative", "model", "width", "height", "seed", "steps", "guidance", "sampling", "preset")
PLAIN = _MAIN + CASCADE + beside.FIELDS
FIELDS = PLAIN + SETTINGS
_IN_LINKS = tuple(name for name in FIELDS if name not in beside.FILES)
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
    return (
        dict(zip(_MAIN, main, strict=True))
        | cascade_fields(None)
        | beside.USUAL
        | usual_fields()
        | to_fields(config)
    )


def problems(workshop: Workshop, values: Mapping[str, Any]) -> FieldProblems:
    """What is wrong with the page's values."""
    wrong = FieldProblems()
    _note_problems(workshop, values, wrong)
    return wrong


def _note_problems(workshop: Workshop, values: Mapping[str, Any], wrong: FieldProblems) -> Inputs:
    """Note what is wrong with the page's values; what the picture is made from, where nothing is."""
    host = workshop.host
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
    _check_cascade(values, wrong, denoiser)
    inputs = beside.note_problems(workshop, values, denoiser, wrong)
    try:
        from_fields(values, denoiser)
    except (ValueError, TypeError) as error:
        said = sentence(error)
        field = max((name for name in SETTINGS if said.startswith(name)), key=len, default="layers")
        wrong.setdefault(field, said)
    if not wrong:
        parts, size = chosen_cascade(values), (int(values["height"]), int(values["width"]))
        with wrong.at("cascade_strength"):
            check_cascade(
                parts,
                inputs,
                int(values["steps"]),
                direct=False,
                config=from_fields(values, denoiser),
                size=size,
            )
    return inputs


def read(workshop: Workshop, values: Mapping[str, Any]) -> PictureOrder:
    """The order of a page's values.

    Raises:
        FieldError: something is wrong with one of them.
    """
    wrong = FieldProblems()
    inputs = _note_problems(workshop, values, wrong)
    wrong.refuse()
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
        count=int(values["count"]),
        scheduler=None if values["sampler"] == beside.OWN_SAMPLER else values["sampler"],
        inputs=inputs,
        names_only=workshop.host.public,
    )


def cascade_fields(recorded: Mapping[str, Any] | None) -> dict[str, Any]:
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
    """The cascade of an order; none where the size leaves nothing to finish."""
    return None if first_size(config, height, width) is None else chosen_cascade(values)


def _check_cascade(values: Mapping[str, Any], wrong: FieldProblems, denoiser: str) -> None:
    """Note what is wrong with the cascade's fields."""
    on, strength, upsampling = (values[name] for name in CASCADE)
    with wrong.at("cascade"):
        if not isinstance(on, bool):
            raise ValueError(f"cascade is {shown(on)}: must be true or false")
    with wrong.at("cascade_upsampling"):
        check_one_of("cascade_upsampling", upsampling, UPSAMPLINGS)
    with wrong.at("cascade_strength"):
        parts = Cascade(strength=strength)
        if on is True and values["sampling"] != DIRECT and "steps" not in wrong and denoiser == UNET:
            parts.check_steps(int(values["steps"]))


def link(workshop: Workshop, values: Mapping[str, Any]) -> str:
    """The query that opens the page with these values: those that differ from the usual."""
    usual = start(workshop)
    if values["preset"] != AUTO:
        usual |= to_fields(named_config(values["preset"]))
    changed = {name: values[name] for name in _IN_LINKS if values[name] != usual[name]}
    return links.to_query(links.HOME, changed | {"prompt": values["prompt"]})


def of_link(workshop: Workshop, query: Mapping[str, str]) -> dict[str, Any]:
    """The page's values from a query; what it does not name, or names wrongly, stays as usual."""
    values = start(workshop)
    if query.get("tab", links.HOME) == links.HOME and query.get("preset") in preset_names():
        values |= to_fields(named_config(query["preset"]))
    values = links.of_query(links.HOME, {k: v for k, v in query.items() if k not in beside.FILES}, values)
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
