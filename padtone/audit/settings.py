"""What an audit is run with."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from picturelab.bounds import check, check_prompt
from picturelab.settings import Settings

from ..interventions.arguments import check_choices

# The pipelines' arguments that are numbers, and their bounds.
_NUMBERS = {
    "num_inference_steps": "steps",
    "height": "height",
    "width": "width",
    "guidance_scale": "guidance",
    "true_cfg_scale": "guidance",
    "max_sequence_length": "tokens",
}


def check_numbers(call: Mapping[str, Any]) -> None:
    """Are the numbers among a pipeline's arguments within their bounds, and its negative prompt text?

    Raises:
        ValueError: one is not.
    """
    for name, bound in _NUMBERS.items():
        if call.get(name) is not None:
            check(name, call[name], bound)
    if call.get("negative_prompt") is not None:
        check_prompt("negative_prompt", call["negative_prompt"])


def _bounded(name: str, bound: str | None = None) -> BeforeValidator:
    return BeforeValidator(functools.partial(check, name, bound=bound))


def _seeds(value: Any) -> int:
    if value == 1 and not isinstance(value, bool):
        raise ValueError("seeds is 1; 2 or more are needed, for their difference is the yardstick")
    return int(check("seeds", value))


Seeds = Annotated[int, BeforeValidator(_seeds)]
Count = Annotated[int, _bounded("count", "prompts")]
Kept = Annotated[int, _bounded("keep", "kept")]


class AuditSettings(Settings):
    """What an audit is run with; it is stored, and the same audit can only go on with the same.

    Raises:
        ValueError: a value is out of range. TypeError: a name is missing or none of these.
    """

    model: str
    """A name for the report; loading is the caller's affair."""
    clip: str
    """The same of the CLIP that looks."""
    prompts: tuple[str, ...]
    """All different."""
    kinds: tuple[str, ...] = ()
    """A kind for each prompt; empty: none."""
    seeds: Seeds = 2
    """Pictures per prompt and arm; seeds 0, 1, ..."""
    call: dict[str, Any] = Field(default_factory=dict)
    """Arguments for the pipeline's call."""
    clean: str = "padding"
    """What a swapped row becomes, see `padtone.encode`."""
    pooled: str = "full"
    """Whose pooled vector is used, see `padtone.encode`."""
    batch: Annotated[int, _bounded("batch")] = 4
    """Most pictures in one call of the pipeline."""
    keeps: tuple[Kept, ...] = ()
    """Numbers of padding tokens for the keep-k curve; empty: 0, 1, 2, 4 ..."""
    looks: Annotated[int, _bounded("looks", "prompts")] = 4
    """Prompts whose attention is measured."""
    precision: str = "float32"
    """What the model was loaded in, for the record."""
    revision: str | None = None
    """Which state of the model it was, for the record."""

    @model_validator(mode="after")
    def _check(self) -> AuditSettings:
        check("prompts", len(self.prompts))
        for prompt in self.prompts:
            check_prompt("the prompt", prompt)
        if len(set(self.prompts)) != len(self.prompts) or len(self.prompts) < 2:
            raise ValueError(f"an audit needs two or more prompts, all different; got {len(self.prompts)}")
        if self.kinds and len(self.kinds) != len(self.prompts):
            raise ValueError(f"there are {len(self.kinds)} kinds for {len(self.prompts)} prompts")
        check_choices(self.clean, self.pooled)
        check_numbers(self.call)
        return self
