"""How people write sizes, scales and ControlNets."""

import re
from pathlib import Path

import pytest

from picturelab.notation import Weighted, parse_control, parse_size, parse_weighted


def test_sizes_are_typed_width_first():
    assert parse_size(" 384X256 ") == (256, 384)


def test_scales():
    assert parse_weighted("style.safetensors@0.8") == Weighted("style.safetensors", 0.8)
    assert parse_weighted("a@b@2") == Weighted("a@b", 2.0)
    assert parse_weighted("style") == Weighted("style", 1.0)
    assert parse_control("nets/canny=edges.png@0.7") == ("nets/canny", Path("edges.png"), 0.7)
    assert parse_control("nets/canny=edges.png") == ("nets/canny", Path("edges.png"), 1.0)


@pytest.mark.parametrize(
    "name",
    ["style@v2.safetensors", "style@", "2@1.5x", "style.safetensors@0,5", "größe 2@x.safetensors", "a@b@c"],
)
def test_only_a_number_behind_the_last_at_sign_is_a_scale(name):
    assert parse_weighted(name) == Weighted(name, 1.0)
    assert parse_weighted(f"{name}@0.5") == Weighted(name, 0.5)
    assert parse_weighted(f"{name}@-2") == Weighted(name, -2.0)


def test_a_file_that_is_there_is_the_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("style@0.5", "@1", "a@nan"):
        Path(name).touch()
        assert parse_weighted(name) == Weighted(name, 1.0)
        assert parse_weighted(f"{name}@2") == Weighted(name, 2.0)


def test_of_several_equals_signs_the_files_decide(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("nets=1/canny", "plain"):
        Path(folder).mkdir(parents=True)
    for file in ("edges=2.png", "edges.png"):
        Path(file).touch()
    assert parse_control("nets=1/canny=edges=2.png@0.5") == ("nets=1/canny", Path("edges=2.png"), 0.5)
    assert parse_control("nets=1/canny=edges.png") == ("nets=1/canny", Path("edges.png"), 1.0)
    assert parse_control("plain=edges=2.png") == ("plain", Path("edges=2.png"), 1.0)
    assert parse_control("owner/name=edges=2.png@2") == ("owner/name", Path("edges=2.png"), 2.0)
    assert parse_control("nowhere=a=b.png") == ("nowhere", Path("a=b.png"), 1.0)


@pytest.mark.parametrize("text", ["384x256", "384X256", " 384 x 256 ", "384\u00d7256", "384 \u00d7 256"])
def test_sizes_as_people_write_them(text):
    assert parse_size(text) == (256, 384)


@pytest.mark.parametrize(
    ("parse", "text", "sentence"),
    [
        (parse_size, "384", "size '384' is not understood: give WIDTHxHEIGHT in pixels"),
        (parse_size, "1x2x3", "size '1x2x3' is not understood"),
        (parse_weighted, "a@nan", "'a@nan' is not understood: give FILE or FILE@SCALE"),
        (parse_weighted, "@1", "'@1' is not understood"),
        (parse_control, "canny", "control 'canny' is not understood: give MODEL=PICTURE"),
    ],
)
def test_what_is_not_understood(parse, text, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}"):
        parse(text)
