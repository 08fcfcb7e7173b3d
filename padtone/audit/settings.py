"""What an audit is run with."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from picturelab.settings import Settings

from ..interventions.arguments import check_choices


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
    seeds: int = Field(default=2, strict=True)
    """Pictures per prompt and arm; seeds 0, 1, ..."""
    call: dict[str, Any] = Field(default_factory=dict)
    """Arguments for the pipeline's call."""
    clean: str = "padding"
    """What a swapped row becomes, see `padtone.encode`."""
    pooled: str = "full"
    """Whose pooled vector is used, see `padtone.encode`."""
    batch: int = Field(default=4, strict=True)
    """Most pictures in one call of the pipeline."""
    keeps: tuple[int, ...] = ()
    """Numbers of padding tokens for the keep-k curve; empty: 0, 1, 2, 4 ..."""
    looks: int = Field(default=4, strict=True)
    """Prompts whose attention is measured."""
    precision: str = "float32"
    """What the model was loaded in, for the record."""
    revision: str | None = None
    """Which state of the model it was, for the record."""

    @model_validator(mode="after")
    def _check(self) -> AuditSettings:
        if self.seeds < 2:
            raise ValueError(
                f"seeds is {self.seeds}; 2 or more are needed, for their difference is the yardstick"
            )
        if len(set(self.prompts)) != len(self.prompts) or len(self.prompts) < 2:
            raise ValueError(f"an audit needs two or more prompts, all different; got {len(self.prompts)}")
        if self.kinds and len(self.kinds) != len(self.prompts):
            raise ValueError(f"there are {len(self.kinds)} kinds for {len(self.prompts)} prompts")
        if self.batch < 1 or self.looks < 1:
            raise ValueError(f"batch is {self.batch} and looks is {self.looks}; both are 1 or more")
        check_choices(self.clean, self.pooled)
        if any(k < 0 for k in self.keeps):
            raise ValueError(f"keeps is {list(self.keeps)}; numbers of padding tokens are 0 or more")
        return self
