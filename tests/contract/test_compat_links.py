"""Links that the page of commit 8704025 wrote still open it with the same values.

`data/links.json` holds for each its query, the values that the page opened with, and, for the tabs whose links
name every field, the values without a link.
"""

import json
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

pytest.importorskip("gradio", reason="the page is an extra")

from picturelab_ui import links
from picturelab_ui.high_resolution import order
from picturelab_ui.padding_tokens import tab as padding_tokens
from picturelab_ui.shapeworld import tab as shapeworld_tab
from picturelab_ui.workshop import Host, Workshop

LINKS = json.loads((Path(__file__).parent / "data" / "links.json").read_text())
TABS = {padding_tokens.TAB: padding_tokens, shapeworld_tab.TAB: shapeworld_tab}


@pytest.fixture(scope="module")
def workshop():
    made = Workshop(Host())
    yield made
    made.runner.close()


@pytest.mark.parametrize("link", LINKS, ids=lambda link: f"{link['tab']}-{len(link['query'])}")
def test_a_link_opens_the_page_with_its_values(workshop, link):
    query = dict(parse_qsl(link["query"]))
    if link["tab"] == links.HOME:
        assert order.of_link(workshop, query) == link["values"]
        assert order.problems(workshop, link["values"]) == {}
        return
    tab = TABS[link["tab"]]
    assert set(tab.FIELDS) == set(link["usual"])
    assert links.of_query(tab.TAB, query, link["usual"]) == link["values"]
