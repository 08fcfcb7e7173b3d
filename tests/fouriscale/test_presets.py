"""The preset files: published values, and notes."""

import itertools
import re

import pytest

from fouriscale import FouriScaleConfig, preset_names
from fouriscale.presets import preset_notes

SD15 = FouriScaleConfig.preset("sd15")


def test_presets_hold_the_published_values():
    assert {"sd15", "sd21", "sdxl", "shapeworld"} <= set(preset_names())
    sdxl = FouriScaleConfig.preset("sdxl")
    assert len(sdxl.training_sizes) == 40
    assert (832, 1216) in sdxl.training_sizes
    assert (sdxl.floor, sdxl.weak_dilation_divisor, sdxl.start, sdxl.stop) == (0.6, 1.5, 0.4, 0.7)
    assert (SD15.floor, SD15.weak_dilation_divisor, SD15.start, SD15.stop) == (0.0, 1.0, None, None)
    assert SD15.training_sizes == ((512, 512),)
    assert SD15.unfiltered == ("*upsamplers*",)


@pytest.mark.parametrize("name", preset_names())
def test_presets_say_what_they_were_checked_with(name):
    notes = preset_notes(name)
    assert len(notes["description"]) > 20
    assert len(notes["checked_with"]) > 20


BOMB = ["a: &a [x, x, x, x, x, x, x, x, x, x]"] + [
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]" for old, new in itertools.pairwise("abcdefg")
]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("stop: 0.1\nstop: 0.2", "'stop' stands there twice"),
        ("stop: 2024-13-45", "month must be in 1..12"),
        ("\n".join(BOMB), "its aliases make"),
    ],
)
def test_preset_files_are_read_strictly(tmp_path, text, reason):
    (tmp_path / "my.yaml").write_text(text)
    with pytest.raises(ValueError, match=rf"my\.yaml is no YAML \({re.escape(reason)}"):
        FouriScaleConfig.load(tmp_path / "my.yaml")


def test_a_preset_of_another_encoding(tmp_path):
    text = "training_sizes: [[8, 8]]\nlayers: [mid_block]\nstop: 0.75\n"
    (tmp_path / "my.yaml").write_bytes(text.encode("utf-16"))
    assert FouriScaleConfig.load(tmp_path / "my.yaml").stop == 0.75
