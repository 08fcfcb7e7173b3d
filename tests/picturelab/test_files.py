"""Files that are written."""

import os

import pytest

from picturelab.files import output_file, slug, write_whole


@pytest.mark.parametrize("sync", [False, True])
def test_text_and_bytes_replace_what_was_there(tmp_path, sync):
    path = tmp_path / "new" / "folder" / "a.txt"
    write_whole(path, "Käse\n", sync=sync)
    assert path.read_bytes() == b"K\xc3\xa4se\n"
    write_whole(path, b"\x00\xff", sync=sync)
    assert path.read_bytes() == b"\x00\xff"
    assert os.listdir(path.parent) == ["a.txt"]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    write_whole(path, "old")

    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, "new")
    assert (path.read_text(), os.listdir(tmp_path)) == ("old", ["a.txt"])


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(OSError):  # noqa: PT011 (systems differ in the words)
        write_whole(tmp_path / "a" / "b", "")
    assert os.listdir(tmp_path) == ["a"]


def test_where_a_picture_goes(tmp_path):
    assert output_file(tmp_path / "a.PNG", "b") == tmp_path / "a.PNG"
    assert output_file(tmp_path / "new", "b") == tmp_path / "new" / "b.png"
    (tmp_path / "folder.png").mkdir()
    assert output_file(tmp_path / "folder.png", "b") == tmp_path / "folder.png" / "b.png"
    with pytest.raises(ValueError, match=r"a\.jpg: pictures are written as PNG"):
        output_file(tmp_path / "a.jpg", "b")


def test_slug():
    assert slug("A red circle, above a blue one!") == "a-red-circle-above-a-blue-one"
    assert slug("?!") == "picture"
    assert slug("x" * 99) == "x" * 60


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("b" * 300 + ".png", "a name has 240 bytes and a path 4081 bytes at most"),
        ("b" * 245 + ".png", "a name has 240 bytes"),  # while it is written its name is longer
        ("红" * 100 + ".png", "a name has 240 bytes"),
        ("f" * 300 + "/a.png", "a name has 240 bytes"),
        ("/".join(["f" * 200] * 30) + "/a.png", "a path 4081 bytes"),
        ("a\nb.png", "the name holds control characters"),
        ("a\0b.png", "the name holds control characters"),
        ("a\ud800.png", "the name is no text"),
        ("taken", "it is a folder"),
        ("dangling/a.png", "dangling"),
    ],
)
def test_names_that_no_disk_takes_are_refused_before_anything_is_sampled(tmp_path, name, sentence):
    (tmp_path / "taken" / "b.png").mkdir(parents=True)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(ValueError, match="cannot be written") as caught:
        output_file(tmp_path / name, "b")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize(
    "prompt", ["红" * 60, "🎨" * 60, "𞤀" * 60, "e\u0301" * 90, "İ" * 60, "a" * 400, "\ud800"]
)
def test_every_prompt_makes_a_name_that_can_be_written(tmp_path, prompt):
    path = output_file(tmp_path, f"ite-{slug(prompt)}-{2**63 - 1}")
    write_whole(path, "x")
    assert path.read_text() == "x"


def test_slugs_of_other_scripts():
    assert slug("红" * 60) == "红" * 60  # 180 bytes
    assert slug("🎨🎨") == "picture"
    assert slug("𞤀" * 60) == "𞤢" * 45  # of four bytes each
