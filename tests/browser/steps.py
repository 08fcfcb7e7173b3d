"""What the tests in a browser do again and again."""

import re

from playwright.sync_api import expect

SMALL = "width=192&height=192&steps=3"
DONE = re.compile("Done in")


def panel(page, tab):
    """One tab, opened."""
    page.get_by_role("tab", name=tab, exact=True).click()
    found = page.get_by_role("tabpanel", name=tab)
    return found if found.count() else page.locator("[role=tabpanel]:visible")


def generate(page, tab="High resolution"):
    opened = panel(page, tab)
    opened.get_by_role("button", name="Generate", exact=True).click()
    return opened


def status(page, tab="hires"):
    return page.locator(f"#{tab}-status")


def sizes(page, place):
    """(width, height) of the pictures at a place, once they are loaded."""
    pictures = page.locator(f"{place} img")
    expect(pictures.first).to_be_visible()
    page.wait_for_function(
        "place => [...document.querySelectorAll(place + ' img')].every(i => i.complete && i.naturalWidth)",
        arg=place,
    )
    return pictures.evaluate_all("all => all.map(i => [i.naturalWidth, i.naturalHeight])")
