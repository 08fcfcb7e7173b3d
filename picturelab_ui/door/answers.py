"""Answers on their way out: files by their names, and never an error without words."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from starlette.datastructures import MutableHeaders

from ..errors import general_sentence

Rewrite = Callable[[Any], Any]


class RewrittenStream:
    """An ASGI `send` for a stream of server-sent events, whose data are rewritten one by one.

    Args:
        rewrite: is given the value of a "data:" line.
    """

    def __init__(self, send: Any, rewrite: Rewrite) -> None:
        self._send, self._rewrite = send, rewrite
        self._rest = b""

    async def __call__(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            whole, end, self._rest = (self._rest + message.get("body", b"")).rpartition(b"\n\n")
            last = b"" if message.get("more_body") else self._rest
            message = message | {"body": b"\n".join(map(self._line, (whole + end).split(b"\n"))) + last}
        await self._send(message)

    def _line(self, line: bytes) -> bytes:
        if not line.startswith(b"data: "):
            return line
        try:
            value = json.loads(line[6:])
        except ValueError:  # "ALIVE" of a heartbeat
            return line
        return b"data: " + json.dumps(with_words(self._rewrite(value)), separators=(",", ":")).encode()


class RewrittenAnswer:
    """An ASGI `send` for one JSON answer, which is held until it is whole.

    Args:
        rewrite: is given the value.
    """

    def __init__(self, send: Any, rewrite: Rewrite) -> None:
        self._send, self._rewrite = send, rewrite
        self._start: dict[str, Any] = {}
        self._body = b""

    async def __call__(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        try:
            body = json.dumps(with_words(self._rewrite(json.loads(self._body)))).encode()
        except ValueError:  # no JSON: a sentence of Gradio's
            body = self._body
        MutableHeaders(scope=self._start)["Content-Length"] = str(len(body))
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": body})


def with_words(value: Any) -> Any:
    """An answer, in which an error that says nothing becomes a sentence."""
    if not isinstance(value, dict):
        return value
    if "error" in value and value["error"] is None and not value.keys() & {"data", "msg"}:
        return value | {"error": f"{general_sentence()}."}
    if value.get("msg") == "process_completed" and isinstance(value.get("output"), dict):
        return value | {"output": with_words(value["output"])}
    return value
