"""The pictures of docs/page.md: each tab as a visitor sees it after a job.

    make screenshots         # or: python -m benchmarks.screenshots

starts the page on the embedded model, works it in Chromium (CHROMIUM, or Debian's) and writes docs/page-*.png, with
256 colours: every tab on a laptop's screen. It ends with an error where no picture is on the screen after a run, and
for the first tab before and during one, on a telephone's screen too. To be done again
whenever the page or the shipped weights have changed; look at the pictures.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

ROOT = Path(__file__).parents[1]
PATIENCE = 300_000  # milliseconds
DONE = re.compile("Done in")
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
# A picture of some size that lies in the viewport by more than half.
_ON_SCREEN = """() => [...document.querySelectorAll('img, canvas')].some(picture => {
    const box = picture.getBoundingClientRect()
    const seen = Math.min(box.bottom, innerHeight) - Math.max(box.top, 0)
    return box.width >= 200 && box.height >= 120 && seen > box.height / 2
})"""


def main() -> None:
    """Start the page, take the pictures, end the page."""
    with tempfile.TemporaryDirectory() as output:
        command = [sys.executable, str(ROOT / "app.py"), "--output", output]
        page = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}
        )
        try:
            assert page.stdout is not None
            url = next(line.split()[-1] for line in page.stdout if line.startswith("the page: "))
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"]
                )
                expect.set_options(timeout=PATIENCE)
                _take(browser, url)
                browser.close()
        finally:
            page.terminate()
            page.wait()


def _take(browser: Any, url: str) -> None:
    page = _visit(browser, url, PHONE)
    _run(page, "High resolution", "hires")
    page.close()
    page = _visit(browser, url, WIDE)
    _run(page, "High resolution", "hires")
    _save(page, "high-resolution")
    page.get_by_role("button", name="Spectrum", exact=False).click()
    spectrum = page.get_by_alt_text("Low-pass windows", exact=False)
    expect(spectrum).to_be_visible()
    spectrum.screenshot(path=_path("spectrum"))
    _fewer_colours("spectrum")

    _open(page, "Padding tokens")
    page.locator("#pad-chips").get_by_text("padding x").click()
    page.locator("#pad-chips").get_by_role("button", name="blue", exact=True).click()
    _run(page, "Padding tokens", "pad")
    _save(page, "padding-tokens")

    _open(page, "Shapeworld")
    for scene in ("1", "2", "5"):
        page.get_by_role("spinbutton", name="Scene").fill(scene)
        _run(page, "Shapeworld", "world")
    _save(page, "shapeworld")


def _visit(browser: Any, url: str, viewport: dict[str, int]) -> Page:
    page: Page = browser.new_page(viewport=viewport, device_scale_factor=2 if viewport is PHONE else 1)
    page.set_default_timeout(PATIENCE)
    page.goto(f"{url}?__theme=light")
    expect(page.locator("#hires-plan summary")).to_be_visible()  # now the link has filled the fields
    _check_screen(page, "before a run")
    return page


def _check_screen(page: Page, when: str) -> None:
    """Is a picture on the screen, without scrolling?

    Raises:
        RuntimeError: there is none.
    """
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(500)
    if not page.evaluate(_ON_SCREEN):
        raise RuntimeError(f"no picture is on a screen of {page.viewport_size} {when}")


def _open(page: Page, tab: str) -> None:
    page.get_by_role("tab", name=tab, exact=True).click()


def _run(page: Page, tab: str, key: str) -> None:
    _open(page, tab)
    button = page.get_by_role("button", name="Generate", exact=True).locator("visible=true")
    button.click()
    expect(button).to_be_disabled()
    if key == "hires":  # the other tabs' pictures come when they are finished
        _check_screen(page, f"during a run of {tab}")
    expect(page.locator(f"#{key}-status")).to_contain_text(DONE)
    expect(button).to_be_enabled()
    _check_screen(page, f"after a run of {tab}")


def _save(page: Page, name: str) -> None:
    page.evaluate("scrollTo(0, 0)")
    page.mouse.move(0, 0)
    page.wait_for_timeout(1500)  # for pictures, and what fades in
    page.screenshot(path=_path(name), animations="disabled")
    _fewer_colours(name)


def _path(name: str) -> Path:
    return ROOT / "docs" / f"page-{name}.png"


def _fewer_colours(name: str) -> None:
    with Image.open(_path(name)) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(_path(name), optimize=True)


if __name__ == "__main__":
    main()
