"""ComfyUI's real source, at COMFYUI, on the CPU.

Of torchvision, which ComfyUI imports for models that are not tested here, the name is enough where it is not installed.
"""

import importlib.machinery
import os
import sys
import types
from importlib.util import find_spec
from pathlib import Path

import diffusers  # noqa: F401  # it looks for torchvision, so before the name is there
import pytest
import torchsde  # noqa: F401
import transformers  # noqa: F401


def pytest_configure() -> None:
    folder = Path(os.environ.get("COMFYUI", ""))
    if not (folder / "comfy" / "model_patcher.py").is_file():
        raise pytest.UsageError(f"COMFYUI={str(folder)!r}: must be a folder with ComfyUI's source")
    sys.path.append(str(folder))
    names = ("torchvision", "torchvision.transforms", "torchvision.models")
    stand_ins = {} if find_spec("torchvision") else {name: types.ModuleType(name) for name in names}
    for name, module in stand_ins.items():
        module.__spec__ = importlib.machinery.ModuleSpec(name, None)
        setattr(stand_ins["torchvision"], name.rpartition(".")[2], module)
    sys.modules |= stand_ins
    from comfy.cli_args import args

    args.cpu = True  # before anything asks for a device
