"""The page, served once for all tests of this folder."""

import pytest
from gradio_client import Client

from tests.ui.page_server import page_server


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """The page on a free port: a client of it, its output folder and its address."""
    output = tmp_path_factory.mktemp("page")
    with page_server(output, "--max-pixels", f"{256 * 256}", "--max-waiting", "60") as url:
        client = Client(url, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))
        yield client, output, url
        client.close()
