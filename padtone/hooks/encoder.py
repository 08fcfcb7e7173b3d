"""What the text encoders receive: seen and changed by forward pre-hooks, never by rewriting a pipeline."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from picturelab.pipeline import Pipeline

from ..families.family import Family, TextEncoder
from ..families.registry import encoders_of
from ..maths.roles import real_span

Change = Callable[
    [TextEncoder, torch.Tensor, "torch.Tensor | None"], tuple[torch.Tensor, "torch.Tensor | None"]
]


@dataclass(frozen=True)
class EncoderCall:
    """One run of a text encoder, before any change of ours. `ids` and `mask` are (batch, tokens)."""

    encoder: TextEncoder
    ids: torch.Tensor
    mask: torch.Tensor | None


class Listener(threading.local):
    """Where the encoders' calls of one thread are written; None: nowhere, and then none is changed either."""

    calls: list[EncoderCall] | None = None

    @contextmanager
    def listening(self) -> Iterator[list[EncoderCall]]:
        """Inside the block, this thread's calls are written into a new list."""
        before, self.calls = self.calls, []
        try:
            yield self.calls
        finally:
            self.calls = before


@contextmanager
def watch_encoders(
    pipe: Pipeline, family: Family, change: Change | None = None
) -> Iterator[list[EncoderCall]]:
    """Record what each text encoder receives from this thread; `change` may hand it other ids or another mask."""
    listener = Listener()
    with hear_encoders(pipe, family, listener, change), listener.listening() as calls:
        yield calls


@contextmanager
def hear_encoders(
    pipe: Pipeline, family: Family, listener: Listener, change: Change | None = None
) -> Iterator[None]:
    """`watch_encoders` where the listener says from when to when: other pipelines may have the same encoders."""
    with ExitStack() as stack:
        for encoder, module in encoders_of(pipe, family):
            # Recorded before anybody's change, changed after everybody else's.
            record = module.register_forward_pre_hook(
                _recorder(pipe, encoder, listener), with_kwargs=True, prepend=True
            )
            stack.callback(record.remove)
            if change is not None:
                hook = module.register_forward_pre_hook(_changer(encoder, listener, change), with_kwargs=True)
                stack.callback(hook.remove)
        yield


@dataclass(frozen=True)
class FilledRows:
    """Which rows of the denoiser's text one encoder fills for one prompt of a batch.

    Attributes:
        call: what the encoder received.
        ids, mask: of this prompt; no mask: None.
        prompt: which of `encode_prompt`'s arguments it read.
        rows: the rows; None where it gives only its pooled vector.
        tokens: positions in `ids`, one a row (without rows: all of them); -1 where a pipeline added the row.
    """

    call: EncoderCall
    ids: list[int]
    mask: list[int] | None
    prompt: str
    rows: range | None
    tokens: list[int]


def filled_rows(
    pipe: Pipeline, family: Family, calls: Mapping[str, EncoderCall], member: int, length: int
) -> Iterator[FilledRows]:
    """What each encoder that was called contributes, in the order of their rows.

    Args:
        calls: by the encoder's name.
        member: the prompt's place in the batch.
        length: the text's rows.
    """
    start, stop, alone = 0, 0, True
    for encoder in family.encoders:
        if encoder.name not in calls:
            continue
        call = calls[encoder.name]
        ids = call.ids[member].tolist()
        mask = None if call.mask is None else call.mask[member].long().tolist()
        if encoder.feeds == "pooled":
            yield FilledRows(call, ids, mask, encoder.prompt, None, list(range(len(ids))))
            continue
        tokens = family.rows(pipe, ids, mask, length)
        if encoder.feeds == "rows":
            start = stop
        stop = max(stop, start + len(tokens))
        # SDXL's refiner has no first encoder: its second takes over rows and prompt.
        prompt = "prompt" if alone and encoder.feeds == "channels" else encoder.prompt
        alone = False
        yield FilledRows(call, ids, mask, prompt, range(start, start + len(tokens)), tokens)


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


def _recorder(pipe: Pipeline, encoder: TextEncoder, listener: Listener) -> Callable:
    def hook(module: torch.nn.Module, args: tuple, kwargs: dict) -> None:
        if listener.calls is None:
            return
        ids, mask = args[0] if args else kwargs["input_ids"], kwargs.get("attention_mask")
        _check_length(pipe, encoder, module, ids.shape[1])
        listener.calls.append(EncoderCall(encoder, ids.cpu(), None if mask is None else mask.cpu()))

    return hook


def _changer(encoder: TextEncoder, listener: Listener, change: Change) -> Callable:
    def hook(module: torch.nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        if listener.calls is None:
            return args, kwargs
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


def real_positions(tokenizer: Any, ids: Sequence[int], mask: Sequence[int] | None) -> list[int]:
    """Positions of an encoder's input that are no padding, by its mask or else by its ids."""
    if mask is not None:
        return [i for i, real in enumerate(mask) if real]
    pad, eos = tokenizer.pad_token_id, tokenizer.eos_token_id
    return list(range(*real_span(ids, pad=pad, eos=eos, side=tokenizer.padding_side)))


def padding_ids(pipe: Pipeline) -> Change:
    """A change that replaces every id by padding: N padding tokens and nothing else."""

    def change(
        encoder: TextEncoder, ids: torch.Tensor, mask: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        pad = tokenizer_of(pipe, encoder).pad_token_id
        return torch.full_like(ids, pad), mask

    return change
