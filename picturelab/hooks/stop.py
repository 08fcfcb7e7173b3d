"""Where a denoiser can be followed and stopped: before its blocks and after its calls, whoever calls it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from torch import nn


@contextmanager
def before_each_block(denoiser: nn.Module, check: Callable[[], None]) -> Iterator[None]:
    """Call `check` before every call of a module within a `with` block, and before every block in it.

    Blocks are its children, and theirs: at the edges of blocks no attention or convolution is under way, so
    what others have attached there is at rest when `check` raises.

    Raises:
        Exception: what `check` raises, out of the module's call.
    """
    blocks = [denoiser, *denoiser.children(), *(b for child in denoiser.children() for b in child.children())]
    with ExitStack() as undo:
        for block in blocks:
            undo.callback(block.register_forward_pre_hook(lambda *_: check()).remove)
        yield


@contextmanager
def before_each_call(denoiser: nn.Module, wait: Callable[[], None]) -> Iterator[None]:
    """Call `wait` before every call of a module within a `with` block, while none of its blocks is under way.

    Raises:
        Exception: what `wait` raises, out of the module's call.
    """
    handle = denoiser.register_forward_pre_hook(lambda *_: wait())
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def after_each_call(denoiser: nn.Module, count: Callable[[], None]) -> Iterator[None]:
    """Call `count` after every call of a module within a `with` block.

    Raises:
        Exception: what `count` raises, out of the module's call.
    """
    handle = denoiser.register_forward_hook(lambda *_: count())
    try:
        yield
    finally:
        handle.remove()
