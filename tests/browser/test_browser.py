"""The page as people use it: each tab, its manners, and what must survive a reload."""

import re
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from fouriscale.sampling.recipe import read, save

SMALL = "width=192&height=192&steps=3"
LONG = "width=384&height=384&steps=150"
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


def test_generate_and_compare(visit, tmp_path):
    page = visit(f"{SMALL}&seed=5")
    expect(page.locator("#hires-plan")).to_contain_text("1.50 on each axis")
    generate(page)
    expect(status(page)).to_contain_text(DONE)
    assert sizes(page, "#hires-slider") == [[192, 192]] * 2
    assert len(sizes(page, "#hires-previews")) == 4  # two a run, of three steps
    with page.expect_download() as started:
        page.get_by_role("button", name="Download FouriScale").click()
    started.value.save_as(tmp_path / "a.png")
    recipe = read(tmp_path / "a.png")
    assert (recipe["seed"], recipe["steps"], recipe["width"]) == (5, 3, 192)
    assert recipe["config"]["training_sizes"] == [[128, 128]]
    assert "seed=5" in page.url  # the address is a permanent link
    assert page.locator("#hires-link a").get_attribute("href") == "?" + page.url.split("?")[1]
    expect(page.locator("#hires-plan")).to_contain_text("s here")  # the machine's speed is known now
    page.get_by_role("button", name="Spectrum", exact=False).click()
    expect(page.get_by_alt_text("Low-pass windows", exact=False)).to_be_visible()


def test_several_pictures_come_as_files_and_one_goes(visit, tmp_path):
    page = visit("width=192&height=192&steps=1&count=3&sampling=FouriScale")
    opened = generate(page)
    expect(status(page)).to_contain_text(DONE)
    assert len(sizes(page, "#hires-gallery")) == 3
    with page.expect_download() as started:
        opened.get_by_role("button", name="Download all as a zip").click()
    started.value.save_as(tmp_path / "pictures.zip")
    with zipfile.ZipFile(tmp_path / "pictures.zip") as archive:
        assert len(archive.namelist()) == 3
        assert all(archive.read(name).startswith(b"\x89PNG") for name in archive.namelist())
    delete = opened.get_by_role("button", name="Delete the shown picture")
    page.once("dialog", lambda dialog: dialog.dismiss())
    delete.click()
    expect(page.locator("#hires-gallery img")).to_have_count(3)
    page.once("dialog", lambda dialog: dialog.accept())
    delete.click()
    expect(page.locator("#hires-own")).to_contain_text("Deleted")
    expect(page.locator("#hires-gallery img")).to_have_count(2)
    expect(status(page)).to_contain_text(DONE)  # which the run still says


def test_a_picture_that_wraps_is_seen_rolled(visit):
    page = visit("width=192&height=192&steps=1&wrap=both&sampling=FouriScale")
    opened = generate(page)
    expect(status(page)).to_contain_text(DONE)
    opened.get_by_label("repeated", exact=True).check()
    expect(page.locator("#hires-image")).to_contain_text("The picture, repeated")
    assert sizes(page, "#hires-image") == [[384, 384]]
    opened.get_by_label("as it is", exact=True).check()
    expect(page.locator("#hires-image")).to_contain_text("seed 7")


def test_a_start_picture_is_taken(visit, tmp_path):
    Image.new("RGB", (64, 64), "red").save(tmp_path / "start.png")
    page = visit("width=128&height=128&steps=2&strength=0.5&sampling=FouriScale")
    opened = panel(page, "High resolution")
    opened.get_by_role("button", name="Start picture, LoRA, ControlNet").click()
    page.locator("#hires-start_image input[type=file]").set_input_files(tmp_path / "start.png")
    expect(page.locator("#hires-start_image img")).to_be_visible()
    generate(page)
    expect(status(page)).to_contain_text(DONE)
    with page.expect_download() as started:
        page.get_by_role("button", name="Download FouriScale").click()
    started.value.save_as(tmp_path / "made.png")
    inputs = read(tmp_path / "made.png")["inputs"]
    assert (inputs["image"]["path"], inputs["strength"]) == ("start.png", 0.5)


def test_cancel_stops_the_job(visit):
    page = visit(LONG)
    opened = generate(page)
    expect(page.locator("#hires-unfinished img")).to_be_visible()
    expect(page.locator("#hires-slider")).not_to_be_visible()
    opened.get_by_role("button", name="Cancel").click()
    expect(status(page)).to_contain_text("Cancelled")
    expect(page.locator("#hires-unfinished")).not_to_be_visible()
    expect(page.locator("#hires-slider")).to_contain_text("Example")  # as before the run
    expect(opened.get_by_role("button", name="Generate", exact=True)).to_be_enabled()
    expect(page.locator("#hires-gallery img")).to_have_count(0)


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


def test_the_gallery_restores_all_settings(visit):
    page = visit(f"{SMALL}&seed=11&guidance=2.5&floor=0.25&prompt=a+small+red+square")
    opened = generate(page)
    expect(status(page)).to_contain_text(DONE)
    opened.get_by_label("Prompt", exact=True).fill("something else")
    opened.get_by_label("Seed").fill("1")
    opened.get_by_label("Width").fill("128")
    opened.get_by_label("Pictures", exact=True).fill("3")
    page.locator("#hires-gallery button:has(img)").first.click()
    expect(page.locator("#hires-own")).to_contain_text("restored")
    expect(opened.get_by_label("Pictures", exact=True)).to_have_value("3")
    expect(page.locator("#hires-slider")).to_be_in_viewport(ratio=0.5)
    expect(opened.get_by_label("Prompt", exact=True)).to_have_value("a small red square")
    expect(opened.get_by_label("Seed")).to_have_value("11")
    expect(opened.get_by_label("Width")).to_have_value("192")
    opened.get_by_role("button", name="Model and sampling").click()
    expect(opened.get_by_label("Guidance")).to_have_value("2.5")
    expect(opened.get_by_label("both, compared")).to_be_checked()
    opened.get_by_role("button", name="Every setting").click()
    expect(opened.get_by_label("floor", exact=False).first).to_have_value("0.25")
    opened.get_by_label("Seed").fill("2")
    opened.get_by_role("button", name="Reuse").click()
    expect(opened.get_by_label("Seed")).to_have_value("11")


def test_a_recipe_is_loaded_from_a_picture(visit, tmp_path):
    page = visit(f"{SMALL}&seed=21&sampling=FouriScale")
    opened = generate(page)
    expect(status(page)).to_contain_text(DONE)
    assert sizes(page, "#hires-image") == [[192, 192]]
    with page.expect_download() as started:
        page.get_by_role("button", name="Download FouriScale").click()
    started.value.save_as(tmp_path / "mine.png")
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    with Image.open(tmp_path / "mine.png") as image:
        save(image, tmp_path / "other.png", read(tmp_path / "mine.png") | {"model": "owner/name"})

    other = visit()
    opened = panel(other, "High resolution")
    upload = other.locator("#hires-recipe input[type=file]")
    for name, said in (
        ("plain.png", "plain.png carries no recipe"),
        ("other.png", "does not load 'owner/name'"),
    ):
        upload.set_input_files(tmp_path / name)
        expect(other.locator("#hires-said [role=alert]")).to_contain_text(said)
        other.locator("#hires-recipe").get_by_label("Clear").or_(
            other.locator("#hires-recipe").get_by_label("Remove this file")
        ).first.click()
    upload.set_input_files(tmp_path / "mine.png")
    expect(other.locator("#hires-said")).to_contain_text("taken from the picture")
    expect(opened.get_by_label("Seed")).to_have_value("21")
    expect(opened.get_by_label("Width")).to_have_value("192")


def test_a_running_job_survives_a_reload_and_is_seen_in_a_second_tab(visit):
    page = visit(LONG)
    generate(page)
    expect(status(page)).to_contain_text("step")
    page.reload()
    expect(status(page)).to_contain_text("step")
    second = visit(profile=page.context)
    expect(status(second)).to_contain_text("step")
    expect(
        panel(second, "High resolution").get_by_role("button", name="Generate", exact=True)
    ).to_be_disabled()
    second.get_by_role("button", name="Cancel").first.click()
    expect(status(second)).to_contain_text("Cancelled")
    expect(status(page)).to_contain_text("Cancelled")


def test_two_browsers_wait_for_each_other_and_get_their_own_results(visit, tmp_path):
    first, second = visit(f"{SMALL}&seed=31"), visit(f"{SMALL}&seed=32")
    for page in (first, second):
        generate(page)
    expect(status(second)).to_contain_text(re.compile("Waiting|step|Done"))
    for page, seed in ((first, 31), (second, 32)):
        expect(status(page)).to_contain_text(DONE)
        assert len(sizes(page, "#hires-gallery")) == 2
        with page.expect_download() as started:
            page.get_by_role("button", name="Download direct").click()
        started.value.save_as(tmp_path / f"{seed}.png")
        assert read(tmp_path / f"{seed}.png")["seed"] == seed


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


SCREENS = pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])


@SCREENS
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
