"""What goes into a picture beside the prompt, as plain values: sampler, start picture, LoRAs, a ControlNet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fouriscale.presets import TRANSFORMER
from fouriscale.sampling.inputs import Inputs
from fouriscale.sampling.recipe import Conditioning, Recipe
from fouriscale.sampling.strength import check_strength
from picturelab import bounds
from picturelab.bounds import shown
from picturelab.notation import parse_weighted
from picturelab.remarks import passing_remarks

from ..forms import FieldProblems, check_between, check_one_of
from ..workshop import Workshop

OWN_SAMPLER = "the model's own"
SAMPLERS = (
    OWN_SAMPLER,
    "DDIM",
    "DDPM",
    "DEISMultistep",
    "DPMSolverMultistep",
    "DPMSolverSinglestep",
    "EulerAncestralDiscrete",
    "EulerDiscrete",
    "FlowMatchEulerDiscrete",
    "HeunDiscrete",
    "KDPM2AncestralDiscrete",
    "KDPM2Discrete",
    "LCM",
    "LMSDiscrete",
    "PNDM",
    "TCD",
    "UniPCMultistep",
)
USUAL: dict[str, Any] = {
    "count": 1,
    "sampler": OWN_SAMPLER,
    "start_image": None,
    "strength": 0.6,
    "mask": None,
    "loras": "",
    "control": "",
    "control_image": None,
    "control_scale": 1.0,
}
FIELDS = tuple(USUAL)
FILES = ("start_image", "mask", "control_image")  # which no link can hold
_OF_HOST = {"loras": "LoRAs", "control": "ControlNets"}  # files of its disk, or what it would have to fetch
_FIELD_OF = {
    "image": "start_image",
    "strength": "strength",
    "mask": "mask",
    "lora": "loras",
    "control": "control",
}


def note_problems(
    workshop: Workshop, values: Mapping[str, Any], denoiser: str, wrong: FieldProblems
) -> Inputs:
    """Note what is wrong with these fields; what the picture is made from, nothing where something is wrong."""
    with wrong.at("count"):
        check_between("pictures", values["count"], 1, workshop.host.max_pictures)
    with wrong.at("sampler"):
        check_one_of("sampler", values["sampler"], SAMPLERS)
    for name, what in _OF_HOST.items():
        with wrong.at(name):
            bounds.check_prompt(name, values[name] or "")
            if workshop.host.public and (values[name] or "").strip():
                raise ValueError(
                    f"{name}={shown(values[name])}: a public page takes no {what} from its visitors"
                )
    with wrong.at("strength"):
        check_strength("strength", values["strength"])
    with wrong.at("control_scale"):
        bounds.check("scale", values["control_scale"])
    with wrong.at("control"):
        if bool((values["control"] or "").strip()) != bool(values["control_image"]):
            raise ValueError("a ControlNet and its picture belong together: give both or neither")
    if wrong:
        return Inputs()
    try:
        with passing_remarks(_unsaid):
            inputs = inputs_of(values)
        if "steps" not in wrong:
            inputs.check_steps(int(values["steps"]), denoiser=denoiser)
        if denoiser == TRANSFORMER:
            inputs.refuse_transformer()
        return inputs
    except (ValueError, TypeError) as error:
        sentence = str(error)
        named = (field for word, field in _FIELD_OF.items() if sentence.startswith(word))
        with wrong.at(next(named, _field_of_file(values, sentence))):
            raise
    return Inputs()


def inputs_of(values: Mapping[str, Any]) -> Inputs:
    """The files that the fields name.

    Raises:
        ValueError: one of them cannot be read, or is of another kind.
    """
    image, mask, edges = (values[name] for name in FILES)
    control, loras = (values["control"] or "").strip(), (values["loras"] or "").splitlines()
    return Inputs(
        image=Path(image) if image else None,
        strength=float(values["strength"]) if image else None,
        mask=Path(mask) if mask else None,
        controls=((control, Path(edges), float(values["control_scale"])),) if control else (),
        loras=tuple(parse_weighted(str(Path(line.strip()).expanduser())) for line in loras if line.strip()),
    )


def of_recipe(workshop: Workshop, recipe: Recipe) -> tuple[dict[str, Any], list[str]]:
    """These fields' values from a recipe, and sentences on what cannot be put back."""
    values, remarks = dict(USUAL), list[str]()
    kind = str(recipe.scheduler.get("class", "")).removesuffix("Scheduler")
    if kind in SAMPLERS and kind != workshop.models.own_sampler(workshop.models.name_of(recipe.model)):
        values["sampler"] = kind
    if recipe.inputs == Conditioning():
        return values, remarks
    if workshop.host.public:
        return values, ["it was made from other files too, which a public page does not open: add them again"]
    try:
        with passing_remarks(_unsaid):
            inputs = Inputs.from_recorded(recipe.inputs)
    except ValueError as error:
        return values, [str(error)]
    values["loras"] = "\n".join(f"{lora.name}@{lora.scale:g}" for lora in inputs.loras)
    for control, picture, scale in inputs.controls[:1]:
        values |= {"control": control, "control_image": str(picture), "control_scale": scale}
    if len(inputs.controls) > 1:
        remarks.append(f"it had {len(inputs.controls)} ControlNets, of which the first is put back")
    if inputs.strength is not None:
        values["strength"] = inputs.strength
    values |= {"start_image": _path(inputs.image), "mask": _path(inputs.mask)}
    for name in FILES:  # a page shows no file from elsewhere
        if values[name] and not Path(values[name]).is_relative_to(workshop.folders.output):
            remarks.append(f"{Path(values[name]).name} lies outside of this page's folder: add it again")
            values[name] = None
    return values, remarks


def _unsaid(remark: str) -> None:
    """What is no problem is said once, by the job."""


def _path(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _field_of_file(values: Mapping[str, Any], sentence: str) -> str:
    """The field of the file that a sentence names."""
    return next((name for name in FILES if values[name] and Path(values[name]).name in sentence), "loras")
