"""Attention kernels that take a mask for a number of keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from diffusers.models.attention_dispatch import _AttentionBackendRegistry

from ..families.family import Family

FIRST_KEYS = ("flash_varlen", "_flash_varlen_3", "sage_varlen")
"""Backends of diffusers 0.42 that count the keys which a mask shows and keep as many from the front: with the text in
front of the picture they would drop keys of the picture, and keep the padding, without a word."""


def refuse_first_keys(family: Family, denoiser: Any, rows: torch.Tensor) -> None:
    """Refuse a text with hidden rows in front of a picture, where the kernel keeps the first keys.

    Args:
        rows: which of them are shown, (batch, rows) bool.

    Raises:
        ValueError: see above.
    """
    if family.attention != "text first" or bool(rows.all()):
        return
    wrong = backends_of(denoiser) & set(FIRST_KEYS)
    if wrong:
        lengths = rows.sum(dim=1).tolist()
        raise ValueError(
            f"the attention backend is {min(wrong)!r}, which keeps the first keys of a batch and not those that a mask "
            f"shows; texts of {', '.join(map(str, lengths))} of {rows.shape[1]} rows need one: call "
            'set_attention_backend("native"), or sample texts of one length together, without padding'
        )


def backends_of(denoiser: Any) -> set[str]:
    """The names of the backends that a denoiser attends with; none where its processors know of no choice."""
    usual = _AttentionBackendRegistry.get_active_backend()[0]
    processors: Iterator[Any] = (getattr(module, "processor", None) for module in denoiser.modules())
    chosen = (
        processor._attention_backend or usual
        for processor in processors
        if hasattr(processor, "_attention_backend")
    )
    return {backend.value for backend in chosen}
