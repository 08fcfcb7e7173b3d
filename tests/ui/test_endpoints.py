"""Endpoints with hostile arguments: each is refused in a sentence, and nothing is started or written."""

import asyncio
import math

import gradio as gr
import pytest

from picturelab_ui import page
from picturelab_ui.host import Host
from picturelab_ui.workshop import Workshop
from tests.ui.in_process import in_a_loop

SMALL = {
    "generate": ["a red circle", 64, 64, 0, 1, "recognised from the model", False],
    "explain": ["shapeworld/unet", 64, 64],
    "encode": ["a red circle", "full"],
    "audit": [["a red circle", "a blue square"], 2, 1],
}
NOTHING_OF_A_KIND = [
    None,
    math.nan,
    math.inf,
    -1,
    1.5,
    10**400,
    {},
    {"a": 1},
    [],
    [[]],
    [None],
    "",
    "x",
    "9" * 5000,
]
NO_NUMBER = [*NOTHING_OF_A_KIND, True, "64", 8 * 10**9]
NO_PROMPT = [None, 3, True, math.nan, {}, [], ["a"], "", "  ", "red circle " * 95_000]
HOSTILE = {
    "generate": [NO_PROMPT, NO_NUMBER, NO_NUMBER, NO_NUMBER[:-1], NO_NUMBER, NO_NUMBER, [None, 1, "yes", [], {}]],
    "explain": [["/etc", "", None, 3, [], {}, "x" * 10**6], NO_NUMBER, NO_NUMBER],
    "encode": [[None, 3, True, [], ["a"], {}, "red circle " * 95_000], [None, 3, [], {}, "nonsense", "padding 9/5"]],
    "audit": [
        [None, "text", 3, {}, [1, 2], [None], ["a"], ["a", "a"], [["a"], ["b"]], ["a", "b" * 20_000],
         [str(i) for i in range(10_000)]],
        [*NO_NUMBER, 1, 10**9],
        NO_NUMBER,
    ],
}  # fmt: skip
CASES = [
    pytest.param(name, place, value, id=f"{name}-{place}-{str(value)[:12]}")
    for name, of_places in HOSTILE.items()
    for place, values in enumerate(of_places)
    for value in values
    if not (name == "generate" and (place, value) == (3, 8 * 10**9))
]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """{name: endpoint}, and the workshop behind them."""
    workshop = Workshop(Host(output=tmp_path_factory.mktemp("output"), max_pixels=256 * 256))
    blocks = in_a_loop(lambda: page.build(workshop))
    functions = {fn.api_name: fn for fn in blocks.fns.values()}
    yield {name: functions[name].fn for name in SMALL}, workshop
    workshop.runner.close()


def refusal(endpoint, values):
    with pytest.raises(gr.Error) as refused:
        asyncio.run(endpoint(*values))
    return refused.value.message


@pytest.mark.parametrize(("name", "place", "value"), CASES)
def test_a_hostile_argument_is_refused_in_a_sentence(built, name, place, value):
    endpoints, workshop = built
    values = list(SMALL[name])
    values[place] = value
    said = refusal(endpoints[name], values)
    assert 10 < len(said) <= 1000
    assert "failed inside" not in said
    assert not any(
        word in said for word in ("Traceback", "object has no", "NoneType", "unhashable", "not supported")
    )
    assert not workshop.runner._jobs
    assert not any(workshop.folders.output.iterdir())


@pytest.mark.parametrize("name", SMALL)
def test_a_call_without_arguments_says_what_is_missing(built, name):
    endpoints, _ = built
    assert "failed inside" not in refusal(endpoints[name], [None] * len(SMALL[name]))


def test_sizes_are_refused_by_the_bounds_at_once(built):
    endpoints, _ = built
    said = refusal(endpoints["explain"], ["shapeworld/unet", 8 * 10**8, 8 * 10**8])
    assert said == "height=800000000: must be a whole number from 8 to 32768"
    said = refusal(endpoints["audit"], [["a red circle", "a blue square"], 2, 900])
    assert said == "steps=900: must be from 1 to 200"
