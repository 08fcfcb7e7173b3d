"""The page, served once for all tests of this folder."""

import pytest
from gradio_client import Client

from picturelab_ui.high_resolution import order
from picturelab_ui.host import Host
from picturelab_ui.workshop import Workshop
from tests.ui.page_server import page_server


@pytest.fixture(scope="module")
def workshop():
    shared = Workshop(Host())
    yield shared
    shared.runner.close()


@pytest.fixture
def values(workshop):
    """What the tab for high resolution opens with."""
    return order.start(workshop)


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """The page on a free port: a client of it, its output folder and its address."""
    output = tmp_path_factory.mktemp("page")
    with page_server(output, "--public", "--max-pixels", f"{256 * 256}", "--max-waiting", "60") as url:
        client = Client(url, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))
        yield client, output, url
        client.close()
