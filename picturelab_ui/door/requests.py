"""Requests on their way in: how large they may be, what they may hold, and what a call may lack."""

from __future__ import annotations

import json
from typing import Any

MOST_BYTES = 2 * 2**20  # of a call; a prompt of the greatest length takes a hundredth
MOST_OF_UPLOAD = 33 * 2**20  # a picture of 32 MiB, and what stands around it
_DEEPEST = 40  # lists within lists


class RequestError(Exception):
    """A request that is refused.

    Attributes:
        status: the HTTP status.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def check_length(headers: Any, most: int) -> None:
    """Does a request say how long it is, and is that not too much?

    Raises:
        RequestError: it does not, or it is.
    """
    length = headers.get("content-length", "")
    if not length.isascii() or not length.isdigit():
        raise RequestError(411, "the request must say its length")
    if int(length[:20]) > most:
        raise RequestError(413, f"the request has {int(length[:20]):,} bytes: must be at most {most:,}")


async def read_body(receive: Any, most: int) -> bytes:
    """A request's whole body.

    Raises:
        RequestError: it is too long, or breaks off.
    """
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise RequestError(400, "the request breaks off")
        body += message.get("body", b"")
        if len(body) > most:
            raise RequestError(413, f"the request has more than {most:,} bytes: must be at most that")
        if not message.get("more_body"):
            return body


def parsed(body: bytes) -> dict[str, Any]:
    """The values of a call.

    Raises:
        RequestError: it is no JSON object, or nested too deeply.
    """
    try:
        values = json.loads(body)
        _check_depth(values, _DEEPEST)
    except (ValueError, RecursionError) as error:
        raise RequestError(400, "the request must be JSON, and not nested deeply") from error
    if not isinstance(values, dict):
        raise RequestError(400, "the request must be a JSON object")
    return values


def filled(values: dict[str, Any], needed: int, name: str) -> dict[str, Any]:
    """A call in which arguments that are left out are null, of which the function says what is missing.

    Raises:
        RequestError: the arguments are no list, or too many.
    """
    data = values.get("data")
    if not isinstance(data, list):
        raise RequestError(400, f'{name} needs its arguments as a list named "data"')
    if len(data) > needed:
        raise RequestError(400, f"{name} takes {needed} arguments; got {len(data)}")
    return values | {"data": data + [None] * (needed - len(data))}


def replayed(body: bytes, receive: Any) -> Any:
    """An ASGI `receive` that gives a body once, and then whatever else comes."""
    given = False

    async def again() -> dict[str, Any]:
        nonlocal given
        if given:
            return dict(await receive())
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _check_depth(value: Any, left: int) -> None:
    if not left:
        raise ValueError
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            _check_depth(one, left - 1)
