"""Prompts are read in a thread of their own, one after the other, and nobody can keep others from theirs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


class Readings:
    """A queue of prompts to be read. For the event loop's thread.

    Args:
        most_of_a_group: unread prompts of one group.
    """

    def __init__(self, most_of_a_group: int) -> None:
        self._most_of_a_group = most_of_a_group
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="readings")
        self._unread: Counter[str] = Counter()

    async def read(self, group: str, work: Callable[[], Result]) -> Result:
        """What the work returns, which is called in that thread.

        Args:
            group: whose limit it counts for, such as the programs of an address; "" has none.

        Raises:
            ValueError: the group has too many unread prompts.
        """
        if group and self._unread[group] >= self._most_of_a_group:
            raise ValueError(
                f"{self._unread[group]} prompts from your address are not read yet, the most here: try again"
            )
        self._unread[group] += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._unread[group] -= 1
            if not self._unread[group]:
                del self._unread[group]
