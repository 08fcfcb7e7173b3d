import json

import pytest
from PIL import Image, PngImagePlugin

import fouriscale
from fouriscale.sampling.recipe import Recipe, read, save
from picturelab.recipes import changed_versions, versions

RECIPE = Recipe(
    model="shapeworld/unet",
    revision="sha256:0123456789abcdef",
    prompt="a large red circle, \u2603 and \u00e9",
    negative_prompt=None,
    seed=7,
    height=256,
    width=384,
    steps=25,
    guidance=4.0,
    config={"training_sizes": [[128, 128]], "layers": ["mid_block.*"]},
    batch_size=1,
    batch_index=0,
    vae_tiling=False,
    scheduler={"class": "DDIMScheduler", "config": {"steps_offset": 1}},
    threads=2,
    dtype="float32",
    device="cpu",
    versions=versions(),
)


@pytest.fixture
def image():
    return Image.linear_gradient("L").convert("RGB")


def test_a_recipe_survives_the_file(tmp_path, image):
    save(image, tmp_path / "made" / "now" / "a.png", RECIPE)
    assert Recipe.parse(read(tmp_path / "made" / "now" / "a.png")) == RECIPE
    assert Image.open(tmp_path / "made" / "now" / "a.png").tobytes() == image.tobytes()


def test_the_chunk_is_json_that_any_png_reader_finds(tmp_path, image):
    save(image, tmp_path / "a.png", RECIPE)
    assert json.loads(Image.open(tmp_path / "a.png").text["fouriscale"])["seed"] == 7


def test_import_users_save_plain_mappings(tmp_path, image):
    fouriscale.save(image, str(tmp_path / "a.png"), {"prompt": "mine", "anything": [1, 2]})
    assert read(tmp_path / "a.png") == {"prompt": "mine", "anything": [1, 2]}


def test_without_a_recipe_there_is_none_to_read(tmp_path, image):
    save(image, tmp_path / "a.png", None)
    with pytest.raises(ValueError, match="carries no recipe"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("recipe", "mode", "error"),
    [({"not JSON": object()}, "RGB", TypeError), (RECIPE, "F", ValueError)],  # PNG has no floats
)
def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path, image, recipe, mode, error):
    save(image, tmp_path / "a.png", RECIPE)
    before = (tmp_path / "a.png").read_bytes()
    with pytest.raises(error):
        save(image.convert("L").convert(mode), tmp_path / "a.png", recipe)
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == before


def test_paths_that_cannot_be_written(tmp_path, image):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ValueError, match=r"a\.png cannot be written"):
        save(image, tmp_path / "file" / "a.png", RECIPE)
    with pytest.raises(ValueError, match=r"a\.bmp: pictures are written as PNG, WebP or JPEG, so name"):
        save(image, tmp_path / "a.bmp", RECIPE)


def test_files_that_cannot_be_read(tmp_path, image):
    (tmp_path / "text.png").write_text("hello")
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("fouriscale", "{half")
    image.save(tmp_path / "half.png", pnginfo=chunks)
    for name, sentence in (
        ("text.png", "is not a picture"),
        ("missing.png", "cannot be read"),
        ("half.png", "damaged recipe"),
    ):
        with pytest.raises(ValueError, match=sentence):
            read(tmp_path / name)


@pytest.mark.parametrize(
    ("change", "named"),
    [({"steps": "many"}, "steps"), ({"width": 0}, "width"), ({"evil": 1}, "evil"), ({"seed": None}, "seed")],
)
def test_a_wrong_entry_is_named(change, named):
    with pytest.raises(ValueError, match=f"entry '{named}' is wrong"):
        Recipe.parse(RECIPE.model_dump() | change)


def test_changed_versions_are_named():
    assert changed_versions(RECIPE.versions) == []
    older = versions() | {"torch": "1.0"}
    assert changed_versions(older) == [f"torch {versions()['torch']} (was 1.0)"]
