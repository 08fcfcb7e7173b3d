"""What a model's name stands for. Needs neither torch nor diffusers, so that a wrong name is refused at once."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from . import worlds
from .failures import printable
from .textfiles import nearest, read_json
from .worlds import DEFAULT_MODEL

HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
DTYPE_NAMES = ("float32", "float16", "bfloat16")

CheckIndex = Callable[[dict[str, Any], str], None]
"""Is given a model_index.json and the model's name; raises ValueError."""


def any_pipeline(index: dict[str, Any], model: str) -> None:
    """A `check` that refuses nothing."""


def locate(
    model: str, check: CheckIndex = any_pipeline, *, files: bool = False
) -> Literal["shipped", "file", "folder", "hub"]:
    """What kind of model a name stands for, before anything is loaded.

    Args:
        files: whether single .safetensors files can be read.

    Raises:
        ValueError: it stands for nothing that could be loaded; hub ids are not looked up here.
    """
    path = Path(model)
    shipped = worlds.split(model)
    if shipped is not None:
        world, name = shipped
        if name not in world.models():
            known = ", ".join(f"{model.removesuffix(name)}{other}" for other in world.models())
            raise ValueError(f"there is no model {model!r}; shipped is {known or 'none'}")
        check_index(world.folder(name), model, check)
        return "shipped"
    if os.path.isdir(model):  # unlike pathlib, it bears any name
        check_index(path, model, check)
        return "folder"
    if os.path.isfile(model):
        _check_file(path, model, files)
        return "file"
    if HUB_ID.fullmatch(model) and path.suffix not in (".safetensors", ".ckpt"):
        return "hub"
    kinds = (
        "a diffusers folder, a .safetensors file that exists," if files else "a diffusers folder that exists,"
    )
    shipped_names = [f"{name}/{own}" for name, one in worlds.worlds().items() for own in one.models()]
    meant = next((name for name in shipped_names if name.endswith(f"/{model.lower()}")), None)
    hint = f" (did you mean {meant!r}?)" if meant else nearest(model, shipped_names)
    raise ValueError(
        f"there is no model {model!r}{hint}: give {DEFAULT_MODEL}, {kinds} or a hub id such as owner/name"
    )


def check_index(folder: Path, model: str, check: CheckIndex) -> None:
    """Read a folder's model_index.json, and hand it and the model's name to `check`.

    Raises:
        ValueError: there is none, it cannot be read, or `check` refuses it.
    """
    file = folder / "model_index.json"
    if not file.is_file():
        raise ValueError(f"{model!r} is no diffusers folder: it holds no model_index.json{_instead(folder)}")
    check(read_json(file, f"{model!r} has a model_index.json that cannot be read"), model)


def check_dtype(name: str | None) -> None:
    """Is it the name of a dtype that models are loaded in? None stands for the device's usual one.

    Raises:
        ValueError: it is not.
    """
    if name is not None and name not in DTYPE_NAMES:
        raise ValueError(f"unknown dtype {name!r}; dtypes are {', '.join(DTYPE_NAMES)}")


def _check_file(path: Path, model: str, files: bool) -> None:
    if path.suffix != ".safetensors":
        raise ValueError(
            f"{model!r} is no .safetensors file; pickled weights can run code and are not loaded"
        )
    if not files:
        raise ValueError(
            f"{model!r} is a single file; give a diffusers folder, a hub id such as owner/name, or {DEFAULT_MODEL}"
        )


def _instead(folder: Path) -> str:
    """What a folder says that it is in place of a pipeline, as the end of a sentence."""
    try:
        config = read_json(folder / "config.json")
        kind = config.get("_class_name") or config["architectures"][0]
    except Exception:  # none, or none that says
        return ""
    return f", and its config.json is that of a {printable(str(kind))}"
