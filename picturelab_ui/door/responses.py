"""Refusals in the form that Gradio's clients show, and the headers of every answer."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse

# A browser neither guesses that an answer is a page, nor runs anything in it.
_EVERYWHERE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}
_NO_PAGES = {"Content-Security-Policy": "sandbox; default-src 'none'"}


def refusal(status: int, sentence: str) -> JSONResponse:
    """A refused request, with the reason."""
    return JSONResponse({"detail": f"{sentence}."}, status_code=status)


def with_headers(send: Any, path: str) -> Any:
    """An ASGI `send` that adds what every answer has; answers below /gradio_api are never pages."""

    async def sent(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(_EVERYWHERE | (_NO_PAGES if path.startswith("/gradio_api") else {}))
        await send(message)

    return sent


class Sent:
    """An ASGI `send` that knows whether an answer has begun."""

    def __init__(self, send: Any) -> None:
        self._send = send
        self.begun = False

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        self.begun = True
        await self._send(message)
