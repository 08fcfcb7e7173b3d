"""One call of a transformer, and what those who make its positions ask of its settings."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from ..maths.sizes import Size
from ..maths.token_grid import Tokens


@dataclass(frozen=True)
class Turns:
    """How far the image's own tokens are turned, by the settings.

    Attributes:
        angles: {axis of the ids: (own tokens, pairs)}, in radians.
        m: what their cos and sin are multiplied by.
    """

    angles: dict[int, torch.Tensor]
    m: float


class PositionSettings(Protocol):
    """Settings that a call follows, see `AppliedPositions`."""

    def turns(self, maker: Any, tokens: Tokens, text: int, given: dict[str, Any]) -> Turns | None: ...

    def refuse_references(self) -> None: ...

    def tokens_of(self, ids: torch.Tensor, first: int = 0) -> Tokens: ...

    def scales(self, tokens: Size) -> tuple[float, float] | None: ...

    def training_tokens(self, tokens: Size) -> Size: ...

    def temperature(self, tokens: Size, text: int) -> float: ...


@dataclass
class TransformerCall:
    """A call of a transformer.

    Attributes:
        entry: the settings that it follows.
        given: its arguments by name.
        temperature: what its layers multiply queries and keys by, where positions do not carry it.
        embedded: how often positions have been made in it.
    """

    entry: PositionSettings
    given: dict[str, Any]
    temperature: float = 1.0
    embedded: int = 0


class Latest(threading.local):
    """The transformer's call that runs in this thread."""

    call: TransformerCall | None = None
    temperature: float = 1.0  # the call's; a number, which compiled code can guard


class Attached(Protocol):
    """What is attached to a transformer, see `RotaryAttachment`."""

    latest: Latest

    def replaced(self, maker: Any, args: tuple, output: Any) -> Any: ...

    def warm(self, call: TransformerCall, factor: float) -> None: ...
