"""What goes into a picture besides the prompt: a picture to start from, a mask, ControlNets, LoRAs."""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from pydantic import model_validator

from picturelab import bounds, pictures
from picturelab.extras import require
from picturelab.failures import printable, told_as
from picturelab.files import sha256
from picturelab.notation import Weighted
from picturelab.remarks import remark
from picturelab.settings import Settings

from ..maths.wrap import NOWHERE, Axes
from ..presets import UNET
from . import controlnets, loras
from . import strength as strengths
from .recipe import Conditioning, Control, File, Lora
from .relatives import IMAGE_TO_IMAGE, INPAINTING, TEXT_TO_IMAGE, Task, relative
from .wrapping import resized

if TYPE_CHECKING:
    from picturelab.pipeline import Pipeline

# What imports torch is imported where it is used, so that a command refuses a file at once.

_KEPT = "black"  # the colour of what a mask keeps, and so of its transparent parts
_HALF = 128  # from here on a mask's grey counts as white
# What apply_fouriscale takes of a transformer all the same, by what is refused here.
_WITH_TRANSFORMERS = {
    "control": "a pipeline with a ControlNet",
    "lora": "a pipeline with LoRAs",
}


class Inputs(Settings):
    """Files that a picture is made from. Checks itself, but for what only loading can tell.

    Raises:
        ValueError: a file cannot be read, a value is out of range, or the picture is missing.
    """

    image: Path | None = None
    """A picture to start from; where it is transparent it is white."""

    strength: float | None = None
    """How much of it is made anew, in (0, 1]; None takes the pipeline's own."""

    mask: Path | None = None
    """White where the picture is drawn anew, black where it is kept; transparent parts count as black."""

    controls: tuple[tuple[str, Path, float], ...] = ()
    """ControlNet (folder or hub id) and its picture, with a scale each."""

    loras: tuple[Weighted, ...] = ()
    """.safetensors files, with a scale each."""

    @model_validator(mode="after")
    def _check(self) -> Inputs:
        for name in ("strength", "mask"):
            if getattr(self, name) is not None and self.image is None:
                raise ValueError(f"{name}={getattr(self, name)!s}: needs a picture to start from, --image")
        if self.strength is not None:
            strengths.check_strength("strength", self.strength)
        for path in filter(None, (self.image, *(picture for _, picture, _ in self.controls))):
            _check_picture(path)
        if self.mask is not None:
            _check_picture(self.mask, is_mask=True)
        for model, _, scale in self.controls:
            bounds.check("scale", scale)
            controlnets.check(model)
        if self.loras:
            require("a LoRA", "lora", "peft")
        for lora in self.loras:
            loras.check(lora)
        return self

    def check_steps(self, steps: int, strength: float | None = None, denoiser: str = UNET) -> None:
        """Refuse a strength that leaves none of the steps to sample.

        Args:
            strength: the pipeline's own, where none was chosen.
            denoiser: of a "transformer" some step is left whatever the strength.

        Raises:
            ValueError: see `strength.check_steps`.
        """
        strength = self.strength if self.strength is not None else strength
        if self.image is not None and strength is not None and denoiser == UNET:
            strengths.check_steps("strength", strength, steps)

    def refuse_transformer(self) -> None:
        """Refuse what no transformer's picture is made from here.

        Raises:
            ValueError: there is a ControlNet or a LoRA.
        """
        named = {
            "control": [model for model, *_ in self.controls],
            "lora": [lora.name for lora in self.loras],
        }
        for name, values in named.items():
            if values:
                raise ValueError(
                    f"{name}={printable(values[0])}: a transformer's pictures are made without one here; in Python, "
                    f"apply_fouriscale takes {_WITH_TRANSFORMERS[name]}"
                )

    @property
    def task(self) -> Task | None:
        """What the pipeline must do with a picture to start from; None: there is none."""
        if self.image is None:
            return None
        return IMAGE_TO_IMAGE if self.mask is None else INPAINTING

    @property
    def size(self) -> tuple[int, int] | None:
        """(height, width) of the picture to start from, rounded down to what pipelines take."""
        if self.image is None:
            return None
        height, width = pictures.size_of(self.image)
        return max(height // 8, 1) * 8, max(width // 8, 1) * 8

    def recorded(self) -> Conditioning:
        """For the recipe: every file with its hash."""
        return Conditioning(
            image=_file(self.image),
            strength=self.strength,
            mask=_file(self.mask),
            controls=[
                Control(model=model, revision=_state(model), picture=_file(picture), scale=scale)
                for model, picture, scale in self.controls
            ],
            loras=[Lora(file=_file(Path(lora.name)), scale=lora.scale) for lora in self.loras],
        )

    @classmethod
    def from_recorded(cls, recorded: Conditioning) -> Inputs:
        """The files of a recipe, if they are what they were.

        Raises:
            ValueError: a file is gone or its content has changed.
        """
        parts = [recorded.image, recorded.mask, *(c.picture for c in recorded.controls)]
        for file in filter(None, [*parts, *(lora.file for lora in recorded.loras)]):
            if not os.path.isfile(file.path):  # unlike pathlib, it bears any name
                raise ValueError(
                    f"the recipe's file {printable(file.path)} is not here; put it back to remake the picture"
                )
            if sha256(Path(file.path)) != file.sha256:
                raise ValueError(
                    f"the recipe's file {printable(file.path)} has changed since; "
                    f"its sha256 was {printable(file.sha256)}"
                )
        for control in recorded.controls:
            if _state(control.model) != control.revision:
                raise ValueError(
                    f"the recipe's ControlNet {printable(control.model)} has changed since; "
                    f"it was {printable(str(control.revision))}"
                )
        return cls(
            image=Path(recorded.image.path) if recorded.image else None,
            strength=recorded.strength,
            mask=Path(recorded.mask.path) if recorded.mask else None,
            controls=tuple((c.model, Path(c.picture.path), c.scale) for c in recorded.controls),
            loras=tuple(Weighted(lora.file.path, lora.scale) for lora in recorded.loras),
        )


@contextlib.contextmanager
def prepared(
    pipe: Any, inputs: Inputs, height: int, width: int, wrap: Axes = NOWHERE
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The pipeline that samples with these inputs, and arguments for its call; LoRAs come off at the end.

    Args:
        pipe: a text-to-image pipeline, whose models it shares.
        inputs: see `Inputs`; pictures are scaled to `height` x `width` pixels.
        wrap: the axes on which they wrap.

    Raises:
        ValueError: a ControlNet or LoRA does not fit the pipeline; see `relatives.class_for`.
    """
    with loras.with_loras(pipe, inputs.loras):
        yield _pipeline(pipe, inputs), _arguments(inputs, height, width, wrap)


def resumed(
    runner: Pipeline, inputs: Inputs, height: int, width: int, start: Any
) -> tuple[Pipeline, dict[str, Any]]:
    """The image-to-image pipeline that goes on from pictures or latents, and arguments for its call.

    Args:
        runner: that `prepared` gave for inputs without a picture to start from; its ControlNets and LoRAs stay.
        inputs: those.
        height, width: what the ControlNets' pictures are scaled to, in pixels.
        start: images, or latents (B, C, height, width).

    Raises:
        ValueError: see `relatives.class_for`.
    """
    arguments = _arguments(inputs, height, width)
    if inputs.controls:
        arguments["control_image"] = arguments.pop("image")
    return relative(runner, IMAGE_TO_IMAGE), arguments | {"image": start}


def accepted(pipe: Pipeline, arguments: dict[str, Any]) -> dict[str, Any]:
    """Those arguments that the pipeline's call takes: image-to-image takes its size from the picture."""
    known = inspect.signature(type(pipe).__call__).parameters
    return {
        name: value for name, value in arguments.items() if name in known or name not in ("height", "width")
    }


def usual_strength(pipe: Pipeline) -> float | None:
    """How much of a picture the pipeline makes anew where nothing is chosen; None where it takes no picture."""
    strength = inspect.signature(type(pipe).__call__).parameters.get("strength")
    return None if strength is None else float(strength.default)


def _pipeline(pipe: Any, inputs: Inputs) -> Any:
    if inputs.task is None and not inputs.controls:
        return pipe
    extra = {}
    if inputs.controls:
        nets = [controlnets.load(model, pipe) for model, _, _ in inputs.controls]
        extra["controlnet"] = nets if len(nets) > 1 else nets[0]
    return relative(pipe, inputs.task or TEXT_TO_IMAGE, **extra)


def _arguments(inputs: Inputs, height: int, width: int, wrap: Axes = NOWHERE) -> dict[str, Any]:
    def fitted(path: Path) -> Image.Image:
        return resized(pictures.picture_of(path), (height, width), wrap)

    arguments: dict[str, Any] = {}
    if inputs.controls:
        edges = [fitted(picture) for _, picture, _ in inputs.controls]
        scales = [scale for _, _, scale in inputs.controls]
        one = len(edges) == 1
        arguments["image" if inputs.image is None else "control_image"] = edges[0] if one else edges
        arguments["controlnet_conditioning_scale"] = scales[0] if one else scales
    if inputs.image is not None:
        arguments["image"] = fitted(inputs.image)
        if inputs.strength is not None:
            arguments["strength"] = inputs.strength
    if inputs.mask is not None:
        mask = pictures.picture_of(inputs.mask, "L", _KEPT)
        arguments["mask_image"] = resized(mask, (height, width), wrap)
    return arguments


def _check_picture(path: Path, is_mask: bool = False) -> None:
    """Refuse what cannot be read, and say what may not be meant."""
    with told_as(f"{printable(str(path))} cannot be read", OSError, ValueError):
        status = path.stat()
    state = os.getcwd(), status.st_size, status.st_mtime_ns, status.st_ino, Image.MAX_IMAGE_PIXELS
    for sentence in _doubts(path, is_mask, state):
        remark(sentence)


@functools.lru_cache(maxsize=4096)
def _doubts(path: Path, is_mask: bool, state: tuple[str | int | None, ...]) -> tuple[str, ...]:
    """What may not be meant with a picture: several frames; of a mask transparent parts, or that it is all the same.

    Args:
        state: of the file, and what decides how it is read. As long as it stays, the file is not decoded again for
            each of many jobs.
    """
    picture, sentences = pictures.look_at(path)
    if not is_mask:
        return tuple(sentences)
    name = printable(str(path))
    if pictures.see_through(picture):
        sentences.append(
            f"{name} is transparent in parts: in a mask these count as black and are kept; "
            "fill them with white where they are to be drawn anew"
        )
    grey = pictures.flat(picture, "L", _KEPT)
    white = sum(grey.histogram()[_HALF:])
    if white == 0:
        sentences.append(
            f"{name} is black everywhere, so nothing of the picture is drawn anew; white marks what is"
        )
    elif white == grey.width * grey.height:
        sentences.append(
            f"{name} is white everywhere, so the whole picture is drawn anew; black marks what is kept"
        )
    return tuple(sentences)


def _file(path: Path | None) -> Any:
    return None if path is None else File(path=str(path), sha256=sha256(path))


def _state(model: str) -> str | None:
    from picturelab.models import fingerprint

    return fingerprint(Path(model)) if Path(model).is_dir() else None
