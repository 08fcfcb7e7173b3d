"""Scaled dot-product attention, seen and changed while a module attends; no processor is replaced."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_SDPA = torch.nn.functional.scaled_dot_product_attention
_SDPA_NAMES = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")
See = Callable[[int, dict], dict]


class _Attention(TorchFunctionMode):
    """Sees and changes torch's scaled dot-product attention while one attention module runs."""

    def __init__(self, see: Callable[[dict], dict]) -> None:
        super().__init__()
        self._see = see
        self.calls = 0

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is not _SDPA:
            return func(*args, **kwargs)
        self.calls += 1
        return func(**self._see(dict(zip(_SDPA_NAMES, args, strict=False)) | kwargs))


class _Running(threading.local):
    """The modes that a thread has entered; torch keeps its own stack of them for each thread."""

    def __init__(self) -> None:
        self.modes: list[_Attention] = []


@contextmanager
def intercept_attention(modules: Sequence[torch.nn.Module], see: See) -> Iterator[None]:
    """Call `see(layer, arguments)` for each scaled dot-product attention of these modules.

    No processor is replaced: whatever the processor does before (norms, rotary positions, LoRA) has
    been done when torch's own function is called, and that call is what is seen.

    Raises:
        RuntimeError: at run time, a module attends by other means (xformers, flash, sliced attention).
    """
    running = _Running()

    def enter(layer: int) -> Callable:
        def hook(module: torch.nn.Module, args: tuple) -> None:
            mode = _Attention(lambda call: see(layer, call))
            mode.__enter__()
            running.modes.append(mode)

        return hook

    def leave(module: torch.nn.Module, args: tuple, output: Any) -> None:
        if not running.modes:  # an earlier hook failed before ours was entered
            return
        mode = running.modes.pop()
        mode.__exit__(None, None, None)
        # After a failure inside the module torch calls us with no output: let that error through.
        if output is not None and not mode.calls:
            raise RuntimeError(
                f"{type(module.processor).__name__} does not use torch's scaled_dot_product_attention, so padtone "
                "cannot see its attention; set the default processor and backend, or use trim_padding"
            )

    with ExitStack() as stack:
        for layer, module in enumerate(modules):
            # Of two blocks around one another the inner is entered first, and sees what the outer changes.
            stack.callback(module.register_forward_pre_hook(enter(layer), prepend=True).remove)
            stack.callback(module.register_forward_hook(leave, always_call=True).remove)
        yield
