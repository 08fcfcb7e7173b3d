"""All pictures as a zip, one deleted, and those that wrap seen rolled and repeated."""

import zipfile

import gradio as gr
import pytest
from PIL import Image

from fouriscale import FouriScaleConfig
from fouriscale.sampling.recipe import read, save
from picturelab_ui.high_resolution import own_pictures, tab
from picturelab_ui.high_resolution.method import order
from picturelab_ui.high_resolution.views import wrap_axes
from picturelab_ui.high_resolution.wrapped import AS_IT_IS, REPEATED, ROLLED, seen_as
from picturelab_ui.host import Host
from picturelab_ui.workshop import Workshop
from tests.ui.in_process import in_a_loop
from tests.ui.test_method import EXAMPLES

NAME = "0123456789abcdef" * 2


@pytest.fixture
def own(tmp_path):
    workshop = Workshop(Host(output=tmp_path))
    yield workshop
    workshop.runner.close()


@pytest.fixture
def made(own):
    """A pair of a browser's pictures, which wrap on their width."""
    folder = own.folders.of(NAME, "pictures")
    recipe = read(EXAMPLES / "fouriscale.png")
    recipe["config"] = FouriScaleConfig.from_dict(recipe["config"]).replace(wrap="width").to_dict()
    for method in ("fouriscale", "direct"):
        with Image.open(EXAMPLES / f"{method}.png") as image:
            save(image, folder / f"red-7-0a1b2c-{method}.png", recipe)
    return folder


class Page:
    """The tab's pieces, and what answers a button."""

    def __init__(self, workshop):
        with gr.Blocks() as self.blocks:
            owner = gr.BrowserState("")
            tab.build(workshop, owner, self.blocks.load())
        self.parts = {
            block.elem_id or str(block.value): block
            for block in self.blocks.blocks.values()
            if hasattr(block, "value")
        }

    def press(self, part, event, *inputs):
        (found,) = (fn for fn in self.blocks.fns.values() if (self.parts[part]._id, event) in fn.targets)
        return {block.elem_id or type(block).__name__: value for block, value in found.fn(*inputs).items()}


def test_all_pictures_come_in_one_file(own, made):
    path = own_pictures.packed(own, NAME)
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == ["red-7-0a1b2c-direct.png", "red-7-0a1b2c-fouriscale.png"]
        assert archive.read("red-7-0a1b2c-direct.png") == (made / "red-7-0a1b2c-direct.png").read_bytes()
    assert [file.name for file in path.parent.iterdir()] == ["pictures.zip"]
    with pytest.raises(ValueError, match="no pictures yet"):
        own_pictures.packed(own, "f" * 32)


@pytest.mark.slow
def test_the_shown_pictures_are_deleted_and_nobody_elses(own, made):
    page = in_a_loop(lambda: Page(own))
    delete = "hires-delete"
    other = own.folders.of("f" * 32, "pictures") / "blue-1-0a1b2c-direct.png"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"theirs")
    assert "No picture of yours" in page.press(delete, "click", NAME, [str(other)])["hires-own"]
    assert other.is_file()
    shown = [str(made / f"red-7-0a1b2c-{method}.png") for method in ("fouriscale", "direct")]
    seen = page.press("hires-wrapped", "input", ROLLED, shown)["hires-image"]
    assert seen.label == "The picture, rolled by half"
    news = page.press(delete, "click", NAME, shown)
    assert "2 pictures deleted" in news["hires-own"]
    assert news["hires-gallery"].value == []
    assert "Example" in news["hires-slider"].label
    assert not list(made.glob("*.png"))


def test_which_pictures_wrap_stands_in_their_recipes(made, tmp_path):
    assert wrap_axes(made / "red-7-0a1b2c-fouriscale.png") == (False, True)
    assert wrap_axes(EXAMPLES / "fouriscale.png") == (False, False)
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    assert wrap_axes(tmp_path / "plain.png") == (False, False)


def test_rolled_and_repeated():
    picture = Image.new("RGB", (4, 2), "white")
    picture.putpixel((0, 0), (255, 0, 0))
    for axes, place in (((False, True), (2, 0)), ((True, True), (2, 1)), ((False, False), (0, 0))):
        assert seen_as(picture, axes, ROLLED).getpixel(place) == (255, 0, 0)
    assert seen_as(picture, (True, True), REPEATED).size == (8, 4)
    tiles = seen_as(picture, (False, True), REPEATED)
    assert tiles.size == (8, 2)
    assert [x for x in range(8) if tiles.getpixel((x, 0)) == (255, 0, 0)] == [0, 4]
    assert seen_as(picture, (True, True), AS_IT_IS) is picture
    assert max(seen_as(Image.new("L", (2048, 16)), (True, True), REPEATED).size) == 2048


def test_wrap_is_a_setting_of_the_page(workshop, values):
    config = order.read(workshop, values | {"wrap": "both"}).config
    assert config.wrap == "both"
