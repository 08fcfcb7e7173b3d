"""Settings for transformers check themselves."""

import pytest

from fouriscale.position_config import PositionConfig


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"training_sizes": ()}, ValueError, "training_sizes=(): give at least one"),
        ({"rule": "stretch"}, ValueError, "rule='stretch': must be one of interpolate, ntk, yarn"),
        ({"rule": ["ntk"]}, ValueError, r"rule=\['ntk'\]: must be one of"),
        ({"dynamic": 1}, TypeError, "dynamic=1: must be true or false"),
        ({"axes": "both"}, ValueError, "axes='both': must be one of one, each"),
        (
            {"temperature": "hot"},
            ValueError,
            "temperature='hot': must be one of none, yarn, proportional or a number",
        ),
        ({"temperature": 3}, ValueError, "temperature=3: must be from 0.5 to 2"),
        ({"shift": None}, TypeError, "shift=None: must be a number"),
        ({"shift": "none"}, ValueError, "shift='none': must be one of training, pipeline or a number"),
        ({"wrap": "sideways"}, ValueError, "wrap='sideways': must be one of none, width, height, both"),
        ({"stop": 0.6}, TypeError, "stop"),
    ],
)
def test_what_is_wrong_is_one_sentence(changes, error, sentence):
    with pytest.raises(
        error, match=sentence if "\\" in sentence else sentence.replace("(", r"\(").replace(")", r"\)")
    ):
        PositionConfig(**{"training_sizes": (1024, 1024), **changes})


def test_what_was_kept_before_pictures_could_wrap_is_found_again():
    config = PositionConfig((128, 128))
    assert "wrap" not in config.to_dict()
    wrapped = config.replace(wrap="both")
    assert wrapped.to_dict() == config.to_dict() | {"wrap": "both"}
    assert PositionConfig.from_dict(wrapped.to_dict()) == wrapped
    assert PositionConfig.from_dict(config.to_dict()) == config


def test_one_scale_for_both_axes_squeezes_nothing():
    config = PositionConfig((128, 128))
    assert config.scales(256, 256) == (2.0, 2.0)
    assert config.scales(256, 384) == (3.0, 3.0)
    assert config.scales(140, 128) == (1.0, 1.0)  # within a tenth
    each = PositionConfig((128, 128), axes="each")
    assert each.scales(256, 384) == (2.0, 3.0)
    assert each.scales(64, 384) == (1.0, 3.0)


def test_the_training_size_is_the_nearest_in_shape():
    config = PositionConfig(((1024, 1024), (768, 1344)))
    assert config.training_size(2048, 3584) == (768, 1344)
    assert config.scales(1536, 2688) == (2.0, 2.0)
