"""Find a model by name and load it: safetensors only, no remote code."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline
from huggingface_hub.errors import HFValidationError

from . import hub, worlds
from .failures import reason, told_as
from .model_folder import load_folder
from .model_names import DTYPE_NAMES, CheckIndex, any_pipeline, check_dtype, locate
from .pipeline import Pipeline
from .textfiles import read_json
from .worlds import DEFAULT_MODEL

DTYPES: dict[str, torch.dtype] = {name: getattr(torch, name) for name in DTYPE_NAMES}
_ORIGIN = "_model_source"  # where a loaded pipeline keeps its `ModelOrigin`
_SAMPLING = "sampling.json"
_SAMPLING_HOLDS = '{"call": ...}'
_SAMPLE = 2**20  # bytes read at each place of a weights file for its fingerprint

ReadFile = Callable[[Path, torch.dtype], DiffusionPipeline]


@dataclass(frozen=True)
class ModelOrigin:
    """Where a pipeline came from: a name for `load_pipeline`, and which state of it."""

    model: str
    revision: str | None


def load_pipeline(
    model: str = DEFAULT_MODEL,
    *,
    device: str | None = None,
    dtype: str | None = None,
    revision: str | None = None,
    check: CheckIndex = any_pipeline,
    read_file: ReadFile | None = None,
) -> DiffusionPipeline:
    """A pipeline by name.

    Args:
        model: "shapeworld/NAME" for a shipped one, a diffusers folder, a hub id "owner/name" or, with
            `read_file`, a .safetensors file.
        device: None takes CUDA or MPS where there is one, and else the CPU.
        dtype: "float32", "float16" or "bfloat16"; None takes float32 on the CPU and float16 elsewhere.
        revision: a hub commit.
        check: is given the model_index.json before any weights are loaded, and raises ValueError.
        read_file: makes a pipeline of one file.

    Raises:
        ValueError: there is no such model, it cannot be reached, `check` refuses it, its weights are not
            safetensors; the device or dtype is unknown.
    """
    kind = locate(model, check, files=read_file is not None)
    where = choose_device(device)
    precision = choose_dtype(dtype, where)
    shipped = worlds.split(model)
    if shipped is not None:
        world, name = shipped
        pipe, state = world.load(name, precision), fingerprint(world.folder(name))
    elif kind == "file":
        assert read_file is not None  # `locate` has refused it otherwise
        pipe, state = read_file(Path(model), precision), fingerprint(Path(model))
    elif kind == "folder":
        pipe, state = load_folder(Path(model), model, precision), fingerprint(Path(model))
        _prepare(pipe, Path(model))
    else:
        folder = _download(model, revision, check)
        pipe, state = load_folder(folder, model, precision), folder.name  # named by its commit
    setattr(pipe, _ORIGIN, ModelOrigin(model, state))
    return pipe.to(where)


def origin(pipe: Pipeline) -> ModelOrigin:
    """Where a pipeline came from; one that `load_pipeline` did not load is asked for its own name."""
    known = getattr(pipe, _ORIGIN, None)
    return known or ModelOrigin(str(pipe.config.get("_name_or_path") or "unknown"), None)


def usual_call(model: str) -> dict[str, Any]:
    """Arguments for the pipeline's call that a model was measured with, from its folder's `sampling.json`.

    Args:
        model: what `load_pipeline` takes; empty for those that hold no such file, and for hub ids.

    Raises:
        ValueError: the file is damaged, or the model is shipped and not installed.
    """
    shipped = worlds.split(model)
    folder = shipped[0].folder(shipped[1]) if shipped else Path(model)
    values = _sampling(folder)
    with told_as(f"{folder / _SAMPLING} cannot be read: it holds {_SAMPLING_HOLDS}"):
        return dict(values["call"]) if values else {}


def _sampling(folder: Path) -> dict[str, Any]:
    """What a folder's `sampling.json` holds; empty where there is none.

    Raises:
        ValueError: it is damaged.
    """
    file = folder / _SAMPLING
    if not os.path.isfile(file):
        return {}
    return read_json(file, f"{file} cannot be read: it holds {_SAMPLING_HOLDS}")


def _prepare(pipe: DiffusionPipeline, folder: Path) -> None:
    """Let the world that trained a folder's model make the pipeline what the folder says it is.

    Raises:
        ValueError: that world is not installed, or cannot read what the folder says.
    """
    values = _sampling(folder)
    # Version 0.1 named no world, but wrote `masked`.
    name = values.get("world", worlds.USUAL if "masked" in values else None)
    if name is not None:
        worlds.world(str(name)).prepare(pipe, folder)


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
    check_dtype(name)
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


def _download(model: str, revision: str | None, check: CheckIndex) -> Path:
    """The hub's files for a pipeline, from its cache when offline."""
    problem = hub.problem(model, revision)
    try:
        index = DiffusionPipeline.load_config(model, revision=revision, local_files_only=problem is not None)
        check(index, model)  # before gigabytes are fetched
        return Path(
            DiffusionPipeline.download(
                model, revision=revision, use_safetensors=True, local_files_only=problem is not None
            )
        )
    except (OSError, HFValidationError) as error:
        raise unreachable(model, problem or error) from error


def unreachable(model: str, error: BaseException) -> ValueError:
    """What to raise where the hub's model `model` cannot be had."""
    return ValueError(
        f"the model {model!r} is no folder or file here and cannot be had from the hub ({reason(error)}); "
        f"check the name and the network, or use {DEFAULT_MODEL}, which needs none"
    )


def _has_mps() -> bool:
    return torch.backends.mps.is_available()
