"""What a batch is asked for, before anything is read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Self

from pydantic import model_validator

from ..bounds import check
from ..formats import PNG, check_quality, named_format
from ..settings import Settings
from ..worlds import DEFAULT_MODEL

ENGINES = ("local", "ray")
PATIENCE = 240.0
_LONGEST = 10_080.0  # a week


class BatchOrder(Settings):
    """The words of `fouriscale batch`; None is chosen here."""

    jobs: Path
    """The jobs file."""
    out: str
    """A folder or an fsspec URL."""
    model: str = DEFAULT_MODEL
    """Of jobs that name none."""
    batch: int | None = None
    """Most jobs in a group."""
    engine: str = "local"
    """Of `ENGINES`."""
    workers: int | None = None
    """Processes or actors; None: one an accelerator, else one."""
    address: str | None = None
    """A Ray cluster's, or "auto"; None: one is started on this machine."""
    device: str | None = None
    """Such as "cpu" or "cuda:0"."""
    dtype: str | None = None
    """Such as "float16"."""
    threads: int | None = None
    """Of torch in each worker; None: this process's own, or 1 where there are several workers on the CPU."""
    cache: Path | None = None
    """A folder of encodings that outlives the batch."""
    skip_bad: bool = False
    """Go on without the rows that hold no job."""
    retry: bool = False
    """Make failed jobs again."""
    wait: bool = False
    """For another run on the folder to end."""
    format: str | None = None
    """Of jobs that name none: "png", "webp" or "jpeg"."""
    quality: int | None = None
    """Of these."""
    a1111: bool = True
    """Whether files carry A1111's text, where jobs do not say."""
    keep_encoder: bool = False
    """Hold text encoders beside denoisers, and encode a group's prompts when its turn comes."""
    pad_text: bool = False
    """Encode texts as pipelines pad them, where jobs do not say."""
    patience: float = PATIENCE
    """Minutes that a worker may take for a group, before it is taken to hang."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for name in ("batch", "workers", "threads"):
            value = getattr(self, name)
            if value is not None:
                check(name, value)
        check_quality(PNG if self.format is None else named_format(self.format), self.quality)
        if self.engine not in ENGINES:
            raise ValueError(f"engine is {self.engine!r}; it can be {' or '.join(ENGINES)}")
        if not 0 < self.patience <= _LONGEST:
            raise ValueError(
                f"patience={self.patience:g}: must be above 0 and at most {_LONGEST:,.0f} minutes"
            )
        if self.cache is not None and os.path.lexists(self.cache) and not os.path.isdir(self.cache):
            raise ValueError(f"cache {self.cache} is a file; name a folder for encoded prompts")
        if self.address is not None and self.engine != "ray":
            raise ValueError(f"address is {self.address!r}, which is for --engine ray")
        if self.out.startswith("memory://") and (self.engine == "ray" or (self.workers or 1) > 1):
            raise ValueError(f"{self.out} lies in the memory of this process, so it takes one local worker")
        return self

    @property
    def file_defaults(self) -> dict[str, Any]:
        """What is said of the files of jobs that do not say it; empty where all is as usual."""
        wanted = {"format": self.format, "quality": self.quality, "a1111": None if self.a1111 else False}
        return {name: value for name, value in wanted.items() if value is not None}
