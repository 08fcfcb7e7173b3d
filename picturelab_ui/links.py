"""Permanent links: a tab's settings in the page's address."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

HOME = "high"  # the tab of links that name none


def to_query(tab: str, values: Mapping[str, Any]) -> str:
    """The query that opens a tab with these values."""
    return urlencode(
        {"tab": tab} | {name: v if isinstance(v, str) else json.dumps(v) for name, v in values.items()}
    )


def of_query(tab: str, query: Mapping[str, str], usual: Mapping[str, Any]) -> dict[str, Any]:
    """A tab's values from the page's query: those of another tab, and of another kind than usual, stay as usual."""
    if query.get("tab", HOME) != tab:
        return dict(usual)
    return {name: _like(value, query[name]) if name in query else value for name, value in usual.items()}


def reopened(
    tab: str,
    query: Mapping[str, str],
    usual: Mapping[str, Any],
    problems: Callable[[dict[str, Any]], Iterable[str]],
) -> dict[str, Any]:
    """A tab's values from the page's query; fields with which `problems` finds something wrong stay as usual."""
    values = of_query(tab, query, usual)
    return values | {name: usual[name] for name in problems(values)}


def _like(usual: Any, text: str) -> Any:
    """A link's text as the kind of value that the field holds; None may become anything."""
    if isinstance(usual, str):
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # no JSON, a number of thousands of digits, or nested too deeply
        return usual
    number = (
        (isinstance(usual, int | float) and isinstance(value, int | float)) or usual is None or value is None
    )
    return value if number or type(value) is type(usual) else usual


def after_click(tab: str) -> str:
    """JavaScript: the address becomes the link, what is wrong is said at its field too, and that or the progress
    comes into view. A field in a folded part of the page would otherwise be wrong without a word."""
    return f"""() => setTimeout(() => {{
  const link = document.querySelector('#{tab}-link a');
  if (link) history.replaceState(null, '', link.getAttribute('href'));
  document.querySelectorAll('.at-field').forEach(note => note.remove());
  const status = document.querySelector('#{tab}-status');
  for (const line of status.querySelectorAll('[data-field]')) {{
    const field = document.getElementById(`{tab}-${{line.dataset.field}}`);
    if (!field) continue;
    for (let box = field.parentElement; box; box = box.parentElement) {{
      const fold = box.querySelector(':scope > button.label-wrap:not(.open)');
      if (fold) fold.click();
    }}
    const note = line.cloneNode(true);
    note.className = 'at-field wrong';
    field.append(note);
  }}
  setTimeout(() => {{
    const target = document.querySelector('.at-field') || status, place = target.getBoundingClientRect();
    if (place.top < 0 || place.bottom > innerHeight) target.scrollIntoView({{block: 'center'}});
  }}, 300);
}}, 100)"""
