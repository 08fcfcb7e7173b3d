"""Find a model by name and load it: safetensors only, no remote code."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import DiffusionPipeline
from huggingface_hub.errors import HFValidationError

import shapeworld

from . import single_file

DEFAULT_MODEL = "shapeworld/unet"
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
_SHIPPED = "shapeworld/"
HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_SOURCE = "_fouriscale_source"  # where a loaded pipeline keeps its `Source`
_SAMPLE = 2**20  # bytes read at each place of a weights file for its fingerprint


@dataclass(frozen=True)
class Source:
    """Where a pipeline came from: a name for `load_pipeline`, and which state of it."""

    model: str
    revision: str | None


def load_pipeline(
    model: str = DEFAULT_MODEL,
    *,
    device: str | None = None,
    dtype: str | None = None,
    preset: str | None = None,
    revision: str | None = None,
) -> DiffusionPipeline:
    """A pipeline with a UNet.

    Args:
        model: "shapeworld/NAME" for a shipped one, a diffusers folder, a .safetensors file in Stable
            Diffusion's original layout, or a hub id "owner/name".
        device: None takes CUDA or MPS where there is one, and else the CPU.
        dtype: "float32", "float16" or "bfloat16"; None takes float32 on the CPU and float16 elsewhere.
        preset: "sd21" or "sd21-768", for a Stable Diffusion 2 file that does not tell.
        revision: a hub commit.

    Raises:
        ValueError: there is no such model, it cannot be reached, it has no UNet, its weights are not
            safetensors; the device or dtype is unknown.
    """
    kind = locate(model)
    where = choose_device(device)
    precision = choose_dtype(dtype, where)
    if kind == "shipped":
        name = model.removeprefix(_SHIPPED)
        pipe, state = shapeworld.load_pipeline(name, precision), fingerprint(shapeworld.WEIGHTS / name)
    elif kind == "file":
        path = Path(model)
        pipe, state = single_file.load(path, precision, preset), fingerprint(path)
    elif kind == "folder":
        pipe, state = _load_folder(Path(model), model, precision), fingerprint(Path(model))
    else:
        folder = _download(model, revision)
        pipe, state = (
            _load_folder(folder, model, precision),
            folder.name,
        )  # snapshots are named by their commit
    setattr(pipe, _SOURCE, Source(model, state))
    return pipe.to(where)


def source(pipe: Any) -> Source:
    """Where a pipeline came from; one that `load_pipeline` did not load is asked for its own name."""
    known = getattr(pipe, _SOURCE, None)
    return known or Source(str(pipe.config.get("_name_or_path") or "unknown"), None)


def locate(model: str) -> Literal["shipped", "file", "folder", "hub"]:
    """What kind of model a name stands for, before anything is loaded.

    Raises:
        ValueError: it stands for nothing that could be loaded; hub ids are not looked up here.
    """
    path = Path(model)
    if model.startswith(_SHIPPED):
        names = sorted(name for name in shapeworld.SAMPLING if (shapeworld.WEIGHTS / name).is_dir())
        if model.removeprefix(_SHIPPED) not in names:
            raise ValueError(
                f"there is no model {model!r}; shipped is {', '.join(_SHIPPED + n for n in names) or 'none'}"
            )
        return "shipped"
    if path.is_dir():
        _check_index(path, model)
        return "folder"
    if path.is_file():
        if path.suffix != ".safetensors":
            raise ValueError(
                f"{model!r} is no .safetensors file; pickled weights can run code and are not loaded"
            )
        return "file"
    if HUB_ID.fullmatch(model) and path.suffix not in (".safetensors", ".ckpt"):
        return "hub"
    raise ValueError(
        f"there is no model {model!r}: give {DEFAULT_MODEL}, a diffusers folder, a .safetensors file that exists, "
        "or a hub id such as owner/name"
    )


def choose_device(name: str | None) -> torch.device:
    """The device by name, or the best one here.

    Raises:
        ValueError: there is no such device here.
    """
    available = [
        kind for kind, here in (("cuda", torch.cuda.is_available()), ("mps", _has_mps())) if here
    ] + ["cpu"]
    try:
        device = torch.device(name or available[0])
    except RuntimeError:
        device = None
    count = torch.cuda.device_count() if device and device.type == "cuda" else 1
    if device is None or device.type not in available or (device.index or 0) >= count:
        raise ValueError(f"there is no device {name!r} here; there is {', '.join(available)}")
    return device


def choose_dtype(name: str | None, device: torch.device) -> torch.dtype:
    """The dtype by name, or the usual one for the device.

    Raises:
        ValueError: the name is unknown.
    """
    if name is None:
        return torch.float32 if device.type == "cpu" else torch.float16
    if name not in DTYPES:
        raise ValueError(f"unknown dtype {name!r}; dtypes are {', '.join(DTYPES)}")
    return DTYPES[name]


def fingerprint(path: Path) -> str:
    """A short name for the state of a weights file, or of all those in a folder.

    Hashes each file's name and size, and a mebibyte at its beginning, middle and end: enough to tell
    trainings apart, and quick at any size.
    """
    files = [path] if path.is_file() else sorted(path.rglob("*.safetensors"))
    digest = hashlib.sha256()
    for file in files:
        size = file.stat().st_size
        digest.update(f"{file.name} {size}\n".encode())
        with file.open("rb") as stream:
            for start in sorted({0, max(size // 2 - _SAMPLE // 2, 0), max(size - _SAMPLE, 0)}):
                stream.seek(start)
                digest.update(stream.read(_SAMPLE))
    return f"sha256:{digest.hexdigest()[:16]}"


def _load_folder(folder: Path, model: str, dtype: torch.dtype) -> DiffusionPipeline:
    _check_index(folder, model)
    weights = [file.name for file in (folder / "unet").glob("*.safetensors")]
    if not weights:
        raise ValueError(
            f"{model!r} has no safetensors weights in unet/; pickled weights can run code and are not loaded"
        )
    variant = "fp16" if all(".fp16" in name for name in weights) else None
    try:
        return DiffusionPipeline.from_pretrained(
            folder, dtype=dtype, variant=variant, use_safetensors=True, local_files_only=True
        )
    except (OSError, ValueError) as error:
        raise ValueError(f"{model!r} cannot be loaded ({_first_line(error)})") from error


def _download(model: str, revision: str | None) -> Path:
    """The hub's files for a pipeline, from its cache when offline."""
    try:
        _check_class(
            DiffusionPipeline.load_config(model, revision=revision), model
        )  # before gigabytes are fetched
        return Path(DiffusionPipeline.download(model, revision=revision, use_safetensors=True))
    except (OSError, HFValidationError) as error:
        raise unreachable(model, error) from error


def unreachable(model: str, error: BaseException) -> ValueError:
    """What to raise where the hub's model `model` cannot be had."""
    return ValueError(
        f"the model {model!r} is no folder or file here and cannot be had from the hub ({_first_line(error)}); "
        f"check the name and the network, or use {DEFAULT_MODEL}, which needs none"
    )


def check_unet_entry(config: dict[str, Any], model: str) -> None:
    """ValueError if a unet/config.json is none of a UNet2DConditionModel."""
    if (
        not isinstance(config, dict)
        or config.get("_class_name", "UNet2DConditionModel") != "UNet2DConditionModel"
    ):
        raise ValueError(
            f"{model!r} has a unet/config.json of a {config.get('_class_name')}: "
            "FouriScale needs a UNet2DConditionModel"
        )


def _check_index(folder: Path, model: str) -> None:
    try:
        index = json.loads((folder / "model_index.json").read_text())
    except FileNotFoundError:
        raise ValueError(f"{model!r} is no diffusers folder: it holds no model_index.json") from None
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{model!r} has a model_index.json that cannot be read ({_first_line(error)})"
        ) from None
    _check_class(index, model)


def _check_class(index: dict[str, Any], model: str) -> None:
    if "UNet2DConditionModel" not in (index.get("unet") or ()):
        raise ValueError(
            f"{model!r} is a {index.get('_class_name', 'model of unknown class')} without a UNet2DConditionModel: "
            "FouriScale works on convolutions, so it needs Stable Diffusion 1.x, 2.x or XL"
        )


def _first_line(error: BaseException) -> str:
    lines: Iterable[str] = (line.strip() for line in str(error).splitlines())
    return next(filter(None, lines), type(error).__name__).rstrip(".")


def _has_mps() -> bool:
    return torch.backends.mps.is_available()
