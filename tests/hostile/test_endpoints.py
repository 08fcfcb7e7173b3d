"""Hostile arguments for every endpoint of the page: a sentence, or work that would begin, within bounds."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picturelab.bounds import BOUNDS
from picturelab_ui import api
from picturelab_ui.host import Host
from picturelab_ui.workshop import Workshop
from tests.ui.in_process import in_a_loop

from .conftest import examples
from .trial import TRIED
from .values import json_values, numbers

NAMES = ("audit", "encode", "explain", "generate")


class Began(BaseException):
    """The work would begin now."""


@pytest.fixture(scope="module")
def endpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Callable]]:
    """The page's endpoints by name; their work does not begin."""
    workshop = Workshop(Host(output=tmp_path_factory.mktemp("page")))
    by_name: dict[str, Callable] = {}

    def begin(*_: Any, **__: Any) -> None:
        raise Began

    def note(endpoint: Callable, api_name: str, **_: Any) -> None:
        by_name[api_name] = endpoint

    def build() -> None:
        with gr.Blocks():
            api.build(workshop)

    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(api.gr, "api", note)
        in_a_loop(build)
        for owner, name in (
            (workshop.runner, "submit"),
            (workshop.models, "explain"),
            (workshop.models, "pipeline"),
        ):
            patches.setattr(owner, name, begin)
        yield by_name


def answer_of(endpoint: Callable, arguments: dict[str, Any]) -> str | None:
    """The sentence that refuses a call; None where it is taken."""
    try:
        answer = endpoint(**arguments)
        if inspect.iscoroutine(answer):
            asyncio.run(answer)
    except Began:
        return None
    except gr.Error as error:
        return str(error.message) or "failed inside, without a word"
    return None


@st.composite
def calls(draw: Any, endpoint: Callable) -> tuple[dict[str, Any], bool]:
    """Arguments, and whether they have to be refused."""
    names = [name for name in inspect.signature(endpoint).parameters if name != "request"]
    arguments: dict[str, Any] = {}
    refused = False
    for name in draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)):
        if name in BOUNDS and draw(st.booleans()):
            arguments[name], refused = draw(numbers(BOUNDS[name])).value, True
        else:
            arguments[name] = draw(json_values())
    return arguments, refused


@pytest.mark.parametrize("name", NAMES)
def test_hostile_arguments(name: str, endpoints: dict[str, Callable]):
    assert set(endpoints) == set(NAMES)
    endpoint = endpoints[name]

    @examples(20)
    @given(calls(endpoint))
    def trial(drawn: tuple[dict[str, Any], bool]) -> None:
        arguments, refused = drawn
        shown = json.dumps(arguments)[:600]
        TRIED[f"endpoint {name}"] += 1
        message = answer_of(endpoint, arguments)
        assert message or not refused, f"accepted: {shown}"
        assert "failed inside" not in (message or ""), f"{shown}: {message}"

    trial()
