"""A diffusers folder: which variant of the weights is there, and loading it whole."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import torch
from diffusers import DiffusionPipeline

from .failures import told_as
from .quiet import silence

# How weights of a variant are called, with pieces counted before or behind it.
_WEIGHTS = re.compile(
    r"[a-z_]+(\.(?P<before>[a-z]\w*))?(-\d{5}-of-\d{5})?(\.(?P<behind>[a-z]\w*))?\.safetensors"
)
_PREFERRED = ("fp16", "bf16")


def load_folder(folder: Path, model: str, dtype: torch.dtype) -> DiffusionPipeline:
    """The pipeline of a folder, on the CPU. `model` is what messages call it.

    Raises:
        ValueError: its weights are not safetensors, are missing in part, or cannot be loaded.
    """
    parts = sorted(path for path in folder.iterdir() if path.is_dir())
    for part in parts:
        if not any(part.glob("*.safetensors")) and any(part.glob("*.bin")):
            raise ValueError(
                f"{model!r} has no safetensors weights in {part.name}/; pickled weights can run code and are not "
                "loaded"
            )
    try:
        variant = variant_of(parts)
    except ValueError as error:
        raise ValueError(f"{model!r}: {error}") from None
    with told_as(f"{model!r} cannot be loaded"), silence():
        pipe: DiffusionPipeline = DiffusionPipeline.from_pretrained(
            folder, dtype=dtype, variant=variant, use_safetensors=True, local_files_only=True
        )
    check_complete(pipe, repr(model))
    return pipe


def check_complete(pipe: DiffusionPipeline, name: str) -> None:
    """Refuse a pipeline of which diffusers has found some tensors only; it leaves the others on no device.

    Raises:
        ValueError: tensors are missing; the sentence begins with `name` and says which.
    """
    missing = [
        f"{part}.{key}"
        for part, module in pipe.components.items()
        if isinstance(module, torch.nn.Module)
        for key, value in module.state_dict().items()
        if value.is_meta
    ]
    if missing:
        raise ValueError(f"{name} is incomplete: {len(missing)} tensors are missing, such as {missing[0]}")


def variant_of(folders: Iterable[Path]) -> str | None:
    """Which variant of the weights to ask for, such as "fp16"; None where each folder has plain ones, or none at all.

    Folders that lack it are read without it.

    Raises:
        ValueError: two folders have different variants only.
    """
    needed: dict[str, str] = {}  # variant to the folder that has nothing else
    for folder in folders:
        variants = {_variant(file.name) for file in sorted(folder.glob("*.safetensors"))}
        if variants and None not in variants:
            best = next(name for name in (*_PREFERRED, *sorted(filter(None, variants))) if name in variants)
            needed.setdefault(best, folder.name)
    if len(needed) > 1:
        parts = " and ".join(f"{part}/ in {variant} only" for variant, part in needed.items())
        raise ValueError(f"there are weights for {parts}: one variant, or plain files, are needed for both")
    return next(iter(needed), None)


def _variant(name: str) -> str | None:
    match = _WEIGHTS.fullmatch(name)
    return match and (match["before"] or match["behind"])
