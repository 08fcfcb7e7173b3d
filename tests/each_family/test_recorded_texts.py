"""Every family of transformers that FouriScale knows samples from recorded texts, without its text encoders."""

import pytest

from tests.picturelab.hooks.test_recorded_texts import check_same_picture


@pytest.mark.parametrize("name", ["chroma", "flux", "flux2", "krea2", "lumina2", "sd3"])
def test_a_picture_from_recorded_texts_is_the_same(name):
    check_same_picture(name)
