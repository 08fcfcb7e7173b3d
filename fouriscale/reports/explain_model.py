"""What would be done for a model by name, whichever kind of denoiser it has."""

from __future__ import annotations

from picturelab.models import usual_call

from ..config_kinds import Config
from ..loading.configs import transformer_parts, unet_config, vae_scale_factor
from ..position_config import PositionConfig
from ..sampling.cascade import Cascade
from .explain import Explanation, explain
from .explain_positions import PositionsExplanation, explain_positions, own_steps, position_sentences
from .explain_words import sentences
from .published import as_published

_STEPS = 50  # of a UNet whose folder does not say

AnyExplanation = Explanation | PositionsExplanation


def explain_model(
    model: str,
    height: int,
    width: int,
    *,
    steps: int | None,
    config: Config,
    cascade: Cascade | None = None,
    preset: str | None = None,
) -> AnyExplanation:
    """What would be done at `height` x `width` pixels over `steps` steps.

    Args:
        model: see `loading.configs.part_config`.
        steps: None: as many as the model's folder names, and else a transformer's pipeline, or 50.
        config: for the kind of denoiser that the model has.
        cascade: how the run is to begin at the training size.
        preset: for a Stable Diffusion 2 file that does not tell.

    Raises:
        ValueError: there is no such model; see `explain` and `explain_positions`.
    """
    if isinstance(config, PositionConfig):
        parts = as_published(model, transformer_parts(model))
        steps = own_steps(parts) if steps is None else steps
        return explain_positions(parts, height, width, steps=steps, config=config, cascade=cascade)
    return explain(
        unet_config(model, preset),
        height,
        width,
        steps=int(usual_call(model).get("num_inference_steps", _STEPS)) if steps is None else steps,
        config=config,
        vae_scale_factor=vae_scale_factor(model, preset),
        cascade=cascade,
    )


def explanation_sentences(explanation: AnyExplanation) -> list[str]:
    """An explanation in words, one line a subject."""
    if isinstance(explanation, PositionsExplanation):
        return position_sentences(explanation)
    return sentences(explanation)
