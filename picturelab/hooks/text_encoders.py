"""A pipeline's text encoders: equal texts read once, padding left out, and all of them let go."""

from __future__ import annotations

import contextlib
import copy
import functools
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import torch

from ..pipeline import Pipeline

_REMEMBERED = 3  # outputs an encoder: a prompt's, the negative prompt's, and that of a text of padding

Forward = Callable[..., Any]


def text_encoders(pipe: Pipeline) -> dict[str, torch.nn.Module]:
    """A pipeline's text encoders that are loaded, by the names of its components."""
    return {
        name: part
        for name, part in pipe.components.items()
        if name.startswith("text_encoder") and isinstance(part, torch.nn.Module)
    }


def let_go(pipe: Pipeline) -> None:
    """Take a pipeline's text encoders out of it. It goes on with encodings, and reads no prompt any more."""
    for name in text_encoders(pipe):
        setattr(pipe, name, None)


class TextsRead:
    """What text encoders gave for their latest inputs, so that equal inputs are read once.

    A negative prompt is read with each prompt, by the pipeline itself. The outputs are those of the same call, bit
    for bit.

    Attributes:
        calls: runs of an encoder that were needed.
    """

    def __init__(self) -> None:
        self._outputs: OrderedDict[str, Any] = OrderedDict()
        self.calls = 0

    def forget(self) -> None:
        self._outputs.clear()

    @contextlib.contextmanager
    def remembered(self, pipe: Pipeline) -> Iterator[None]:
        """Inside the block, encoders whose weights stay as they are answer from memory where they can."""
        encoders = text_encoders(pipe)
        room = _REMEMBERED * len(encoders)

        def around(name: str, forward: Forward) -> Forward:
            def read(*args: Any, **kwargs: Any) -> Any:
                key = f"{name} {_digest((args, kwargs))}"
                if key not in self._outputs:
                    self.calls += 1
                    output = forward(*args, **kwargs)
                    while len(self._outputs) >= room:
                        self._outputs.popitem(last=False)
                    self._outputs[key] = copy.deepcopy(output)  # whoever asked may write into it
                    return output
                self._outputs.move_to_end(key)
                return copy.deepcopy(self._outputs[key])

            return read

        with _wrapped(encoders, around):
            yield


@contextlib.contextmanager
def at_true_length(pipe: Pipeline) -> Iterator[None]:
    """Inside the block, text encoders leave out padding at the right that their mask hides.

    The rows of a text are what they are with the padding, up to rounding; those of the padding are zero. It is for
    pipelines that drop or mask the padding's rows, see `picturelab.true_length`.
    """

    def around(name: str, forward: Forward) -> Forward:
        def read(*args: Any, **kwargs: Any) -> Any:
            ids: Any = args[0] if args else kwargs.get("input_ids")
            mask: Any = kwargs.get("attention_mask")
            length = _padded_from(ids, mask)
            if length is None:
                return forward(*args, **kwargs)
            kwargs = kwargs | {"attention_mask": mask[:, :length]}
            if args:
                args = (ids[:, :length], *args[1:])
            else:
                kwargs |= {"input_ids": ids[:, :length]}
            if kwargs.get("position_ids") is not None:
                kwargs |= {"position_ids": kwargs["position_ids"][..., :length]}
            return _with_padding(forward(*args, **kwargs), mask, length)

        return read

    with _wrapped(text_encoders(pipe), around):
        yield


def _padded_from(ids: Any, mask: Any) -> int | None:
    """Where the padding of a batch begins; None: there is none, or it does not lie at the right under a mask."""
    if not isinstance(ids, torch.Tensor) or not isinstance(mask, torch.Tensor) or mask.shape != ids.shape:
        return None
    real = mask.bool()
    length = int(real.sum(dim=1).max())
    at_the_right = bool((real[:, :-1] | ~real[:, 1:]).all()) and bool(real[:, 0].all())
    return length if at_the_right and length < real.shape[1] else None


def _with_padding(output: Any, mask: torch.Tensor, length: int) -> Any:
    """An encoder's output with rows of zeros where padding was left out, or is hidden in a batch."""

    def padded(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(padded(each) for each in value)
        if not isinstance(value, torch.Tensor) or value.ndim != 3 or value.shape[1] != length:
            return value
        rows = value.new_zeros(value.shape[0], mask.shape[1], value.shape[2])
        rows[:, :length] = value
        return rows.masked_fill_(~mask.bool()[..., None].to(value.device), 0)

    if isinstance(output, tuple):
        return padded(output)
    for name, value in list(output.items()):
        output[name] = padded(value)
    return output


@contextlib.contextmanager
def _wrapped(
    modules: dict[str, torch.nn.Module], around: Callable[[str, Forward], Forward]
) -> Iterator[None]:
    """Inside the block, each module's `forward` is what `around` makes of it."""
    with contextlib.ExitStack() as stack:
        for name, module in modules.items():
            own, forward = module.__dict__.get("forward"), module.forward
            module.forward = functools.wraps(forward)(around(name, forward))
            stack.callback(_restore, module, own)
        yield


def _restore(module: torch.nn.Module, own: Forward | None) -> None:
    if own is None:
        del module.__dict__["forward"]
    else:  # offload has put its own there
        module.forward = own


def _digest(value: Any) -> str:
    """Of everything that an encoder is called with."""
    digest = hashlib.sha256()

    def add(value: Any) -> None:
        if isinstance(value, torch.Tensor):
            digest.update(f"{value.dtype} {tuple(value.shape)} {value.device}".encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        elif isinstance(value, dict):
            for name in sorted(value):
                digest.update(f"{name}=".encode())
                add(value[name])
        elif isinstance(value, list | tuple):
            digest.update(f"{type(value).__name__}{len(value)}".encode())
            for each in value:
                add(each)
        else:
            digest.update(repr(value).encode())

    add(value)
    return digest.hexdigest()
