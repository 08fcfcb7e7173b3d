"""The preset files: published values, and notes."""

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
