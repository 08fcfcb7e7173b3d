"""What the text encoders receive: seen and changed by forward pre-hooks, never by rewriting a pipeline."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from picturelab.pipeline import Pipeline

from ..families.family import Family, TextEncoder
from ..families.registry import encoders_of

Change = Callable[
    [TextEncoder, torch.Tensor, "torch.Tensor | None"], tuple[torch.Tensor, "torch.Tensor | None"]
]


@dataclass(frozen=True)
class EncoderCall:
    """One run of a text encoder, before any change of ours. `ids` and `mask` are (batch, tokens)."""

    encoder: TextEncoder
    ids: torch.Tensor
    mask: torch.Tensor | None


@contextmanager
def watch_encoders(
    pipe: Pipeline, family: Family, change: Change | None = None
) -> Iterator[list[EncoderCall]]:
    """Record what each text encoder receives; `change` may hand it other ids or another mask."""
    calls: list[EncoderCall] = []
    with ExitStack() as stack:
        for encoder, module in encoders_of(pipe, family):
            # Recorded before anybody's change, changed after everybody else's.
            record = module.register_forward_pre_hook(
                _recorder(pipe, encoder, calls), with_kwargs=True, prepend=True
            )
            stack.callback(record.remove)
            if change is not None:
                hook = module.register_forward_pre_hook(_changer(encoder, change), with_kwargs=True)
                stack.callback(hook.remove)
        yield calls


def position_limit(module: torch.nn.Module) -> int | None:
    """The longest text that an encoder with a table of positions (CLIP, BERT) can read; None: no table."""
    tables = [
        m
        for name, m in module.named_modules()
        if name.endswith(("position_embedding", "position_embeddings"))
    ]
    return next((m.num_embeddings for m in tables if isinstance(m, torch.nn.Embedding)), None)


def _check_length(pipe: Pipeline, encoder: TextEncoder, module: torch.nn.Module, length: int) -> None:
    """A pipeline may pad to more than its encoder can read, such as FLUX with a CLIP in T5's place.

    Raises:
        ValueError: it does.
    """
    limit = position_limit(module)
    if limit is None or length <= limit:
        return
    takes = inspect.signature(pipe.encode_prompt).parameters
    remedy = (
        f"pass max_sequence_length={limit}"
        if "max_sequence_length" in takes
        else f"set {encoder.tokenizer}.model_max_length to {limit}"
    )
    raise ValueError(
        f"{type(pipe).__name__} pads to {length} tokens here and {encoder.name} reads at most {limit}: {remedy}"
    )


def _recorder(pipe: Pipeline, encoder: TextEncoder, calls: list[EncoderCall]) -> Callable:
    def hook(module: torch.nn.Module, args: tuple, kwargs: dict) -> None:
        ids, mask = args[0] if args else kwargs["input_ids"], kwargs.get("attention_mask")
        _check_length(pipe, encoder, module, ids.shape[1])
        calls.append(EncoderCall(encoder, ids.cpu(), None if mask is None else mask.cpu()))

    return hook


def _changer(encoder: TextEncoder, change: Change) -> Callable:
    def hook(module: torch.nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        ids, mask = args[0] if args else kwargs["input_ids"], kwargs.get("attention_mask")
        ids, mask = change(encoder, ids, mask)
        if mask is not None:
            kwargs = kwargs | {"attention_mask": mask}
        return ((ids, *args[1:]), kwargs) if args else (args, kwargs | {"input_ids": ids})

    return hook


def tokenizer_of(pipe: Pipeline, encoder: TextEncoder) -> Any:
    """The tokenizer of an encoder; a processor's inner one."""
    tokenizer = getattr(pipe, encoder.tokenizer)
    return getattr(tokenizer, "tokenizer", tokenizer)


def padding_ids(pipe: Pipeline) -> Change:
    """A change that replaces every id by padding: N padding tokens and nothing else."""

    def change(
        encoder: TextEncoder, ids: torch.Tensor, mask: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        pad = tokenizer_of(pipe, encoder).pad_token_id
        return torch.full_like(ids, pad), mask

    return change
