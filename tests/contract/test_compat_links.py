"""Links that the page of commit 8704025 wrote still open it with the same values.

`data/links.json` holds for each its query, the values that the page opened with, and, for the tabs whose links
name every field, the values without a link.
"""

import json
from functools import partial
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

pytest.importorskip("gradio", reason="the page is an extra")

from picturelab_ui import links
from picturelab_ui.high_resolution import order as high_resolution
from picturelab_ui.host import Host
from picturelab_ui.padding_tokens import order as padding_tokens
from picturelab_ui.shapeworld import order as shapeworld
from picturelab_ui.workshop import Workshop

LINKS = json.loads((Path(__file__).parent / "data" / "links.json").read_text())


@pytest.fixture(scope="module")
def workshop():
    made = Workshop(Host())
    yield made
    made.runner.close()


def opened(workshop, link):
    """The values that the link's tab opens with today."""
    query = dict(parse_qsl(link["query"]))
    if link["tab"] == "high":
        return high_resolution.of_link(workshop, query)
    if link["tab"] == "padding":
        return padding_tokens.of_link(workshop, query, link["usual"])
    return links.reopened("world", query, link["usual"], partial(shapeworld.problems, workshop))


@pytest.mark.parametrize("link", LINKS, ids=lambda link: f"{link['tab']}-{len(link['query'])}")
def test_a_link_opens_the_page_with_its_values(workshop, link):
    values = opened(workshop, link)
    assert {name: values[name] for name in link["values"]} == link["values"]  # fields may have been added
