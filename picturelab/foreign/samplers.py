"""What A1111 and ComfyUI call samplers, and the schedulers of diffusers that do the same. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_A1111 = {
    "DDIM": "DDIM",
    "DPM++ 2M": "DPMSolverMultistep",
    "DPM++ SDE": "DPMSolverSDE",
    "DPM2": "KDPM2Discrete",
    "DPM2 a": "KDPM2AncestralDiscrete",
    "Euler": "EulerDiscrete",
    "Euler a": "EulerAncestralDiscrete",
    "Heun": "HeunDiscrete",
    "LCM": "LCM",
    "LMS": "LMSDiscrete",
    "PLMS": "PNDM",
    "UniPC": "UniPCMultistep",
}
_COMFYUI = {
    "ddim": "DDIM",
    "ddpm": "DDPM",
    "dpm_2": "KDPM2Discrete",
    "dpm_2_ancestral": "KDPM2AncestralDiscrete",
    "dpmpp_2m": "DPMSolverMultistep",
    "dpmpp_sde": "DPMSolverSDE",
    "euler": "EulerDiscrete",
    "euler_ancestral": "EulerAncestralDiscrete",
    "heun": "HeunDiscrete",
    "lcm": "LCM",
    "lms": "LMSDiscrete",
    "uni_pc": "UniPCMultistep",
}
SCHEDULERS = {name.casefold(): scheduler for name, scheduler in (_A1111 | _COMFYUI).items()}
"""{a sampler's name in small letters: a class of diffusers, without "Scheduler"}."""

# A schedule of noise levels: what a scheduler's config says, and what A1111 calls it.
_SIGMAS = {
    "use_karras_sigmas": "Karras",
    "use_exponential_sigmas": "Exponential",
    "use_beta_sigmas": "Beta",
}
SCHEDULES = tuple(_SIGMAS.values())
USUAL_SCHEDULES = ("", "automatic", "normal", "uniform")
"""What means a model's own schedule, in small letters."""


def in_a1111s_words(scheduler: Mapping[str, Any]) -> dict[str, str]:
    """A recipe's scheduler as A1111's parameters; what it has no name for is a key of ours.

    Args:
        scheduler: its class and config.
    """
    name = str(scheduler.get("class")).removesuffix("Scheduler")
    config = scheduler.get("config")
    settings = config if isinstance(config, Mapping) else {}
    known = next((theirs for theirs, ours in _A1111.items() if ours == name), None)
    if known is None or settings.get("algorithm_type", "dpmsolver++") != "dpmsolver++":
        return {"Diffusers scheduler": name}
    schedule = next((word for key, word in _SIGMAS.items() if settings.get(key) is True), None)
    return {"Sampler": known} | ({"Schedule type": schedule} if schedule else {})
