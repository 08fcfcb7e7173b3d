"""Positions by rule on one transformer, put on and taken off again by hooks where positions are made.

A pre-hook on the transformer notes whose call begins and what it was given; a hook on what makes positions puts its own
in place of the image's.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any, NoReturn

import torch
from torch import nn

from picturelab.hooks.checkpointing import CheckpointFollower

from . import compiled, rotary_wrap
from .applied import ATTRIBUTE
from .call import COPYING
from .entries import Entries
from .pipelines import bare_unet, caller_of
from .rotary import AppliedPositions
from .rotary_call import Latest, TransformerCall
from .rotary_families import family_of


class RotaryAttachment(Entries[AppliedPositions]):
    """Positions by rule on one transformer, with settings for each of the pipelines that they were applied to.

    Attributes:
        transformer: which one.
        latest: the call that runs.
    """

    def __init__(self, transformer: nn.Module):
        super().__init__()
        self.transformer, self.family = transformer, family_of(transformer)
        self.latest, self._undo = Latest(), ExitStack()
        self._checkpoints = CheckpointFollower(self._carry)
        self._parameters = list(inspect.signature(type(transformer).forward).parameters)[1:]
        self._warmed: dict[nn.Module, Callable[[], None]] = {}  # what is multiplied, and how it is undone

    def __reduce_ex__(self, _: Any) -> NoReturn:
        _refuse_copies()

    def _attach(self) -> None:
        if not self.entries:
            self._undo.close()
        elif getattr(self.transformer, ATTRIBUTE, None) is not self:
            self._attach_to_transformer()
        self._forget_compiled()

    def _attach_to_transformer(self) -> None:
        with ExitStack() as undo:
            for name, value in ((ATTRIBUTE, self), ("__reduce_ex__", _refuse_copies)):
                setattr(self.transformer, name, value)
                undo.callback(delattr, self.transformer, name)
            before = self.transformer.register_forward_pre_hook(self._before, with_kwargs=True)
            undo.callback(before.remove)
            after = self.transformer.register_forward_hook(self._after, always_call=True)
            undo.callback(after.remove)
            undo.callback(self._checkpoints.leave)
            undo.callback(self._warm, [])
            self.family.attach(self, self.transformer, undo)
            self._undo = undo.pop_all()

    def _forget_compiled(self) -> None:
        """Compiled code does not look for new hooks, so what was compiled with others has to go."""
        wrapped = any(
            bare_unet(entry.pipe.transformer) is not entry.pipe.transformer for entry in self.entries
        )
        if wrapped or compiled.is_compiled(self.transformer):
            compiled.forget(self.transformer)

    @torch.compiler.disable
    def _before(self, _: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
        caller = caller_of(self.transformer, "transformer")
        followed = self.followed(caller.pipe) if caller.pipe is not None else self.entries[-1:]
        self._enter(None)
        if followed and caller.pipe is not None:
            rotary_wrap.refuse_running(caller.pipe, followed[0].wrap)
        if followed:
            given = dict(zip(self._parameters, args, strict=False)) | kwargs
            self.latest.call = TransformerCall(followed[0], given)
            self._checkpoints.follow(self.transformer)

    @torch.compiler.disable
    def _after(self, _: nn.Module, args: tuple, output: Any) -> None:
        self._enter(None)

    @torch.compiler.disable
    def replaced(self, maker: Any, args: tuple, output: Any) -> Any:
        """What a maker gives, with the image's own positions by the settings; None: as it is."""
        call = self.latest.call
        if call is None:
            return None
        call.embedded += 1
        replace = self.family.replace
        return replace(call, maker, args, output) if replace else None

    def warm(self, call: TransformerCall, factor: float) -> None:
        """Have the layers of a call that begins multiply their queries and keys."""
        call.temperature = self.latest.temperature = factor
        if factor != 1 and self.family.layers:
            self._warm(self.family.layers(self.transformer))

    def _warm(self, layers: list[nn.Module]) -> None:
        """Hook these layers and no others: a LoRA loaded or unloaded since has replaced some."""
        if layers == list(self._warmed):
            return
        with self._lock:
            while self._warmed:
                self._warmed.popitem()[1]()
            for layer in layers:
                hook = functools.partial(_warmed, self.latest)
                self._warmed[layer] = layer.register_forward_hook(hook).remove

    def _carry(self) -> Callable[[], AbstractContextManager[None]]:
        """What puts a thread into the call that this thread is in now; a `Carrier` for checkpointing."""
        return functools.partial(self._within, self.latest.call)

    @contextlib.contextmanager
    def _within(self, call: TransformerCall | None) -> Iterator[None]:
        before = self.latest.call
        self._enter(call)
        try:
            yield
        finally:
            self._enter(before)

    def _enter(self, call: TransformerCall | None) -> None:
        self.latest.call, self.latest.temperature = call, call.temperature if call else 1.0


def _warmed(latest: Latest, _: nn.Module, args: tuple, output: torch.Tensor) -> torch.Tensor | None:
    return None if latest.temperature == 1 else output * latest.temperature


def _refuse_copies(*_: Any) -> NoReturn:
    raise TypeError(f"FouriScale is applied to this transformer: {COPYING}")
