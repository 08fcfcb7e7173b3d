"""Requests on their way in: how large they may be, what they may hold, and what a call may lack."""

from __future__ import annotations

import json
from typing import Any

from python_multipart.multipart import parse_options_header

MOST_BYTES = 2 * 2**20  # of a call; a prompt of the greatest length takes a hundredth
MOST_OF_UPLOAD = 33 * 2**20  # a picture of 32 MiB, and what stands around it
_DEEPEST = 40  # lists within lists
_DIGITS = 20  # of a length


class RequestError(Exception):
    """A request that is refused.

    Attributes:
        status: the HTTP status.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def content_length(headers: Any, most: int) -> int:
    """How many bytes a request says that it has.

    Raises:
        RequestError: it does not say so, comes in chunks, which need not keep to what it says, or has too many.
    """
    length = headers.get("content-length", "")
    if "transfer-encoding" in headers or not length.isascii() or not length.isdigit():
        raise RequestError(411, "the request must say its length, and not come in chunks")
    if len(length) > _DIGITS or int(length) > most:
        raise RequestError(413, f"the request has {length[:_DIGITS]} bytes or more: must be at most {most}")
    return int(length)


def receive_at_most(most: int, receive: Any) -> Any:
    """An ASGI `receive` that ends a request with more bytes than `most`, whatever it said of its length."""
    left = most

    async def counting() -> dict[str, Any]:
        nonlocal left
        message = dict(await receive())
        left -= len(message.get("body", b""))
        if left < 0:
            raise RequestError(413, f"the request has more than {most:,} bytes: must be at most that")
        return message

    return counting


def receive_one_file(content_type: str, receive: Any) -> Any:
    """An ASGI `receive` that ends an upload of more than one file, or of fields beside it."""
    _, options = parse_options_header(content_type)
    if not options.get(b"boundary"):  # Gradio refuses it
        return receive
    delimiter = b"--" + options[b"boundary"]
    delimiters, rest = 0, b""

    async def counting() -> dict[str, Any]:
        nonlocal delimiters, rest
        message = dict(await receive())
        body = rest + message.get("body", b"")
        delimiters += body.count(delimiter)
        rest = body[body.rfind(delimiter) + len(delimiter) :] if delimiter in body else body
        rest = rest[-(len(delimiter) - 1) :]
        if delimiters > 2:  # before the file, and at the end
            raise RequestError(413, "the upload has several parts: must be one file")
        return message

    return counting


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


def json_object(body: bytes) -> dict[str, Any]:
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


def with_nulls(values: dict[str, Any], needed: int, name: str) -> dict[str, Any]:
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


def receive_again(body: bytes, receive: Any) -> Any:
    """An ASGI `receive` that gives a body once, and then whatever else comes."""
    is_over = False

    async def again() -> dict[str, Any]:
        nonlocal is_over
        if is_over:
            return dict(await receive())
        is_over = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _check_depth(value: Any, left: int) -> None:
    if not left:
        raise ValueError
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            _check_depth(one, left - 1)
