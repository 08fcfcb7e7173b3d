"""What a command was asked to draw: kept in the picture, so that it can be drawn again."""

from __future__ import annotations

import inspect
from typing import Annotated, Any, Literal, Self

from PIL import Image
from pydantic import Field, model_validator

from picturelab.bounds import Name, Seed, check
from picturelab.models import usual_call
from picturelab.pipeline import Pipeline
from picturelab.reports.grid import labelled_grid

from ..families.registry import denoiser_of, encoders_of, family_of
from ..hooks.encoder import position_limit
from ..interventions import idp, ite
from ..interventions.replacing import replacements
from ..recipe import PromptRecipe


class Request(PromptRecipe):
    """Everything that decides a grid of arms and seeds.

    Pixels are equal, bit for bit, for an equal request on the same kind of processor.

    Attributes:
        arms: names, or rows of the text; of "replace" what stands in the padding's place.
        clean, pooled: see `padtone.encode`; "replace" has no use for them.
        layers, span: blocks and part of the run that IDP patches, see `padtone.idp`; ITE has no use for them.
    """

    command: Literal["ite", "idp", "replace"]
    arms: Annotated[list[Name | list[int]], Field(min_length=1)]
    seeds: Annotated[list[Seed], Field(min_length=1)]
    clean: Name
    pooled: Name
    layers: list[int] | None
    span: tuple[float, float]

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        check("pictures", len(self.arms) * len(self.seeds))
        for name, numbers in (("layers", self.layers or [0]), *(("arms", rows) for rows in self._rows())):
            check(name, len(numbers), "layers")
            for number in numbers:
                check(name, number, "layer")
        start, stop = self.span
        if not 0 <= start < stop <= 1:
            raise ValueError(
                f"span={self.span}: must be start and stop as fractions of the run, such as (0, 0.5)"
            )
        return self

    def _rows(self) -> list[list[int]]:
        return [arm for arm in self.arms if isinstance(arm, list)]


def make_arms(pipe: Pipeline, request: Request) -> dict[str, list[Image.Image]]:
    """The pictures of a request, {arm: one per seed}; IDP's donor is an arm too.

    Raises:
        ValueError: the pipeline cannot do what is asked, see `padtone.ite` and `padtone.idp_arms`.
    """
    if request.command == "idp":
        return idp.idp_arms(
            pipe,
            request.prompt,
            request.seeds,
            request.arms,
            layers=request.layers,
            span=request.span,
            clean=request.clean,
            pooled=request.pooled,
            **request.call,
        )
    if request.command == "replace":
        names = [str(arm) for arm in request.arms]
        return replacements(pipe, request.prompt, request.seeds, names, **request.call)
    return ite.ite(
        pipe,
        request.prompt,
        request.seeds,
        request.arms,
        clean=request.clean,
        pooled=request.pooled,
        **request.call,
    )


def lay_out(request: Request, images: dict[str, list[Image.Image]]) -> Image.Image:
    """The pictures of a request as a labelled grid."""
    title = f'{request.command}: "{request.prompt}"'
    if request.command != "replace":
        title += f" (clean: {request.clean}, pooled: {request.pooled})"
    return labelled_grid(images, [f"seed {seed}" for seed in request.seeds], title)


def call_arguments(
    pipe: Pipeline,
    model: str,
    *,
    size: tuple[int, int] | None = None,
    steps: int | None = None,
    guidance: float | None = None,
    negative: str | None = None,
    max_length: int | None = None,
) -> dict[str, Any]:
    """Arguments for the pipeline's call; what is None is the model's own (`usual_call`), or the pipeline's.

    Args:
        size: (height, width), pixels.
        guidance: goes to `true_cfg_scale` where the denoiser ignores `guidance_scale` (FLUX without
            its guidance embedding, Qwen-Image); that one needs a negative prompt, if only an empty one.
    """
    takes = inspect.signature(type(pipe).__call__).parameters
    call = usual_call(model)
    if size is not None:
        call |= {"height": size[0], "width": size[1]}
    guide = "true_cfg_scale" if _ignores_guidance_scale(pipe, takes) else "guidance_scale"
    chosen = {
        "num_inference_steps": steps,
        guide: guidance,
        "negative_prompt": negative,
        "max_sequence_length": max_length or _shortest_limit(pipe, takes),
    }
    call |= {name: value for name, value in chosen.items() if value is not None}
    if guide == "true_cfg_scale" and call.get(guide, takes[guide].default) > 1:
        call.setdefault("negative_prompt", "")
    # Written down even where the pipeline's default is used: a later version may have another.
    for name in ("num_inference_steps", guide, "max_sequence_length"):
        if name in takes and isinstance(takes[name].default, int | float):
            call.setdefault(name, takes[name].default)
    return call


def text_arguments(pipe: Pipeline, model: str, max_length: int | None) -> dict[str, Any]:
    """The part of `call_arguments` that the text encoders' tokens depend on."""
    call = call_arguments(pipe, model, max_length=max_length)
    return {name: value for name, value in call.items() if name == "max_sequence_length"}


def _ignores_guidance_scale(pipe: Pipeline, takes: Any) -> bool:
    denoiser = denoiser_of(pipe, family_of(pipe))
    return "true_cfg_scale" in takes and not getattr(denoiser.config, "guidance_embeds", False)


def _shortest_limit(pipe: Pipeline, takes: Any) -> int | None:
    """The longest text that every encoder can read, where that is less than the pipeline pads to."""
    if "max_sequence_length" not in takes:
        return None
    default = takes["max_sequence_length"].default
    readers = [module for encoder, module in encoders_of(pipe, family_of(pipe)) if encoder.feeds == "rows"]
    limits = [limit for module in readers if (limit := position_limit(module)) is not None]
    return min(limits) if limits and isinstance(default, int) and min(limits) < default else None
