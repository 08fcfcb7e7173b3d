"""What goes into a picture besides the prompt: a picture to start from, a mask, ControlNets, LoRAs."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from diffusers import (
    AutoPipelineForImage2Image,
    AutoPipelineForInpainting,
    AutoPipelineForText2Image,
    ControlNetModel,
)
from PIL import Image, UnidentifiedImageError
from pydantic import model_validator

from picturelab.extras import require
from picturelab.models import HUB_ID, fingerprint, unreachable
from picturelab.notation import Weighted
from picturelab.pipeline import Pipeline, UNetPipeline
from picturelab.settings import Settings

from .recipe import Conditioning, Control, File, Lora


class Inputs(Settings):
    """Files that a picture is made from. Checks itself, but for what only loading can tell.

    Raises:
        ValueError: a file cannot be read, a value is out of range, or the picture is missing.
    """

    image: Path | None = None
    """A picture to start from."""

    strength: float | None = None
    """How much of it is made anew, in (0, 1]; None takes the pipeline's own."""

    mask: Path | None = None
    """White where the picture is drawn anew, black where it is kept."""

    controls: tuple[tuple[str, Path, float], ...] = ()
    """ControlNet (folder or hub id) and its picture, with a scale each."""

    loras: tuple[Weighted, ...] = ()
    """.safetensors files, with a scale each."""

    @model_validator(mode="after")
    def _check(self) -> Inputs:
        for name in ("strength", "mask"):
            if getattr(self, name) is not None and self.image is None:
                raise ValueError(f"{name}={getattr(self, name)!s}: needs a picture to start from, --image")
        if self.strength is not None and not 0 < self.strength <= 1:
            raise ValueError(f"strength={self.strength:g}: must be above 0 and at most 1")
        for path in filter(None, (self.image, self.mask, *(picture for _, picture, _ in self.controls))):
            _open(path)
        for model, _, _ in self.controls:
            if not (Path(model) / "config.json").is_file() and not HUB_ID.fullmatch(model):
                raise ValueError(
                    f"control {model!r}: must be a ControlNet's folder, which holds a config.json, or a hub id "
                    "such as owner/name"
                )
        if self.loras:
            require("a LoRA", "lora", "peft")
        for lora in self.loras:
            if Path(lora.name).suffix != ".safetensors" or not Path(lora.name).is_file():
                raise ValueError(
                    f"lora {lora.name!r}: must be a .safetensors file that exists; pickled weights can run code"
                )
        return self

    @property
    def size(self) -> tuple[int, int] | None:
        """(height, width) of the picture to start from, rounded down to what pipelines take."""
        if self.image is None:
            return None
        width, height = _open(self.image).size
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
            if not Path(file.path).is_file():
                raise ValueError(
                    f"the recipe's file {file.path} is not here; put it back to remake the picture"
                )
            if _sha256(Path(file.path)) != file.sha256:
                raise ValueError(
                    f"the recipe's file {file.path} has changed since; its sha256 was {file.sha256}"
                )
        for control in recorded.controls:
            if _state(control.model) != control.revision:
                raise ValueError(
                    f"the recipe's ControlNet {control.model} has changed since; it was {control.revision}"
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
    pipe: UNetPipeline, inputs: Inputs, height: int, width: int
) -> Iterator[tuple[UNetPipeline, dict[str, Any]]]:
    """The pipeline that samples with these inputs, and arguments for its call; LoRAs come off at the end.

    Args:
        pipe: a text-to-image pipeline, whose models it shares.
        inputs: see `Inputs`; pictures are scaled to `height` x `width` pixels.
    """
    with contextlib.ExitStack() as undo:
        if inputs.loras:
            undo.callback(_load_loras(pipe, inputs.loras))
        yield _pipeline(pipe, inputs), _arguments(inputs, height, width)


def accepted(pipe: Pipeline, arguments: dict[str, Any]) -> dict[str, Any]:
    """Those arguments that the pipeline's call takes: image-to-image takes its size from the picture."""
    known = inspect.signature(type(pipe).__call__).parameters
    return {
        name: value for name, value in arguments.items() if name in known or name not in ("height", "width")
    }


def _pipeline(pipe: UNetPipeline, inputs: Inputs) -> UNetPipeline:
    if inputs.image is None and not inputs.controls:
        return pipe
    kind: Any = AutoPipelineForText2Image
    if inputs.image is not None:
        kind = AutoPipelineForImage2Image if inputs.mask is None else AutoPipelineForInpainting
    extra = {}
    if inputs.controls:
        nets = [_controlnet(model, pipe) for model, _, _ in inputs.controls]
        extra["controlnet"] = nets if len(nets) > 1 else nets[0]
    runner: UNetPipeline = kind.from_pipe(pipe, **extra)
    runner.set_progress_bar_config(**getattr(pipe, "_progress_bar_config", {}))
    return runner


def _arguments(inputs: Inputs, height: int, width: int) -> dict[str, Any]:
    def fitted(path: Path, mode: str = "RGB") -> Image.Image:
        return _open(path).convert(mode).resize((width, height), Image.Resampling.LANCZOS)

    arguments: dict[str, Any] = {}
    if inputs.controls:
        pictures = [fitted(picture) for _, picture, _ in inputs.controls]
        scales = [scale for _, _, scale in inputs.controls]
        one = len(pictures) == 1
        arguments["image" if inputs.image is None else "control_image"] = pictures[0] if one else pictures
        arguments["controlnet_conditioning_scale"] = scales[0] if one else scales
    if inputs.image is not None:
        arguments["image"] = fitted(inputs.image)
        if inputs.strength is not None:
            arguments["strength"] = inputs.strength
    if inputs.mask is not None:
        arguments["mask_image"] = fitted(inputs.mask, "L")
    return arguments


def _controlnet(model: str, pipe: UNetPipeline) -> ControlNetModel:
    try:
        net = ControlNetModel.from_pretrained(
            model, dtype=pipe.unet.dtype, use_safetensors=True, local_files_only=Path(model).is_dir()
        )
    except (OSError, ValueError) as error:
        raise unreachable(model, error) from error
    return net.to(pipe.device)


def _load_loras(pipe: Any, loras: tuple[Weighted, ...]) -> Any:
    """Load and weigh them; gives what takes them off again."""
    if pipe.get_list_adapters():
        raise ValueError(f"the pipeline has adapters already ({pipe.get_list_adapters()}): unload them first")
    names = [f"lora{i}" for i in range(len(loras))]
    for name, lora in zip(names, loras, strict=True):
        file = Path(lora.name)
        with warnings.catch_warnings():
            # peft is surprised by a second one.
            warnings.filterwarnings("ignore", message="Already found a `peft_config`")
            pipe.load_lora_weights(
                str(file.parent),
                weight_name=file.name,
                adapter_name=name,
                local_files_only=True,
                use_safetensors=True,
            )
    pipe.set_adapters(names, [lora.scale for lora in loras])
    return pipe.unload_lora_weights


def _open(path: Path) -> Image.Image:
    try:
        with Image.open(path) as image:
            image.load()
            return image
    except UnidentifiedImageError:
        raise ValueError(f"{path} is not a picture") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror or error})") from None


def _file(path: Path | None) -> Any:
    return None if path is None else File(path=str(path), sha256=_sha256(path))


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _state(model: str) -> str | None:
    return fingerprint(Path(model)) if Path(model).is_dir() else None
