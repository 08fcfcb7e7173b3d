"""A job: one picture to make, typed and checked. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ..bounds import Guidance, Height, Quality, Seed, Steps, Width, check_prompt
from ..formats import PNG, PictureFormat, check_quality, check_room, named_format
from ..notation import parse_size
from ..settings import Problem, problems, shortened
from ..textfiles import nearest, parse_json
from ..worlds import DEFAULT_MODEL

DIRECT = "none"  # the preset that samples without FouriScale
FILE = ("format", "quality", "a1111")  # what a job says of its file, and not of its picture
RESERVED = "sheet"  # names the contact sheet
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")
_DEVICES = re.compile(
    r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE
)  # of Windows, whatever the ending
_ILLEGIBLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")  # tabs and line ends are text


def _legible(value: Any) -> Any:
    """Refuse control characters and halves of surrogate pairs, which are damage and no file's name."""
    if isinstance(value, str) and (match := _ILLEGIBLE.search(value)):
        raise ValueError(f"its letter {match.start() + 1} is {match[0]!r}, which is no text")
    return value


Text = Annotated[str, BeforeValidator(_legible)]


class Job(BaseModel):
    """One line of a jobs file. Sizes are in pixels; None is the model's own or the instrument's.

    Attributes:
        id: names the file, `<id>.png` or as its format has it.
        preset: a preset's name or file, or "none" for direct sampling.
        config: settings that differ from the preset's.
        keep: the rows of the text encoding that are kept, an arm of PadTone; such jobs are sampled directly.
        image, strength, mask, control, lora, cascade, cascade_strength, cascade_upsampling, wrap: as on the command
            line of `fouriscale generate`.
        pad_text: its text is encoded with the padding that the pipeline gives it, and not at its true length.
        format, quality, a1111: the file: "png", "webp" or "jpeg", how good, and whether A1111's text stands in it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    prompt: Text
    negative_prompt: Text | None = None
    height: Height | None = None
    width: Width | None = None
    seed: Seed = 0
    steps: Steps | None = None
    guidance: Guidance | None = None
    model: Text = DEFAULT_MODEL
    preset: Text | None = None
    config: dict[str, Any] | None = None
    keep: Text | None = None
    image: Text | None = None
    strength: float | None = Field(None, gt=0, le=1)
    mask: Text | None = None
    control: tuple[Text, ...] = ()
    lora: tuple[Text, ...] = ()
    cascade: bool | None = None  # None where it is left out, so that older jobs stay what they are
    cascade_strength: float | None = None
    cascade_upsampling: Text | None = None
    format: Text | None = None
    quality: Quality | None = None
    a1111: bool | None = None
    wrap: Text | None = None
    pad_text: bool | None = None

    _begun_with: str | None = PrivateAttr(None)

    @model_validator(mode="before")
    @classmethod
    def _size(cls, values: Any) -> Any:
        """`size` in place of `height` and `width`."""
        if not isinstance(values, dict) or values.get("size") is None:
            return values
        values = dict(values)
        size = values.pop("size")
        if values.get("height") is not None or values.get("width") is not None:
            raise ValueError(f"size is {size!r} beside height or width; give one or the other")
        height, width = parse_size(str(size))
        return values | {"height": height, "width": width}

    @field_validator("config", mode="before")
    @classmethod
    def _config(cls, value: Any) -> Any:
        """CSV and Parquet hold it as JSON text."""
        if not isinstance(value, str):
            return value
        try:
            return parse_json(value)
        except ValueError as error:
            raise ValueError(f'it is a mapping of settings, such as {{"stop": 0.7}} ({error})') from None

    @field_validator("prompt", "negative_prompt", mode="before")
    @classmethod
    def _prompt(cls, value: Any, info: ValidationInfo) -> Any:
        return value if value is None else check_prompt(info.field_name or "", value)

    @field_validator("control", "lora", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("id")
    @classmethod
    def _file_name(cls, value: str) -> str:
        if not _ID.fullmatch(value) or value.lower() == RESERVED:
            raise ValueError(
                f"it names the file, so it is 1 to 200 letters, digits, dots, dashes and underscores, "
                f"does not begin with a dot or dash, and is not {RESERVED!r}"
            )
        if _DEVICES.match(value):
            raise ValueError(
                "it names the file, and Windows has no files named con, prn, aux, nul, com1, lpt1 ..."
            )
        return value

    @field_validator("format")
    @classmethod
    def _format(cls, value: str | None) -> str | None:
        return None if value is None else named_format(value).name

    @model_validator(mode="after")
    def _room(self) -> Job:
        check_quality(self.kind, self.quality)
        check_room(self.kind, self.height or 1, self.width or 1, self.prompt, self.negative_prompt)
        return self

    @model_validator(mode="after")
    def _whole(self) -> Job:
        if (self.height is None) != (self.width is None):
            raise ValueError(f"height is {self.height} and width is {self.width}; give both or neither")
        if self.keep is not None:
            several = ("config", "image", "mask", "control", "lora", "cascade", "wrap")
            others = [name for name in several if getattr(self, name)]
            numbers = ("strength", "cascade_strength", "cascade_upsampling")  # of which 0 is a value too
            others += [name for name in numbers if getattr(self, name) is not None]
            others += ["preset"] if self.preset not in (None, DIRECT) else []
            if others:
                raise ValueError(
                    f"keep is {self.keep!r} beside {' and '.join(others)}; "
                    "padding arms are sampled directly, from the prompt alone"
                )
        if self.preset == DIRECT and self.config:
            raise ValueError(f"config is given beside preset {DIRECT!r}, which samples without FouriScale")
        if self.wrap is not None:
            self._check_wrap(self.wrap)
        return self

    def _check_wrap(self, wrap: str) -> None:
        own = (self.config or {}).get("wrap")
        if own is not None and own != wrap:
            raise ValueError(f"wrap is {wrap!r} beside config's {own!r}; give one or the other")
        if self.preset == DIRECT and wrap != "none":
            raise ValueError(
                f"wrap is {wrap!r} beside preset {DIRECT!r}; leave the preset out: at the training size that is all it "
                "does"
            )

    @property
    def begun_with(self) -> str | None:
        """The version of ours that the job's folder was begun with; None: this one. What a job means is what it
        meant then."""
        return self._begun_with

    def of_folder(self, begun_with: str | None) -> Job:
        """The job as one of a folder that was begun with a version."""
        job = self.model_copy()
        job._begun_with = begun_with
        return job

    @property
    def instrument(self) -> str:
        """The name of the instrument that makes it."""
        return "fouriscale" if self.keep is None else "padtone"

    @property
    def kind(self) -> PictureFormat:
        """What its file is."""
        return PNG if self.format is None else named_format(self.format)

    @property
    def file(self) -> str:
        return f"{self.id}{self.kind.suffixes[0]}"

    def alike(self) -> str:
        """What jobs have in common that are made in one batch, as text: all but id, prompt and seed.

        Not the arm, either: arms differ in their encodings only. Nor the file, which is written afterwards.
        """
        common = self.model_dump(exclude={"id", "prompt", "seed", "keep", *FILE}, exclude_none=True)
        return json.dumps([self.instrument, common], sort_keys=True, default=str)


KEYS = frozenset({*Job.model_fields, "size"})
"""What a jobs file can say of a job."""


def parse(values: Mapping[str, Any], number: int) -> Job:
    """A job from plain values.

    Args:
        number: of the line; names the job where it has no id.

    Raises:
        ValueError: everything that is wrong with it, in one sentence.
    """
    entries = {str(name): value for name, value in values.items() if value is not None}
    entries["id"] = str(entries.get("id", number))
    try:
        return Job.model_validate(entries)
    except ValidationError as error:
        raise ValueError("; ".join(_in_words(problem) for problem in problems(error))) from None


def _in_words(problem: Problem) -> str:
    """A problem as whoever wrote the file reads it: by the key, with the offending value."""
    key = "".join(problem.place[:1])
    if problem.kind == "extra_forbidden":
        return f"there is no key {shortened(repr(key), 80)}{nearest(key, KEYS)}; keys are {', '.join(sorted(KEYS))}"
    if problem.kind == "missing":
        return f"{key} is missing"
    if problem.reason.startswith(f"{key} has "):  # a prompt, too long to be printed
        return problem.reason
    clause = problem.clause.removeprefix(f"{key}={problem.value}: ")
    return f"{key} is {problem.value}: {clause}" if key else problem.reason
