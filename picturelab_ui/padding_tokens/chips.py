"""A prompt's tokens as coloured chips, in HTML: one button a token, so that each can be chosen. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from padtone.maths.roles import TokenRoles
from padtone.reports.roles import ROLE_COLOURS


def chips(entries: Sequence[TokenRoles]) -> str:
    """Every encoder's tokens in order, padding folded to a count.

    A button carries `data-row`, the denoiser's text row that it fills; an encoder that gives only its
    pooled vector fills none, and its tokens can't be chosen.
    """
    return '<div class="tokens">' + "".join(map(_encoder, entries)) + _legend(entries) + "</div>"


def _encoder(entry: TokenRoles) -> str:
    counts = [f"{entry.count(role)} {role}" for role in ROLE_COLOURS if entry.count(role)]
    note = "" if entry.rows is not None else ", pooled vector only"
    cut = f'<p class="wrong">Cut off: {escape(entry.cut)}</p>' if entry.cut else ""
    head = f"<h4>{escape(entry.name)}: {len(entry.ids)} tokens ({', '.join(counts)}{note})</h4>"
    return f'{head}<div class="chips">{"".join(_runs(entry))}</div>{cut}'


def _runs(entry: TokenRoles) -> Iterator[str]:
    for role, run in groupby(range(len(entry.ids)), key=lambda i: entry.roles[i]):
        places = list(run)
        buttons = "".join(_chip(entry, i) for i in places)
        if role == "padding" and len(places) > 1:
            summary = f'<summary class="chip" style="{_style(role)}">padding x {len(places)}</summary>'
            buttons = f'<details>{summary}<div class="chips">{buttons}</div></details>'
        yield buttons


def _chip(entry: TokenRoles, i: int) -> str:
    role = entry.roles[i]
    row = entry.rows[i] if entry.rows is not None else None
    title = escape(f"{entry.tokens[i]}: {role}, token {i}, id {entry.ids[i]}")
    choice = f'data-row="{row}" aria-pressed="false"' if row is not None else "disabled"
    token = escape(entry.tokens[i]) or "(none)"
    return (
        f'<button type="button" class="chip" style="{_style(role)}" title="{title}" {choice}>{token}</button>'
    )


def _legend(entries: Sequence[TokenRoles]) -> str:
    roles = (role for role in ROLE_COLOURS if any(entry.count(role) for entry in entries))
    parts = (f'<span class="chip" style="{_style(role)}">{role}</span>' for role in roles)
    return f'<p class="soft legend">{" ".join(parts)}</p>'


def _style(role: str) -> str:
    return f"background:{ROLE_COLOURS[role]};color:#1f2933"
