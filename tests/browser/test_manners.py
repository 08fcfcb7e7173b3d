"""How the page looks and may be used: in sight, on a phone, by keyboard, in both themes, read aloud, and offline."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.steps import DONE, SMALL, generate, panel, status


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_a_picture_is_in_sight_before_during_and_after_a_run(visit, width, height):
    page = visit("width=192&height=192&steps=10", width=width, height=height)

    def in_sight(frame):
        picture = page.locator(f"#hires-{frame} img").first
        expect(picture).to_be_in_viewport(ratio=0.9)
        assert picture.bounding_box()["height"] > height / 3

    expect(page.locator("#hires-slider")).to_contain_text("Example")
    in_sight("slider")
    generate(page)
    expect(page.locator("#hires-unfinished")).to_contain_text("Unfinished: FouriScale")
    in_sight("unfinished")
    expect(status(page)).to_be_in_viewport()
    expect(status(page)).to_contain_text(DONE)
    expect(page.locator("#hires-slider")).to_contain_text("seed 7")
    in_sight("slider")
    assert page.evaluate("scrollY") == 0


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (1366, 768), (1920, 1080), (390, 844)])
def test_everything_below_the_picture_is_in_its_column(visit, width, height):
    page = visit("width=128&height=128&steps=1&count=4&sampling=FouriScale", width=width, height=height)
    generate(page)
    expect(status(page)).to_contain_text(DONE)
    column = page.locator("#hires-tab > .pictures")
    assert column.evaluate("n => n.scrollWidth - n.clientWidth") <= 1
    for part in (page.locator("#hires-gallery"), page.get_by_role("button", name="Download all as a zip")):
        part.scroll_into_view_if_needed()
        expect(part).to_be_in_viewport()
        inside, box = column.bounding_box(), part.bounding_box()
        assert inside["x"] <= box["x"]
        assert box["x"] + box["width"] <= inside["x"] + inside["width"] + 1
    assert page.locator("#hires-image").bounding_box()["height"] > height / 3  # nothing is squeezed


def test_ctrl_enter_draws_and_keys_move_the_divider(visit):
    page = visit(SMALL)
    page.locator("#hires-prompt textarea").press("Control+Enter")
    expect(status(page)).to_contain_text(DONE)
    divider = page.get_by_role("slider", name="Divider between the two pictures")
    before = divider.bounding_box()["x"]
    divider.press("ArrowRight")
    expect(divider).to_have_attribute("aria-valuenow", "52")
    assert divider.bounding_box()["x"] > before
    divider.press("Home")
    expect(divider).to_have_attribute("aria-valuenow", "0")


def test_a_phone_shows_everything_without_sideways_scrolling(visit):
    page = visit(SMALL, width=390)
    generate(page)
    expect(status(page)).to_contain_text(DONE)
    pad = panel(page, "Padding tokens")
    pad.get_by_label("Steps").fill("1")
    pad.get_by_role("button", name="Where does attention go?").click()
    expect(page.locator("#pad-attention img")).to_be_visible()
    pad.get_by_role("button", name="How many are needed?").click()
    expect(page.locator("#pad-curve img")).to_be_visible()
    panel(page, "Shapeworld").get_by_label("Steps").fill("1")
    generate(page, "Shapeworld")
    expect(status(page, "world")).to_contain_text(DONE)
    for tab in ("High resolution", "Padding tokens", "Shapeworld"):
        panel(page, tab)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        expect(
            page.get_by_role("button", name="Generate", exact=True).locator("visible=true")
        ).to_be_visible()


CONTRAST = """() => {
  const light = colour => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).slice(0, 3)
      .map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = node => {
    for (; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor;
      if (!/rgba\\(.*, 0\\)|transparent/.test(colour)) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const low = [];
  for (const node of document.querySelectorAll('h1, h4, p, label, span, th, td, button')) {
    const own = [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim());
    if (!own || !node.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
    if (node.closest('[disabled], footer')) continue;
    const pair = [light(getComputedStyle(node).color), light(ground(node))].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < 4) low.push(`${node.textContent.trim().slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return low;
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_themes_are_readable(visit, theme):
    page = visit(f"__theme={theme}")
    dark = page.evaluate(
        "getComputedStyle(document.querySelector('gradio-app')).backgroundColor.match(/\\d+/g).map(Number)[0] < 60"
    )
    assert dark == (theme == "dark")
    for tab in ("High resolution", "Padding tokens", "Shapeworld"):
        panel(page, tab)
        assert page.evaluate(CONTRAST) == []


def test_every_control_has_a_name(visit):
    page = visit()
    for tab in ("High resolution", "Padding tokens", "Shapeworld"):
        opened = panel(page, tab)
        for role in ("button", "textbox", "spinbutton", "slider", "radio", "checkbox", "combobox"):
            for control in opened.get_by_role(role).locator("visible=true").all():
                said = control.evaluate(
                    "n => n.getAttribute('aria-label') || n.title || n.innerText || n.labels?.[0]?.innerText"
                )
                assert (said or "").strip(), control.evaluate("n => n.outerHTML.slice(0, 200)")
        nameless = opened.locator("img:not([alt])").locator("visible=true")
        assert nameless.count() == 0


def test_nothing_reaches_beyond_this_machine(visit, address):
    page = visit()
    assert page.evaluate("performance.getEntriesByType('resource').map(e => new URL(e.name).origin)") != []
    origins = set(page.evaluate("performance.getEntriesByType('resource').map(e => new URL(e.name).origin)"))
    assert origins <= {address.rstrip("/"), "null"}
    assert Path(address).name  # the address itself is local
