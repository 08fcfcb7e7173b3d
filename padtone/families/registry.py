"""Which entry describes which pipeline, and the way to add one.

Read from the pipelines of diffusers 0.42: which text encoders, padded to how many tokens, whether
encoder and denoiser mask the padding, and where the text sits in joint attention.
"""

from __future__ import annotations

from typing import Any

import torch

from picturelab.pipeline import Pipeline

from .family import Family, TextEncoder
from .relatives import RELATIVES
from .table import FAMILIES

_REGISTERED: dict[str, Family] = {}


def register_family(pipeline_class: type | str, family: Family) -> None:
    """Say how a pipeline class treats text; its subclasses follow. A later entry replaces an earlier.

    Raises:
        TypeError: not a class or its name, or not a `Family`.
    """
    if not isinstance(pipeline_class, type | str) or not isinstance(family, Family):
        raise TypeError(f"register_family takes a class and a Family, got {pipeline_class!r} and {family!r}")
    name = pipeline_class if isinstance(pipeline_class, str) else pipeline_class.__name__
    _REGISTERED[name] = family


def family_of(pipe: Pipeline) -> Family:
    """The entry of a pipeline's class or of the nearest class that it derives from.

    Pipelines for image to image, inpainting and ControlNets have the entry of their family.

    Raises:
        ValueError: no such entry.
    """
    known = known_families()
    for cls in type(pipe).__mro__:
        name = cls.__name__ if cls.__name__ in known else RELATIVES.get(cls.__name__)
        if name is not None:
            return known[name]
    raise ValueError(
        f"{type(pipe).__name__} is not a pipeline that padtone knows; add it with padtone.register_family, "
        f"or use one of {', '.join(sorted({*known, *RELATIVES}))}"
    )


def check_index(index: dict[str, Any], model: str) -> None:
    """`check_known` of a model_index.json, as `picturelab.models` asks for it."""
    check_known(index.get("_class_name"), model)


def check_known(class_name: str | None, model: str) -> None:
    """Does padtone know the pipeline of a model that is not loaded yet, and does it need no picture?

    Raises:
        ValueError: it does not, or nothing can be done with such a pipeline.
    """
    known = known_families()
    if class_name not in known:
        raise ValueError(
            f"{model!r} is a {class_name or 'pipeline of unknown class'}, which padtone does not know; it knows "
            f"{', '.join(known)}"
        )
    why = known[class_name].why_nothing
    if why is not None:
        raise ValueError(f"{model!r} is a {class_name}, and padtone can do nothing with it: {why}")


def denoiser_of(pipe: Pipeline, family: Family) -> torch.nn.Module:
    """The pipeline's UNet or transformer.

    Raises:
        ValueError: it has none of the name that its family gives.
    """
    denoiser: torch.nn.Module | None = getattr(pipe, family.denoiser, None)
    if denoiser is None:
        raise ValueError(
            f"{type(pipe).__name__} has no {family.denoiser!r}, where {family.title} has its denoiser"
        )
    return denoiser


def encoders_of(pipe: Pipeline, family: Family) -> list[tuple[TextEncoder, torch.nn.Module]]:
    """The family's text encoders that this pipeline has; SD 3 may be loaded without T5."""
    modules = ((encoder, getattr(pipe, encoder.name, None)) for encoder in family.encoders)
    return [(encoder, module) for encoder, module in modules if module is not None]


def known_families() -> dict[str, Family]:
    """Every known text-to-image pipeline class and its entry, by name."""
    return dict(sorted((FAMILIES | _REGISTERED).items()))
