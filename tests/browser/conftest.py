"""A real browser against the page as a person starts it."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.ui.page_server import page_server

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
# Milliseconds: of a hundred steps on a busy machine. No test measures time.
PATIENCE = 1000 * int(os.environ.get("PATIENCE", 300))

READY = "#hires-plan summary, #hires-plan .wrong"

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def chromium():
    if not CHROMIUM.is_file():
        pytest.fail(
            f"there is no browser at {CHROMIUM}: `apt-get install chromium` brings Debian's, or name another one with "
            "CHROMIUM=/path/to/chromium",
            pytrace=False,
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def address(chromium, tmp_path_factory):
    """The page, served for all tests; each has a browser profile of its own."""
    with page_server(tmp_path_factory.mktemp("page"), "--public", "--max-pixels", f"{512 * 512}") as url:
        yield url


@pytest.fixture
def visit(chromium, address):
    """Opens the page in a new profile: `visit(query, width=..., profile=...)`. No test may leave console errors
    behind."""
    opened = []

    def open_page(query="", *, width=1280, height=900, profile=None, ready=READY):
        profile = profile or chromium.new_context(
            viewport={"width": width, "height": height}, accept_downloads=True
        )
        profile.set_default_timeout(PATIENCE)
        page = profile.new_page()
        page.errors = []
        page.on("console", lambda said: page.errors.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.goto(f"{address}?{query}")
        expect(page.locator(ready).first).to_be_visible()
        opened.append(page)
        return page

    yield open_page
    errors = [said for page in opened for said in page.errors]
    for profile in {page.context for page in opened}:
        profile.close()
    assert not errors
