"""What a grid's pictures show, in a sentence."""

import pytest
from PIL import Image

from padtone.reports.distance import distance, distance_sentence


def grey(*levels):
    return [Image.new("RGB", (4, 4), (level,) * 3) for level in levels]


def test_distance_by_hand():
    assert distance(grey(0, 255), grey(51, 204)) == pytest.approx(0.2)


def test_arms_stand_against_an_empty_text():
    arms = {"full": grey(0, 0), "prompt": grey(10, 30), "padding": grey(60, 60), "clean": grey(80, 80)}
    assert distance_sentence(arms, "full") == (
        "difference from the full picture, 100% being an empty text's: prompt 25%, padding 75%, another seed 0% (root "
        "mean square of pixels, 2 seeds; `padtone audit` says how sure that is)"
    )


def test_without_an_empty_text_it_is_the_pixels_range():
    found = distance_sentence({"donor": grey(0), "padding": grey(51)}, "donor")
    assert found.startswith("difference from the donor picture, 100% being the pixels' range: padding 20% (")
    assert ", 1 seed;" in found
    assert "; --seeds 0,1 says what another seed would change)" in found


def test_another_seed_is_the_yardstick():
    assert "padding 20%, another seed 40% (" in distance_sentence(
        {"full": grey(0, 102), "padding": grey(51, 153)}, "full"
    )


def test_clean_is_an_arm_where_no_arm_is_an_empty_text():
    found = distance_sentence({"full": grey(0), "clean": grey(51)}, "full", None)
    assert "100% being the pixels' range: clean 20% (" in found


@pytest.mark.parametrize(
    "arms", [{"full": grey(0)}, {"padding": grey(0)}, {"full": grey(0), "clean": grey(9)}]
)
def test_nothing_to_compare(arms):
    assert distance_sentence(arms, "full") is None
