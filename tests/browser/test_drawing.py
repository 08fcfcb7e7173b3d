"""The first tab as people use it: pictures are drawn, come as files, are restored and deleted."""

import re
import zipfile

from PIL import Image
from playwright.sync_api import expect

from fouriscale.sampling.recipe import read, save
from tests.browser.steps import DONE, SMALL, generate, panel, sizes, status

LONG = "width=384&height=384&steps=150"


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
    expect(status(page)).to_contain_text("3 pictures, kept below")
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
