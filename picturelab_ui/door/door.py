"""The middleware in front of Gradio's application, through which every request of a visitor goes."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers

from ..api import ENDPOINTS
from ..errors import sentence
from ..visitors import network
from ..workshop import Workshop
from .answers import RewrittenAnswer, RewrittenStream
from .files import NamedFiles
from .requests import (
    MOST_BYTES,
    MOST_OF_UPLOAD,
    RequestError,
    content_length,
    json_object,
    read_body,
    receive_again,
    receive_at_most,
    receive_one_file,
    with_nulls,
)
from .responses import Sent, refusal, with_headers
from .routes import route_of
from .uploads import UploadAllowance, UploadAnswer


class Door:
    """ASGI middleware: lets through what a browser and gradio_client need, and nothing else.

    Args:
        app: Gradio's.
        page: the `gr.Blocks`.
        workshop: whose files are served, and whose visitors are watched for leaving.
    """

    def __init__(self, app: Any, page: Any, workshop: Workshop) -> None:
        self._app, self._page = app, page
        self._presence = workshop.presence
        self._disk = workshop.disk
        self._files = NamedFiles(workshop.folders.output, workshop.disk.note_shown)
        host = workshop.host
        self._allowance = UploadAllowance(host.max_disk_per_visitor, max(host.max_disk // 4, 1))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # nothing here uses WebSockets
            await send({"type": "websocket.close", "code": 1008})
            return
        sent = Sent(with_headers(send, scope["path"]))
        try:
            await self._handle(scope, receive, sent)
        except RequestError as error:
            await refusal(error.status, str(error))(scope, receive, sent)
        except Exception as error:  # of Gradio's, for a request that it did not expect
            if sent.begun:
                raise
            await refusal(500, sentence(error))(scope, receive, sent)

    async def _handle(self, scope: Any, receive: Any, send: Any) -> None:
        open_route = route_of(scope["method"], scope["path"])
        if open_route is None:
            raise RequestError(404, "there is nothing here under that address")
        route, match = open_route
        if route.handling == "file":
            await self._files.serve(match["name"], scope, receive, send)
        elif route.handling == "upload":
            await self._upload(scope, receive, send)
        elif route.handling == "call":
            await self._call(scope, receive, send, match.groupdict())
        elif route.handling == "answer":
            await self._answer(scope, receive, send, match.groupdict().get("key"))
        elif route.handling == "heartbeat":
            with self._presence.connected(match["key"]):
                await self._app(scope, receive, send)
        else:
            if scope["method"] == "POST":
                body = await read_body(receive, MOST_BYTES)
                receive = receive_again(body, receive)
            await self._app(scope, receive, send)

    async def _upload(self, scope: Any, receive: Any, send: Any) -> None:
        headers = Headers(scope=scope)
        length = content_length(headers, MOST_OF_UPLOAD)
        client = scope.get("client")
        self._allowance.take(network(client[0]) if client else "", length)
        body = receive_one_file(headers.get("content-type", ""), receive_at_most(length, receive))
        try:
            await self._app(scope, body, UploadAnswer(send, scope, receive, self._files))
        finally:
            self._disk.tidy_soon()

    async def _call(self, scope: Any, receive: Any, send: Any, groups: dict[str, str]) -> None:
        values = json_object(await read_body(receive, MOST_BYTES))
        if "/call/v2/" not in scope["path"]:  # which takes arguments by name
            values = with_nulls(values, *self._function(values, groups))
        if "endpoint" in groups:
            if groups["endpoint"] not in ENDPOINTS:
                known = ", ".join(f"/{name}" for name in ENDPOINTS)
                raise RequestError(404, f"there is no endpoint /{groups['endpoint'][:80]}; there are {known}")
            values.pop("session_hash", None)  # such a call is a session of its own
        try:
            values = self._files.inward(values)
        except ValueError as error:
            raise RequestError(400, str(error)) from None
        body = json.dumps(values).encode()
        headers = [(name, value) for name, value in scope["headers"] if name != b"content-length"]
        scope = scope | {"headers": [*headers, (b"content-length", str(len(body)).encode())]}
        rewritten = RewrittenAnswer(send, self._files.outward) if "function" in groups else send
        await self._app(scope, receive_again(body, receive), rewritten)

    def _function(self, values: dict[str, Any], groups: dict[str, str]) -> tuple[int, str]:
        """How many arguments the called function takes, and its name."""
        functions = self._page.fns
        number, name = values.get("fn_index"), groups.get("endpoint")
        if name is not None:
            number = next((i for i, fn in functions.items() if fn.api_name == name), None)
        if isinstance(number, bool) or not isinstance(number, int) or number not in functions:
            raise RequestError(404, f"there is no function {str(name or number)[:80]} here")
        return len(functions[number].inputs), f"/{functions[number].api_name}"

    async def _answer(self, scope: Any, receive: Any, send: Any, key: str | None) -> None:
        if key is None:
            key = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [""])[0]
        with self._presence.connected(key):
            await self._app(scope, receive, RewrittenStream(send, self._files.outward))
