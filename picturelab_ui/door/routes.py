"""Which of Gradio's routes are open to visitors, and what is done with each. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Handling = Literal["as it is", "file", "upload", "call", "answer", "heartbeat"]
_API = "/gradio_api"


@dataclass(frozen=True)
class Route:
    """An open route.

    Attributes:
        methods: the HTTP methods.
        pattern: of the whole path; its groups are what the handling needs.
        handling: "call" has a body of arguments, "answer" streams what came of it.
    """

    methods: tuple[str, ...]
    pattern: re.Pattern[str]
    handling: Handling = "as it is"


def _route(methods: str, pattern: str, handling: Handling = "as it is") -> Route:
    return Route(tuple(methods.split()), re.compile(pattern, re.DOTALL), handling)


# What a browser and gradio_client need; Gradio has more, such as fetching addresses and storing sessions.
ROUTES = (
    _route("GET HEAD", r"/(config/?|favicon\.ico|theme\.css|manifest\.json|robots\.txt|pwa_icon(/\w+)?)?"),
    _route("GET HEAD", r"/(assets|static|svelte)/.+"),
    _route("GET HEAD", rf"{_API}/(info/?|openapi\.json|startup-events|app_id/?|login_check/?|user/?)"),
    _route("GET HEAD", rf"{_API}/theme\.css|{_API}/queue/status"),
    _route("GET HEAD", rf"{_API}/file[=/](?P<name>.+)", "file"),
    _route("POST", rf"{_API}/upload", "upload"),
    _route("GET", rf"{_API}/upload_progress"),
    _route("GET", rf"{_API}/heartbeat/(?P<key>[\w-]+)", "heartbeat"),
    _route("POST", rf"{_API}/call/(v2/)?(?P<endpoint>[^/]+)/?", "call"),
    _route("POST", rf"{_API}/run/(?P<function>[^/]+)/?", "call"),
    _route("POST", rf"{_API}/queue/join", "call"),
    _route("GET", rf"{_API}/call/(v2/)?[^/]+/(?P<key>[\w-]+)", "answer"),
    _route("GET", rf"{_API}/queue/data", "answer"),
    _route("POST", rf"{_API}/(cancel|reset/?)"),
)


def route_of(method: str, path: str) -> tuple[Route, re.Match[str]] | None:
    """The route of a request, and its path's groups; None where it is closed."""
    for route in ROUTES:
        match = route.pattern.fullmatch(path)
        if match and method in route.methods:
            return route, match
    return None
