"""Whom a request comes from: a browser by its secret name, a program by its call, both by their address."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

import gradio as gr

_NAME = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Visitor:
    """Who asks.

    Attributes:
        name: the browser's secret name; "" for programs and for names that the page never gave.
        address: where the request comes from; limits go by it. "" in the page's own process.
        session: of the page that asks, or the program's call.
    """

    name: str = ""
    address: str = ""
    session: str = ""


def visitor_of(request: gr.Request | None, name: object = "") -> Visitor:
    """The visitor behind a request; `name`: what the browser says."""
    known = name if isinstance(name, str) and _NAME.fullmatch(name) else ""
    client = request.client if request is not None else None
    session = (request.session_hash or "") if request is not None else ""
    return Visitor(known, network(client.host) if client else "", session)


def network(address: str) -> str:
    """What counts as one address: an IPv4 address, and of IPv6 the /64 that one household has."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(parsed.ipv4_mapped or ipaddress.IPv6Network((parsed, 64), strict=False))
    return address
