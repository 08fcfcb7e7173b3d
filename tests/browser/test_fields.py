"""What is filled in: fields that follow one another, examples and links, and what is wrong said where it is."""

import pytest
from playwright.sync_api import expect

from tests.browser.steps import DONE, SMALL, generate, panel, status


def test_bad_input_is_said_at_its_field(visit):
    page = visit(SMALL)
    opened = panel(page, "High resolution")
    opened.get_by_label("Width").fill("250")
    opened.get_by_label("Seed").fill("-1")
    opened.get_by_role("button", name="Generate", exact=True).click()
    expect(page.locator("#hires-width")).to_contain_text("both must be positive multiples of 8")
    expect(page.locator("#hires-seed")).to_contain_text("seed=-1: must be from 0")
    expect(page.locator("#hires-plan [role=alert]")).to_contain_text("width 250")
    expect(status(page)).to_contain_text("seed=-1")
    opened.get_by_label("Width").fill("192")
    opened.get_by_label("Seed").fill("1")
    generate(page)
    expect(page.locator("#hires-seed")).not_to_contain_text("must be")
    expect(status(page)).to_contain_text(DONE)


@pytest.mark.parametrize("width", [1280, 390])
def test_what_is_wrong_in_a_folded_panel_is_shown(visit, width):
    page = visit(SMALL, width=width)
    fold = panel(page, "High resolution").get_by_role("button", name="Every setting")
    fold.click()
    page.locator("#hires-start input").fill("2")
    fold.click()
    expect(page.locator("#hires-start")).not_to_be_visible()
    generate(page)
    expect(page.locator("#hires-start")).to_contain_text("start=2: must be from 0 to 1")
    expect(page.locator("#hires-start .at-field")).to_be_in_viewport()


def test_every_tab_says_what_is_wrong_at_its_field(visit):
    page = visit()
    panel(page, "Padding tokens").get_by_label("Steps").fill("0")
    generate(page, "Padding tokens")
    expect(page.locator("#pad-steps")).to_contain_text("steps=0: must be from 1")
    panel(page, "Shapeworld").get_by_label("Scene", exact=True).fill("")
    generate(page, "Shapeworld")
    expect(page.locator("#world-number")).to_contain_text("scene is empty")


def test_scale_and_ratio_follow_the_size(visit):
    page = visit(SMALL)
    opened = panel(page, "High resolution")
    opened.get_by_label("Width").fill("512")
    opened.get_by_label("Height").fill("512")
    scale = page.locator("#hires-scale input[type=number]")
    expect(scale).to_have_value("4")
    expect(opened.get_by_label("1:1")).to_be_checked()
    opened.get_by_label("Height").fill("128")
    expect(opened.get_by_label("free")).to_be_checked()
    expect(scale).to_have_value("2")
    scale.fill("9")
    scale.press("Tab")
    expect(scale).to_have_value("4")
    expect(opened.get_by_label("Width")).to_have_value("1024")
    expect(opened.get_by_label("Height")).to_have_value("256")


def test_unknown_words_are_said(visit):
    page = visit(f"{SMALL}&prompt=a+photo+of+a+red+fox")
    opened = panel(page, "High resolution")
    expect(opened.get_by_text("does not know photo, fox", exact=False)).to_be_visible()
    opened.get_by_label("Prompt", exact=True).fill("a red circle")
    expect(opened.get_by_text("does not know", exact=False)).to_have_count(0)


def test_ratio_buttons_and_examples_fill_the_fields(visit):
    page = visit()
    opened = panel(page, "High resolution")
    opened.get_by_label("16:9", exact=True).check()
    expect(opened.get_by_label("Width")).to_have_value("384")
    expect(opened.get_by_label("Height")).to_have_value("216")
    expect(page.locator("#hires-plan")).to_contain_text("width 384, height 216")
    opened.get_by_role("button", name="Swap").click()
    expect(opened.get_by_label("Height")).to_have_value("384")
    expect(opened.get_by_label("9:16", exact=True)).to_be_checked()
    expect(page.locator("#hires-scale input[type=number]")).to_have_value("2")
    opened.get_by_label("Width").fill("320")
    expect(opened.get_by_label("free")).to_be_checked()
    opened.get_by_text("a small purple square on a white background, 512 x 512").click()
    expect(opened.get_by_label("Height")).to_have_value("512")
    expect(opened.get_by_label("Prompt", exact=True)).to_have_value(
        "a small purple square on a white background"
    )
    before = opened.get_by_label("Seed").input_value()
    opened.get_by_role("button", name="Dice").click()
    expect(opened.get_by_label("Seed")).not_to_have_value(before)


def test_the_plan_is_a_line_that_unfolds_and_stays_open(visit):
    page = visit(SMALL)
    line, table = page.locator("#hires-plan summary"), page.locator("#hires-plan table")
    expect(line).to_contain_text("192 x 192, 1.50 times 128 x 128 on each side; 3 steps")
    expect(table).not_to_be_visible()
    line.press("Enter")
    expect(table).to_be_visible()
    panel(page, "High resolution").get_by_label("Width").fill("256")
    expect(line).to_contain_text("256 x 192")
    expect(table).to_be_visible()


def test_the_method_writes_settings_and_follows_them(visit):
    page = visit()
    opened = panel(page, "High resolution")
    expect(opened.get_by_label("recommended", exact=True)).to_be_checked()
    opened.get_by_label("paper", exact=True).check()
    page.locator("#hires-plan summary").click()
    expect(page.locator("#hires-plan")).to_contain_text("the first 15 of 25 active")
    opened.locator("#hires-method").get_by_label("direct", exact=True).check()
    opened.get_by_role("button", name="Model and sampling").click()
    expect(opened.locator("#hires-sampling").get_by_label("direct only")).to_be_checked()
    opened.locator("#hires-sampling").get_by_label("FouriScale only").check()
    expect(opened.get_by_label("paper", exact=True)).to_be_checked()


def test_links_open_their_tab_with_its_settings(visit):
    page = visit(
        "tab=padding&prompt=a+blue+square&seed=7&steps=4&arms=%5B%22eos%22%5D", ready="#pad-chips button"
    )
    opened = page.locator("[role=tabpanel]:visible")
    expect(page.locator("#pad-chips")).to_contain_text("3 prompt")
    expect(opened.get_by_label("Seed")).to_have_value("7")
    expect(opened.get_by_label("eos", exact=True)).to_be_checked()
    expect(opened.get_by_label("full", exact=True)).not_to_be_checked()
    world = visit("tab=world&number=5&size=128+x+128", ready="#world-scores p")
    expect(world.locator("[role=tabpanel]:visible").get_by_label("128 x 128")).to_be_checked()
