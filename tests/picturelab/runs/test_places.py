"""Where a long run writes: folders that will do, pictures that are whole."""

import pytest
from PIL import Image

from picturelab.recipes import encoded
from picturelab.runs.places import check_folder, free_places, is_whole

RECIPE = {"prompt": "a cat", "size": (64, 64)}


@pytest.mark.parametrize("name", ["file.txt", "file.txt/below/it", "s3:/bucket/x", "x" * 300])
def test_a_folder_that_will_not_do_is_a_sentence(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.txt").write_text("mine")
    before = set(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=r"file\.txt|is an address|File name too long"):
        check_folder(type(tmp_path)(name))
    assert set(tmp_path.rglob("*")) == before
    check_folder(tmp_path)
    check_folder(tmp_path / "new" / "folder")
    assert set(tmp_path.rglob("*")) == before


def test_any_damage_of_a_picture_is_seen(tmp_path):
    path, content = (
        tmp_path / "a.png",
        encoded(Image.effect_noise((48, 48), 50).convert("RGB"), RECIPE, "chunk"),
    )
    path.write_bytes(content)
    assert is_whole(path, "chunk", RECIPE)
    assert is_whole(path, "chunk", {"prompt": "a cat"})
    assert not is_whole(path, "chunk", {"prompt": "a dog"})
    assert not is_whole(path, "other", {})
    for at in range(0, len(content) - 12, 97):  # its last 12 bytes say only that it ends
        path.write_bytes(content[:at])
        assert not is_whole(path, "chunk", RECIPE)
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        assert not is_whole(path, "chunk", RECIPE)
    path.unlink()
    assert not is_whole(path, "chunk", RECIPE)


def test_empty_folders_in_files_places_go_and_others_stay(tmp_path):
    for name in ("pieces/a.json", "images/full/b.png"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "pieces" / "c.json").write_text("{}")
    free_places(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["c.json"]
    (tmp_path / "pieces" / "d.json" / "mine").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"d\.json is a folder, and a file belongs there"):
        free_places(tmp_path)


def test_a_picture_of_any_size_is_whole(tmp_path, monkeypatch):
    content = encoded(Image.new("RGB", (48, 48)), RECIPE, "chunk")
    (tmp_path / "a.png").write_bytes(content)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(tmp_path / "a.png")
    assert is_whole(tmp_path / "a.png", "chunk", RECIPE)
