"""What a pipeline's own `encode_prompt` gives in a call, recorded without sampling and handed over later."""

from __future__ import annotations

import contextlib
import copy
import functools
import hashlib
import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from ..pipeline import Pipeline

_WORDS = (str, int, float, bool, list, tuple, dict, type(None))  # of arguments that decide a text


class _BeforeSamplingError(Exception):
    """Ends a call of a pipeline when its denoiser's turn comes."""


class _NoDenoiser:
    """Has what a denoiser has, but ends the call that runs it."""

    def __init__(self, denoiser: torch.nn.Module) -> None:
        self._denoiser = denoiser

    def __getattr__(self, name: str) -> Any:
        return getattr(self._denoiser, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise _BeforeSamplingError


def recorded(
    pipe: Pipeline, denoiser: torch.nn.Module, call: Mapping[str, Any]
) -> dict[str, torch.Tensor] | None:
    """What `encode_prompt` gives in a call of a pipeline, as tensors by name; the denoiser does not run.

    The pipeline may sample at the same time: a copy of it is called, with the same text encoders.

    Args:
        denoiser: the pipeline's, before whose first run the call ends.
        call: the arguments.

    Returns:
        None where it gives something else than tensors, or is not asked.
    """
    texts: dict[str, torch.Tensor] = {}
    whole = True
    reader: Any = copy.copy(pipe)
    # Past the pipeline's own `__setattr__`, which writes into a config that the two share.
    own = reader.__dict__
    own.pop("encode_prompt", None)
    own["scheduler"] = copy.deepcopy(pipe.scheduler)
    (place,) = [name for name, part in pipe.components.items() if part is denoiser]
    own[place] = _NoDenoiser(denoiser)

    def note(original: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        nonlocal whole
        values = original(*args, **kwargs)
        named = _named(_key(original, args, kwargs), values)
        whole = whole and named is not None
        texts.update(named or {})
        return values

    with _asked(reader, note), contextlib.suppress(_BeforeSamplingError):
        reader(**call)
    return texts if whole and texts else None


@contextlib.contextmanager
def handed_over(pipe: Pipeline, texts: Mapping[str, torch.Tensor]) -> Iterator[None]:
    """Inside the block, `encode_prompt` gives what was recorded for equal arguments; others are encoded."""

    def look(original: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        known = _values(_key(original, args, kwargs), texts, pipe._execution_device)
        return original(*args, **kwargs) if known is None else known

    with _asked(pipe, look):
        yield


@contextlib.contextmanager
def _asked(pipe: Any, answer: Callable[..., Any]) -> Iterator[None]:
    """Inside the block, calls of `encode_prompt` are answered by a function of it and its arguments."""
    original, own = pipe.encode_prompt, pipe.__dict__.get("encode_prompt")

    @functools.wraps(original)
    def encode_prompt(*args: Any, **kwargs: Any) -> Any:
        return answer(original, args, kwargs)

    pipe.encode_prompt = encode_prompt
    try:
        yield
    finally:
        if own is None:
            del pipe.__dict__["encode_prompt"]
        else:
            pipe.encode_prompt = own


def _key(original: Any, args: tuple, kwargs: dict[str, Any]) -> str:
    """Of the words and numbers among a call's arguments."""
    bound = inspect.signature(original).bind(*args, **kwargs)
    bound.apply_defaults()
    words = {name: value for name, value in bound.arguments.items() if isinstance(value, _WORDS)}
    text = json.dumps(words, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _named(key: str, values: Any) -> dict[str, torch.Tensor] | None:
    """Values as tensors, each by the key, its place and its kind; None: there is one that is none."""
    texts: dict[str, torch.Tensor] = {}
    several = values if isinstance(values, tuple) else (values,)
    for i, value in enumerate(several):
        if value is None:
            texts[f"{key} {i} none"] = torch.zeros(1)
        elif isinstance(value, torch.Tensor):
            texts[f"{key} {i} {'tensor' if isinstance(values, tuple) else 'alone'}"] = value
        elif isinstance(value, list) and all(isinstance(each, torch.Tensor) for each in value):
            texts[f"{key} {i} list"] = torch.tensor([len(value)])
            texts |= {f"{key} {i} list {j}": each for j, each in enumerate(value)}
        else:
            return None
    return texts


def _values(key: str, texts: Mapping[str, torch.Tensor], device: torch.device) -> Any:
    """The values that were recorded under a key; None: there are none."""
    kinds = dict(name.split(" ")[1:3] for name in texts if name.startswith(f"{key} "))
    if not kinds:
        return None

    def value(i: int, kind: str) -> Any:
        if kind == "none":
            return None
        if kind == "list":
            count = int(texts[f"{key} {i} list"])
            return [texts[f"{key} {i} list {j}"].to(device) for j in range(count)]
        return texts[f"{key} {i} {kind}"].to(device)

    values = tuple(value(i, kinds[str(i)]) for i in range(len(kinds)))
    return values[0] if list(kinds.values()) == ["alone"] else values
