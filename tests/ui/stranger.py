"""Somebody at the page's HTTP address: a browser without a browser, or a program, from an address of its own."""

from __future__ import annotations

import json
import secrets
from typing import Any

import httpx

SMALL = ["a red circle", 64, 64, 0, 1, "recognised from the model", False]  # for /generate


class Stranger:
    """One browser or program.

    Args:
        url: the page's.
        address: of this machine, 127.0.0.2 and up; limits go by it.
    """

    def __init__(self, url: str, address: str = "127.0.0.1") -> None:
        transport = httpx.HTTPTransport(local_address=address)
        self.http = httpx.Client(base_url=url, transport=transport, timeout=60)
        self.name = secrets.token_hex(16)
        self._config: dict[str, Any] = {}

    def file(self, path: object) -> httpx.Response:
        return self.http.get(f"gradio_api/file={path}")

    def upload(self, name: str, content: bytes) -> httpx.Response:
        return self.http.post("gradio_api/upload", files={"files": (name, content)})

    def ask(self, endpoint: str, values: list[Any]) -> tuple[str, Any]:
        """("complete" or "error", what came)."""
        event = self.send(endpoint, values)
        kind = ""
        with self.http.stream("GET", f"gradio_api/call/{endpoint}/{event}") as lines:
            for line in lines.iter_lines():
                kind = line[7:] if line.startswith("event: ") else kind
                if line.startswith("data: ") and kind in ("complete", "error"):
                    return kind, json.loads(line[6:])
        raise AssertionError("the stream ended without an answer")

    def send(self, endpoint: str, values: list[Any]) -> str:
        return str(self.http.post(f"gradio_api/call/{endpoint}", json={"data": values}).json()["event_id"])

    def press(self, function: str, **fields: Any) -> str:
        """What one of the page's own functions answers, as text; fields by the ids of their elements."""
        config = self._config or self.http.get("config").json()
        self._config = config
        (one, *_) = (one for one in config["dependencies"] if one["api_name"] == function)
        components = {component["id"]: component for component in config["components"]}
        values = [self._value(components[number], fields) for number in one["inputs"]]
        session = secrets.token_hex(5)
        body = {"data": values, "fn_index": one["id"], "session_hash": session}
        answer = self.http.post("gradio_api/queue/join", json=body)
        answer.raise_for_status()
        with self.http.stream("GET", f"gradio_api/queue/data?session_hash={session}") as lines:
            for line in lines.iter_lines():
                if line.startswith("data:") and json.loads(line[5:])["msg"] == "process_completed":
                    return line
        raise AssertionError("the stream ended without an answer")

    def _value(self, component: dict[str, Any], fields: dict[str, Any]) -> Any:
        if component["type"] == "browserstate":
            return self.name
        name = (component["props"].get("elem_id") or "").replace("-", "_")
        return fields.get(name, component["props"].get("value"))
