"""Pages that are built but not served."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

Built = TypeVar("Built")


def in_a_loop(build: Callable[[], Built]) -> Built:
    """Call it inside an event loop: outside of one Gradio opens loops that it never closes."""

    async def call() -> Built:
        return build()

    return asyncio.run(call())
