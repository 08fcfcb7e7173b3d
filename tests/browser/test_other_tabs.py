"""Padding tokens, their audit, and shapeworld, each in its tab."""

import re

from playwright.sync_api import expect

from tests.browser.steps import DONE, generate, panel, sizes, status


def test_token_chips_and_both_interventions(visit):
    page = visit()
    opened = panel(page, "Padding tokens")
    chips = page.locator("#pad-chips")
    expect(chips).to_contain_text("24 tokens (1 bos, 8 prompt, 1 eos, 14 padding)")
    expect(chips.locator("button:visible")).to_have_count(10)  # padding is folded
    opened.get_by_label("Prompt", exact=True).fill("a red circle")
    expect(chips).to_contain_text("3 prompt, 1 eos, 19 padding")
    chips.get_by_text("padding x 19").click()
    expect(chips.locator("button:visible")).to_have_count(24)
    red = chips.get_by_role("button", name="red", exact=True)
    red.press("Enter")  # by keyboard
    expect(red).to_have_attribute("aria-pressed", "true")
    expect(opened.get_by_label("chosen chips")).to_be_checked()
    opened.get_by_label("Steps").fill("2")
    generate(page, "Padding tokens")
    expect(status(page, "pad")).to_contain_text(DONE)
    assert sizes(page, "#pad-ite") == [[128, 128]] * 5
    assert sizes(page, "#pad-idp") == [[128, 128]] * 6
    captions = [text.strip() for text in page.locator("#pad-idp .caption-label").all_inner_texts()]
    assert captions == ["donor", "full", "prompt", "padding", "clean", "chosen chips"]


def test_attention_and_the_keep_slider(visit):
    page = visit()
    opened = panel(page, "Padding tokens")
    opened.get_by_label("Steps").fill("2")
    opened.get_by_role("button", name="Where does attention go?").click()
    expect(page.get_by_alt_text("Heat maps", exact=False)).to_be_visible()
    opened.get_by_role("button", name="How many are needed?").click()
    expect(page.get_by_alt_text("Likeness to the full picture", exact=False)).to_be_visible()
    assert sizes(page, "#pad-kept") == [[128, 128]] * 2
    expect(page.locator("#pad-kept")).to_contain_text("0 kept: likeness")
    slider = page.locator("#pad-keep input[type=range]")
    slider.fill("9")
    expect(page.locator("#pad-kept")).to_contain_text("8 kept, the nearest to that: likeness")


def test_the_audit_shows_its_report(visit):
    page = visit()
    opened = panel(page, "Padding tokens")
    opened.get_by_label("Steps").fill("1")
    opened.get_by_role("button", name="Audit: are", exact=False).click()
    prompts = opened.get_by_label("Prompts of the audit")
    prompts.fill("only one")
    opened.get_by_role("button", name="Run audit").click()
    expect(status(page, "pad")).to_contain_text("two or more prompts")
    prompts.fill("a red circle\na blue square")
    opened.get_by_role("button", name="Run audit").click()
    # Its progress, unless so small an audit has ended before the page looked.
    expect(status(page, "pad")).to_contain_text(re.compile(r"pictures|Done in"))
    expect(page.locator("#pad-audit")).to_contain_text("Verdict: inconclusive")
    report = page.frame_locator("iframe[title='Audit report']")
    expect(report.locator("h1")).to_contain_text("Are the padding tokens of shapeworld/unet used?")
    expect(report.locator("img").first).to_be_attached()


def test_shapeworld_judges_and_keeps_score(visit):
    page = visit()
    opened = panel(page, "Shapeworld")
    expect(opened.get_by_label("Prompt", exact=False).first).to_have_value(
        "a small green circle on a purple background"
    )
    opened.get_by_label("two objects").check()
    expect(opened.get_by_label("Prompt", exact=False).first).not_to_have_value(
        re.compile("small green circle")
    )
    opened.get_by_label("128 x 128").check()
    opened.get_by_label("Steps").fill("3")
    for pictures in (1, 2):
        generate(page, "Shapeworld")
        expect(page.locator("#world-scores tr", has_text="direct")).to_contain_text(
            f"128 x 128direct{pictures}"
        )
        expect(opened.get_by_role("button", name="Generate", exact=True)).to_be_enabled()
    for place in ("truth", "direct", "fouriscale"):
        assert sizes(page, f"#world-{place}") == [[384, 384]]
    expect(opened.locator("ul.verdict")).to_have_count(2)
    opened.get_by_role("button", name="Clear the scoreboard").click()
    expect(page.locator("#world-scores")).to_contain_text("fills as you generate")
