"""The words of the plan's line: how many pictures."""

import dataclasses

import pytest

from picturelab_ui.high_resolution.plan import _pictures


@dataclasses.dataclass
class Order:
    methods: tuple
    count: int


@pytest.mark.parametrize(
    ("methods", "count", "said"),
    [
        (1, 1, "the picture"),
        (2, 1, "both pictures"),
        (1, 6, "6 pictures"),
        (2, 6, "12 pictures, 2 of each seed"),
    ],
)
def test_how_many(methods, count, said):
    assert _pictures(Order(("a", "b")[:methods], count)) == said
