"""Recipes inside pictures of strangers."""

import pytest
from PIL import Image

from picturelab import recipes
from tests.hostile.inputs import write_inputs, write_png


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recipes") / "inputs"
    write_inputs(folder)
    return folder


def test_a_picture_of_any_size_is_read(inputs):
    assert recipes.read(inputs / "bomb.png", "fouriscale", "fouriscale")["prompt"] == "a red circle"
    with pytest.raises(Image.DecompressionBombError):
        Image.open(inputs / "bomb.png")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nested.png", "carries a damaged recipe (it is nested too deeply)"),
        ("digits.png", "carries a damaged recipe (Exceeds the limit"),
        ("double.png", "carries a damaged recipe ('seed' stands there twice)"),
        ("text-bomb.png", "cannot be read (Decompressed data too large"),
        ("photo.jpg", "carries no recipe; only pictures that fouriscale has written do"),
        ("empty.png", "is not a picture in PNG, WebP or JPEG format"),
        ("folder.png", "is no file"),
        ("none.png", "cannot be read (No such file or directory)"),
        ("grid.png", "carries no recipe; only pictures that fouriscale has written do"),
    ],
)
def test_what_is_wrong_is_one_sentence_with_the_files_name(inputs, name, sentence):
    with pytest.raises(ValueError, match=r"\.(png|jpg) ") as caught:
        recipes.read(inputs / name, "fouriscale", "fouriscale")
    assert str(caught.value).startswith(f"{inputs / name} {sentence}")


@pytest.mark.parametrize(
    ("text", "reason"), [("{}", "nothing stands in it"), ("[]", "no JSON object"), ("{", "")]
)
def test_text_that_is_no_recipe(tmp_path, text, reason):
    write_png(tmp_path / "a.png", "fouriscale", text)
    with pytest.raises(ValueError, match=f"carries a damaged recipe \\({reason}"):
        recipes.read(tmp_path / "a.png", "fouriscale", "fouriscale")


def test_a_warning_of_versions_stays_short():
    then = {f"package-{i}": "9" * 1000 for i in range(1000)}
    changes = recipes.changed_versions(then)
    assert len(changes) == 20
    assert max(map(len, changes)) < 120


def test_a_large_recipe_is_refused_unread(tmp_path):
    write_png(tmp_path / "a.png", "fouriscale", '{"a": "' + "x" * 2**20 + '"}')
    with pytest.raises(
        ValueError, match=r"a damaged recipe \(it has 1,048,585 letters; a recipe has 1,048,576 at most\)$"
    ):
        recipes.read(tmp_path / "a.png", "fouriscale", "fouriscale")


def test_the_name_that_stands_twice_is_found_among_many(tmp_path):
    names = [*(f"k{i}" for i in range(50_000)), "k7"]
    write_png(tmp_path / "a.png", "fouriscale", "{" + ", ".join(f'"{name}": 1' for name in names) + "}")
    with pytest.raises(ValueError, match=r"a damaged recipe \('k7' stands there twice\)$"):
        recipes.read(tmp_path / "a.png", "fouriscale", "fouriscale")


def test_a_sheet_of_pictures_is_shown_and_is_none(tmp_path):
    for chunk, sheet in (("fouriscale", "demo"), ("padtone", "roles")):
        recipes.save(Image.new("RGB", (8, 8)), tmp_path / f"{chunk}.png", {recipes.SHEET: sheet}, chunk)
    assert recipes.read_any(tmp_path / "padtone.png") == {"sheet": "roles"}
    assert recipes.read_any(tmp_path / "fouriscale.png") == {"sheet": "demo"}
    with pytest.raises(
        ValueError, match=r"is a sheet that `padtone roles` has drawn, no picture: run that command"
    ):
        recipes.read(tmp_path / "padtone.png", "padtone", "padtone")
    recipes.save(Image.new("RGB", (8, 8)), tmp_path / "plain.png", None, "padtone")
    with pytest.raises(ValueError, match="only pictures that fouriscale or padtone has written do"):
        recipes.read_any(tmp_path / "plain.png")
