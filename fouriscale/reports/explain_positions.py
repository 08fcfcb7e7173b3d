"""What FouriScale would do for a transformer and a size, and what a picture would cost, before any weight is loaded."""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass
from typing import Any

import diffusers
import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler

from picturelab.amounts import gibibytes

from ..hooks import rotary_wrap
from ..hooks.patch import fouriscale
from ..hooks.rotary_families import family_of
from ..loading.configs import TransformerParts
from ..maths import sizes
from ..maths.positions import temperature
from ..maths.wrap import EDGES, WRAPS
from ..position_config import PositionConfig
from ..sampling.cascade import Cascade, first_size, sentence
from ..sampling.relatives import IMAGE_TO_IMAGE, class_for
from ..sampling.transformers import GUIDANCE_SCALE, check_sides, guidance_argument
from .transformer_cost import CallCost, call_cost

# What a published model's scheduler says, where no folder does; the others' shift follows the size.
_USUAL_SCHEDULES = {"SD3Transformer2DModel": {"shift": 3.0}}
_STEPS = 50  # where nobody says
_FURTHER_TEXT = {"SD3Transformer2DModel": 77}  # rows beside T5's, CLIP's
_BOTH_IN_A_CALL = ("SD3Transformer2DModel", "ZImageTransformer2DModel")  # the others guide by a second call
_SIGMAS_OF_SCHEDULER = (
    "SD3Transformer2DModel",
)  # whose pipelines leave them to it; the others' are even steps from 1


@dataclass(frozen=True)
class Sigmas:
    """The noise of a run's first and last step, as a share.

    Attributes:
        shift: mu, by which the schedule follows the size; None where it does not.
    """

    first: float
    last: float
    shift: float | None


@dataclass(frozen=True)
class PositionsExplanation:
    """What would be done for one size. Sizes are (height, width) in pixels.

    Attributes:
        training_size: the nearest in shape.
        scales: how many times as long as in training height and width are.
        temperature: what cos and sin of the image's positions are multiplied by.
        config: the settings.
        text_tokens: rows of text beside the image's tokens, padding included.
        tokens, training_tokens: of the image, at this size and at the training size.
        steps: of the run.
        argument: of the pipeline's call that is the guidance.
        estimates: of the noise a step, two where the run is guided by default.
        rows: of a call of the transformer; an estimate is a row, or a call.
        sigmas: as the run has them, and as it would have them without a cap on the shift; None where the pipeline is
            not known.
        cost: of one call of the transformer, and of one at the training size; None where its arguments are not known.
        parameters: of the transformer.
        cascade: how the run is to begin at the training size.
        token_pixels: of a token, on each axis.
        first_cost: of one call for a cascade's first picture; None where there is none, or it is not known.
    """

    size: sizes.Size
    training_size: sizes.Size
    scales: tuple[float, float]
    temperature: float
    config: PositionConfig
    text_tokens: int
    tokens: int
    training_tokens: int
    steps: int
    argument: str
    estimates: int
    rows: int
    sigmas: tuple[Sigmas, Sigmas] | None
    cost: tuple[CallCost, CallCost] | None
    parameters: int
    cascade: Cascade | None
    token_pixels: int
    first_cost: CallCost | None

    @property
    def run_cost(self) -> float:
        """Times direct sampling's: positions by rule cost nothing, a cascade's parts each theirs.

        1 where the cost of a call is not known, either.
        """
        if self.cascade is None or self.cost is None or self.first_cost is None:
            return 1.0
        last = self.cascade.steps(self.steps, self.config.DENOISER)
        return self.first_cost.multiply_adds / self.cost[0].multiply_adds + last / self.steps

    @property
    def direct_cost(self) -> int | None:
        """Multiply-adds of one call with one row, with FouriScale or without."""
        return self.cost[0].multiply_adds if self.cost else None

    @property
    def active(self) -> int:
        """How many steps differ from direct sampling."""
        return self.steps if max(self.scales) > 1 else 0


def explain_positions(
    parts: TransformerParts,
    height: int,
    width: int,
    *,
    steps: int,
    config: PositionConfig,
    cascade: Cascade | None = None,
) -> PositionsExplanation:
    """What would be done at `height` x `width` pixels over `steps` steps.

    The transformer is built from its config without values, so hardly any memory is taken.

    Raises:
        ValueError: the size is no whole number of tokens, `steps` is below 1, the picture is to wrap and cannot,
            nobody has said how such a transformer makes its positions, or it has no such cascade.
    """
    sizes.check_size(height, width, sizes.SIZE_MULTIPLE)
    if steps < 1:
        raise ValueError(f"steps={steps}: must be at least 1")
    kind = str(parts.transformer["_class_name"])
    with torch.device("meta"):
        transformer = getattr(diffusers, kind).from_config(dict(parts.transformer)).eval()
    pipe = _stand_in(parts, transformer)
    if config.wrap != "none":
        rotary_wrap.refuse(pipe, transformer, WRAPS[config.wrap])
    pixels = family_of(transformer).token_pixels(pipe)
    check_sides((height, width), pixels, type(pipe).__name__)
    training_size = config.training_size(height, width)
    grids = [(size[0] // pixels, size[1] // pixels) for size in ((height, width), training_size)]
    tokens, training_tokens = map(math.prod, grids)
    text, scales = _text_tokens(parts), config.scales(height, width)
    m = config.temperature
    if isinstance(m, str):
        m = temperature(m, max(scales), tokens + text, training_tokens + text)
    argument, guided = _guidance(parts)
    costs = [call_cost(transformer, grid, text) for grid in grids]
    first = None
    if cascade is not None:
        cascade.check_transformer()
        cascade.check_wrap(config.wrap)
        if parts.pipeline is not None:
            class_for(parts.pipeline, IMAGE_TO_IMAGE)
        first = first_size(config, height, width, pixels)
    return PositionsExplanation(
        size=(height, width),
        training_size=training_size,
        scales=scales,
        temperature=m if max(scales) > 1 else 1.0,
        config=config,
        text_tokens=text,
        tokens=tokens,
        training_tokens=training_tokens,
        steps=steps,
        argument=argument,
        estimates=2 if guided else 1,
        rows=2 if guided and kind in _BOTH_IN_A_CALL else 1,
        sigmas=_sigmas(pipe, config, tokens, steps),
        cost=None if costs[0] is None or costs[1] is None else (costs[0], costs[1]),
        parameters=sum(parameter.numel() for parameter in transformer.parameters()),
        cascade=cascade,
        token_pixels=pixels,
        first_cost=call_cost(transformer, (first[0] // pixels, first[1] // pixels), text) if first else None,
    )


def _stand_in(parts: TransformerParts, transformer: Any) -> Any:
    """A pipeline whose parts have no values, for what its code says of sizes and schedules."""
    usual = _USUAL_SCHEDULES.get(parts.transformer["_class_name"], {"use_dynamic_shifting": True})
    config = dict(parts.scheduler) or usual
    pipe: Any = object.__new__(parts.pipeline or diffusers.DiffusionPipeline)
    vars(pipe).update(
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler.from_config(config),
        vae_scale_factor=parts.vae_scale_factor,
    )
    return pipe


def _text_tokens(parts: TransformerParts) -> int:
    """To which length the pipeline pads its texts, or at which it cuts them."""
    more = _FURTHER_TEXT.get(str(parts.transformer["_class_name"]), 0)
    return int(_usual(parts, "max_sequence_length") or 0) + more


def own_steps(parts: TransformerParts) -> int:
    """Of a run as the model's folder has it, and else its pipeline."""
    return int(_usual(parts, "num_inference_steps") or _STEPS)


def _guidance(parts: TransformerParts) -> tuple[str, bool]:
    """Which argument of the pipeline's call it is, and whether a run as the model has it has two estimates a step."""
    if parts.pipeline is None:
        return GUIDANCE_SCALE, False
    takes = inspect.signature(parts.pipeline.__call__).parameters
    argument = guidance_argument(takes, parts.transformer)
    distilled = parts.transformer.get("guidance_embeds", False) or "negative_prompt" not in takes
    return argument, not distilled and (_usual(parts, argument) or 0) > 1


def _usual(parts: TransformerParts, name: str) -> Any:
    """An argument of the pipeline's call that the model's folder names, and else its default; None: it has none."""
    takes = inspect.signature(parts.pipeline.__call__).parameters if parts.pipeline else {}
    return parts.call.get(name, takes[name].default if name in takes else None)


def _sigmas(pipe: Any, config: PositionConfig, tokens: int, steps: int) -> tuple[Sigmas, Sigmas] | None:
    """Those of a run with these settings, and of one without a cap."""
    dynamic = pipe.scheduler.config.use_dynamic_shifting
    if dynamic and type(pipe) is diffusers.DiffusionPipeline:
        return None
    shift = family_of(pipe.transformer).shift(pipe, tokens, steps) if dynamic else None
    ends = []
    for one in (config, config.replace(shift="pipeline")):
        given: dict[str, Any] = {} if shift is None else {"mu": shift}
        if type(pipe.transformer).__name__ in _SIGMAS_OF_SCHEDULER:
            given["num_inference_steps"] = steps
        else:
            given["sigmas"] = np.linspace(1.0, 1 / steps, steps).tolist()
        with fouriscale(pipe, one):
            pipe.scheduler.set_timesteps(**given)
        sigmas = pipe.scheduler.sigmas[:-1].tolist()  # behind the last step there is no noise
        ends.append(Sigmas(sigmas[0], sigmas[-1], shift))
    return ends[0], ends[1]


def position_sentences(explanation: PositionsExplanation) -> list[str]:
    """An explanation in words, one line a subject."""
    return [
        f"size: {_sides(explanation.size)}",
        *_of_the_wrap(explanation.config),
        *_of_the_positions(explanation),
        f"tokens: {explanation.tokens} of the image and up to {explanation.text_tokens} of the text, at the training "
        f"size {explanation.training_tokens} of the image: {_times(explanation):.2f} times as many in all",
        *_of_the_schedule(explanation),
        *_of_the_cascade(explanation),
        *_of_the_cost(explanation),
    ]


def _times(explanation: PositionsExplanation) -> float:
    text = explanation.text_tokens
    return (explanation.tokens + text) / (explanation.training_tokens + text)


def _of_the_wrap(config: PositionConfig) -> list[str]:
    if config.wrap == "none":
        return []
    return [
        f"wrap: {EDGES[config.wrap]}: tokens are turned by whole turns around the picture, and every convolution of "
        "the autoencoder goes round, in all steps"
    ]


def _of_the_positions(explanation: PositionsExplanation) -> list[str]:
    base, config = _sides(explanation.training_size), explanation.config
    if not explanation.active:
        what = "no position is changed" if config.wrap == "none" else "nothing else is done"
        return [f"training size: {base}; the size is at most a tenth beyond it, so {what}"]
    down, across = explanation.scales
    scale = f"{down:.2f} on both axes" if down == across else f"{down:.2f} in height, {across:.2f} in width"
    when = "following the noise, strongest at first" if config.dynamic else "the same at every step"
    named = f" ({config.temperature})" if isinstance(config.temperature, str) else ""
    return [
        f"training size: {base}",
        f"scale: {scale}",
        f"rule: {config.rule}, {when}; the text's positions stay",
        f"temperature: cos and sin of the image's positions times {explanation.temperature:.3f}{named}",
    ]


def _of_the_schedule(explanation: PositionsExplanation) -> list[str]:
    if explanation.sigmas is None:
        return []
    own, stock = explanation.sigmas
    line = f"sigmas: from {own.first:.4f} to {own.last:.4f} in {explanation.steps} steps"
    if stock.shift is None:
        return [f"{line}; the schedule does not follow the size"]
    if own == stock:
        return [f"{line}, by the pipeline's shift of {stock.shift:.2f}"]
    cap = f"the cap on the shift ({explanation.config.shift})"
    return [f"{line}; without {cap}, {stock.shift:.2f}, from {stock.first:.4f} to {stock.last:.4f}"]


def _of_the_cascade(explanation: PositionsExplanation) -> list[str]:
    if explanation.cascade is None:
        return []
    parts = sentence(
        explanation.cascade,
        explanation.config,
        *explanation.size,
        explanation.steps,
        explanation.token_pixels,
    )
    if explanation.first_cost is None:
        return [f"cascade: {parts}"]
    return [
        f"cascade: {parts}; both parts together take {explanation.run_cost:.2f} times the multiply-adds of direct "
        "sampling"
    ]


def _of_the_cost(explanation: PositionsExplanation) -> list[str]:
    weights = f"{explanation.parameters / 1e6:,.1f} million weights"
    if explanation.cost is None:
        return [f"weights: {weights}"]
    cost, trained = explanation.cost
    times = cost.multiply_adds / trained.multiply_adds
    peak = explanation.rows * cost.peak_values
    how = _GUIDANCE[explanation.estimates, explanation.rows]
    return [
        f"cost: {_large(cost.multiply_adds)} multiply-adds a call of the transformer, {cost.attention:.0%} of them "
        f"attention; at the training size {_large(trained.multiply_adds)} and {trained.attention:.0%}, so {times:.2f} "
        "times as many, with FouriScale or without",
        f"memory: feature maps of {gibibytes(4 * peak)} in float32, {gibibytes(2 * peak)} in bfloat16, for one "
        f"picture {how}, beside the transformer's {weights}",
    ]


_GUIDANCE = {
    (1, 1): "without a second estimate for guidance",
    (2, 1): "with guidance, a call for each of its two estimates",
    (2, 2): "with guidance, both estimates in one call",
}


def _large(count: int) -> str:
    return f"{count / 1e12:,.1f} trillion" if count >= 1e12 else f"{count / 1e9:,.1f} billion"


def _sides(size: sizes.Size) -> str:
    return f"width {size[1]}, height {size[0]}"
