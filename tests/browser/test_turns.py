"""Two visitors at a time: the short job of the second is done before the first one's long job, and all bytes stay."""

from playwright.sync_api import expect

from tests.browser.steps import DONE, generate, status

LONG = "width=192&height=144&steps=60&seed=3"
SHORT = "width=144&height=192&steps=3&seed=4"


def files(page, folder):
    """{method: bytes of the file} of a finished job, as a visitor downloads them."""
    contents = {}
    for method in ("FouriScale", "direct"):
        with page.expect_download() as started:
            page.get_by_role("button", name=f"Download {method}").click()
        started.value.save_as(folder / "downloaded.png")
        contents[method] = (folder / "downloaded.png").read_bytes()
    return contents


def test_the_second_visitors_short_job_is_done_before_the_first_ones_long_one(visit, tmp_path):
    first, second = visit(LONG), visit(SHORT)
    generate(first)
    expect(status(first)).to_contain_text("step")
    generate(second)
    expect(status(first)).to_contain_text("in turn with 1 other job")
    expect(status(second)).to_contain_text(DONE)
    progress = first.locator("#hires-status progress")
    shown = int(progress.get_attribute("value"))
    previews = first.locator("#hires-previews img").count()
    first.wait_for_function(
        "shown => document.querySelector('#hires-status progress')?.value > shown", arg=shown
    )
    expect(status(first)).not_to_contain_text("in turn")
    expect(status(first)).to_contain_text(DONE)
    assert first.locator("#hires-previews img").count() > previews
    in_turn = [files(page, tmp_path) for page in (first, second)]
    for page, made in zip((first, second), in_turn, strict=True):  # one after the other now
        generate(page)
        expect(page.get_by_role("button", name="Cancel").first).to_be_enabled()
        expect(status(page)).to_contain_text(DONE)
        assert files(page, tmp_path) == made


def test_cancelling_one_of_two_leaves_the_other_running(visit):
    first, second = visit(LONG), visit(LONG)
    for page in (first, second):
        generate(page)
    expect(status(first)).to_contain_text("in turn with 1 other job")
    first.get_by_role("button", name="Cancel").first.click()
    expect(status(first)).to_contain_text("Cancelled")
    expect(status(second)).not_to_contain_text("in turn")
    expect(status(second)).to_contain_text(DONE)
    expect(second.locator("#hires-slider img").first).to_be_visible()
