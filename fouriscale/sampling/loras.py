"""LoRA files: whether they are LoRAs, whether they fit the model, on and off again."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from picturelab import bounds, weights
from picturelab.failures import printable, reason
from picturelab.notation import Weighted
from picturelab.quiet import silence
from picturelab.remarks import remark

_LAYER = re.compile(r"lora_A|lora_down|lora\.down|lora_linear_layer\.down")  # in one tensor of each layer
_MISMATCH = re.compile(r"size mismatch for (\S+?)(?:\.lora\d+)?\.weight: .*?\[([\d, ]*)\].*?\[([\d, ]*)\]")


def check(lora: Weighted) -> None:
    """Refuse what is no LoRA of Stable Diffusion's kind, from the file's header.

    Raises:
        ValueError: the file is not there or is something else, or the scale is out of bounds.
    """
    path, name = Path(lora.name), printable(lora.name)
    if path.suffix != ".safetensors" or not os.path.isfile(path):  # unlike pathlib, it bears any name
        _, at, scale = lora.name.rpartition("@")
        if at:
            raise ValueError(
                f"lora {name!r} is not understood: there is no such file, and {scale!r} is no scale; "
                "give FILE or FILE@SCALE, such as style.safetensors@0.8"
            )
        raise ValueError(
            f"lora {name!r}: must be a .safetensors file that exists; pickled weights can run code"
        )
    bounds.check("scale", lora.scale)
    kind = weights.kind_of(weights.shapes(path))
    if kind != weights.LORA:
        raise ValueError(f"{name} is {kind}: a LoRA of Stable Diffusion 1, 2 or XL is needed")


@contextlib.contextmanager
def with_loras(pipe: Any, loras: Sequence[Weighted]) -> Iterator[None]:
    """A `with` block in which a pipeline has LoRAs; whatever happens, it is left without them.

    Raises:
        ValueError: the pipeline has adapters already, or a file does not fit it.
    """
    if not loras:
        yield
        return
    if pipe.get_list_adapters():
        raise ValueError(f"the pipeline has adapters already ({pipe.get_list_adapters()}): unload them first")
    names = [f"lora{i}" for i in range(len(loras))]
    try:
        for name, lora in zip(names, loras, strict=True):
            _attach(pipe, Path(lora.name), name)
        pipe.set_adapters(names, [lora.scale for lora in loras])
        yield
    finally:
        pipe.unload_lora_weights()


def _attach(pipe: Any, file: Path, name: str) -> None:
    path = printable(str(file))
    try:
        with silence():
            pipe.load_lora_weights(
                str(file.parent),
                weight_name=file.name,
                adapter_name=name,
                local_files_only=True,
                use_safetensors=True,
            )
    except Exception as error:
        raise ValueError(f"{path} {_misfit(error)}") from error
    layers = [key for key in weights.shapes(file) if _LAYER.search(key)]
    count = _layers_with(pipe, name)
    if not count:
        raise ValueError(f"{path} is a LoRA of another model: none of its layers is in this one")
    if count < len(layers):
        remark(
            f"{path}: {len(layers) - count} of its {len(layers)} layers are not in this model and left out"
        )


def _misfit(error: Exception) -> str:
    """Why a LoRA cannot be loaded, with the sizes where the error names them."""
    sizes = _MISMATCH.search(" ".join(str(error).split()))
    if sizes is not None:
        layer, its, ours = sizes.groups()
        return f"is a LoRA of another model: its {layer} has the shape [{its}], this model's [{ours}]"
    if "mismatched_sizes" in str(error):  # transformers, which keeps the numbers to itself
        return "is a LoRA of another model: its layers of a text encoder have other sizes than this model's"
    return f"cannot be loaded as a LoRA of this model ({reason(error)})"


def _layers_with(pipe: Any, adapter: str) -> int:
    """How many layers of the pipeline's models an adapter changes."""
    from peft.tuners.tuners_utils import BaseTunerLayer
    from torch import nn

    modules = [part for part in pipe.components.values() if isinstance(part, nn.Module)]
    layers = [m for part in modules for m in part.modules() if isinstance(m, BaseTunerLayer)]
    return sum(adapter in names for names in map(_adapters, layers))


def _adapters(layer: Any) -> set[str]:
    return {name for kind in layer.adapter_layer_names for name in getattr(layer, kind, {})}
