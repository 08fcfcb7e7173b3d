"""How each family's tiny pipeline is called where a test is the same for all of them."""

from __future__ import annotations

import inspect
from typing import Any

from padtone.families.registry import family_of
from tests.tiny import text_pipelines

PROMPT, OTHER = "a red cat", "a large green dog sitting under a big old tree"
# Guidance by a second call of the denoiser, where `guidance_scale` is something else.
_TRUE_GUIDANCE = ("flux", "flux_clip", "qwen_image")
# One of each kind of text in a denoiser, for the tests that run most often; tests/each_family/ has all.
FAST = ("sd1", "sdxl", "sd3", "flux", "pixart_alpha", "lumina2")
# Their denoisers never get padding for a single prompt.
UNPADDED = ("qwen_image", "z_image", "kandinsky5", "ernie")


def negative(pipe: Any, name: str, text: object = "green") -> dict:
    """Arguments for a negative prompt, in the families that take one."""
    if "negative_prompt" not in inspect.signature(type(pipe).__call__).parameters:
        return {}
    return {"negative_prompt": text} | ({"true_cfg_scale": 3.0} if name in _TRUE_GUIDANCE else {})


def unguided(pipe: Any, name: str) -> dict:
    """Arguments with which the pipeline draws without a negative prompt."""
    takes = inspect.signature(type(pipe).__call__).parameters
    return (
        {} if name in (*_TRUE_GUIDANCE, "flux2") or "guidance_scale" not in takes else {"guidance_scale": 1.0}
    )


def call(name: str, **more: object) -> dict:
    """A short call's arguments but for prompt and noise."""
    return {"output_type": "np"} | text_pipelines.SIZE | text_pipelines.CALL[name] | more


def can(pipe: Any, action: str) -> bool:
    """Is this one of what padtone does in this family?"""
    family = family_of(pipe)
    return action not in family.refused and (family.pads or action not in ("mask", "trim", "replace"))
