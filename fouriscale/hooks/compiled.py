"""What `torch.compile` has made of a UNet: whether there is something, and how it is made anew.

Compiled code does not look for new hooks. It is forgotten by the code that it was compiled from, since torch does not
tell from which module: that of the UNet's classes, and of what stands beside them in their files. So another UNet is
compiled anew with it, and blocks of a VAE or a ControlNet that stand in those files, if they are compiled by
themselves; a text encoder or anything else is not.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from types import CodeType
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import nn


def is_compiled(unet: UNet2DConditionModel) -> bool:
    """Whether torch compiles the UNet or a block of it in place."""
    return any(map(_in_place, unet.modules()))


def forget(model: nn.Module) -> None:
    """Have a model compiled anew at its next call; where torch keeps compiled code otherwise, everything."""
    if "torch._dynamo" not in sys.modules:  # nothing is compiled, and importing it takes seconds
        return
    try:
        from torch._dynamo.convert_frame import compile_lock, input_codes, output_codes
        from torch._dynamo.eval_frame import reset_code

        known = [reference() for reference in (*input_codes.seen, *output_codes.seen)]
    except (ImportError, AttributeError):
        torch.compiler.reset()
        return
    codes, files = _codes_of(model)
    with compile_lock:
        for code in known:
            if code is not None and (code in codes or code.co_filename in files):
                reset_code(code)


def _codes_of(model: nn.Module) -> tuple[set[CodeType], set[str]]:
    """What is run for a model's modules, and the files of their classes but for torch's, which others have too."""
    modules = list(model.modules())
    of_its_own = [vars(module).get("forward") for module in modules]
    run = [type(module).forward for module in modules if not _torchs(type(module)) or _in_place(module)]
    processors = [module.processor for module in modules if hasattr(module, "processor")]
    classes = {type(part) for part in modules + processors}
    homes = [sys.modules.get(cls.__module__) for cls in classes if not _torchs(cls)]
    files = {file for home in homes if (file := getattr(home, "__file__", None))}
    return {code for function in of_its_own + run for code in _codes(function)}, files


def _codes(function: Any) -> Iterator[CodeType]:
    """Of a function and of those that it wraps."""
    while function is not None:
        if isinstance(function, functools.partial):
            function = function.func
            continue
        code = getattr(function, "__code__", None)
        if code is not None:
            yield code
        function = getattr(function, "__wrapped__", None)


def _torchs(cls: type) -> bool:
    return cls.__module__.split(".")[0] == "torch"


def _in_place(module: nn.Module) -> bool:
    return getattr(module, "_compiled_call_impl", None) is not None
