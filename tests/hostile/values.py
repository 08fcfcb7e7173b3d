"""Values that strangers bring: numbers out of bounds, text that steers terminals, JSON of any depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from picturelab.bounds import PROMPT_LETTERS, Bound


@dataclass(frozen=True)
class Value:
    """One hostile value, and whether it has to be refused wherever a value of its kind is taken."""

    value: Any
    refused: bool = False


TEXTS = [
    "", " ", "\n", "a\nb", "\x1b]0;another title\x07\x1b[31m", "\x00", "a\x00b", "\x7f", "\u202egnp.exe", "\u2028",
    "a" * 300, "a" * 5000, "红" * 60, "红" * 100, "🎨" * 80, "e\u0301" * 120, "\udc80", "\ud800", "\u0130" * 60,
    "../../etc/passwd", "/", "//", ".", "..", "~", "C:\\x", "CON", "nul.png", "-", "--", "-1", "@", "x@", "@1", "a=b@c",
    "=", "a==b", "a=b@nan", "a=b@1e999", "[/b]", "[red]", "{}", "[]", "null", "true", "nan", "inf", "1e999", "0x10",
    "%s %n", "$HOME", "`id`", "http://127.0.0.1:1/x", "s3:/bucket/x", "hf://a/b", "file:///etc/passwd", "owner/name",
    "owner/../name", "shapeworld/", "shapeworld/../unet", "shapeworld/unet ", "*", "?", "**/*", "a,b", ",", ",,", "0-",
    "0-99999999999", "5-1", "0," * 3000 + "0", "9" * 5000, "1x1", "8x8", "7x7", "0x0", "999999x8", "-8x-8",
]  # fmt: skip
_PARTS = st.sampled_from(
    ["a", " ", "\n", "\x1b[2J", "\u202e", "红", "🎨", "[", "]", "/", "@", "=", ",", "0", "-", ".png"]
)

texts = st.sampled_from(TEXTS) | st.lists(_PARTS, max_size=12).map("".join) | st.text(max_size=30)


def typed_numbers(bound: Bound | None) -> st.SearchStrategy[Value]:
    """As typed on a command line; without a bound of ours only what no number of anything can be."""
    words = ["nan", "-nan", "", " ", "one", "1e", "0x10", "--1", "9" * 5000]
    far = ["-1" + "0" * 30, "1" + "0" * 30]
    refused = (
        [*words, *far]
        if bound is None
        else [*words, *far, *map(str, _outside(bound)), "inf", "-inf", "1e999"]
    )
    inside = [] if bound is None else [str(bound.least), str(bound.most)]
    return st.sampled_from(
        [
            *(Value(word, refused=True) for word in refused),
            *map(Value, inside),
            Value("1"),
            Value("\u0661"),
            Value("1_0"),
        ]
    )


def numbers(bound: Bound) -> st.SearchStrategy[Value]:
    """As they stand in JSON."""
    other = [float("nan"), 10**400, -(10**400), "many", [1], {"a": 1}, "nan", "1e999"]
    return st.sampled_from([Value(value, refused=True) for value in [*_outside(bound), *other]])


def typed_prompts() -> st.SearchStrategy[Value]:
    long = [Value("a" * (PROMPT_LETTERS + 1), refused=True), Value("红 " * PROMPT_LETTERS, refused=True)]
    return st.sampled_from([*long, Value("a" * PROMPT_LETTERS)]) | texts.map(Value)


def json_values() -> st.SearchStrategy[Any]:
    """Whatever can stand in a recipe or a jobs file."""
    numbers = st.sampled_from(
        [0, -1, 1, 2**31, 2**63, 2**64, 10**30, 10**400, 0.5, -0.0, 1e308, float("inf"), float("nan")]
    )
    leaves = st.none() | st.booleans() | numbers | texts
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=6,
    ) | st.sampled_from([_nested(50), ["x"] * 20_000, {str(i): i for i in range(2000)}])


def _outside(bound: Bound) -> list[float]:
    below, above = bound.least - 1, bound.most + 1
    return [below, above, -(10**30), 10**30]


def _nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value
