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
