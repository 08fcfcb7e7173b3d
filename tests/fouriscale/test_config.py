import itertools
import pickle
from dataclasses import FrozenInstanceError

import pytest
import yaml

import fouriscale
from fouriscale import FouriScaleConfig
from fouriscale.config import setting_docs

SD15 = FouriScaleConfig.preset("sd15")


def test_public_names_are_sorted_and_there():
    assert fouriscale.__all__ == sorted(fouriscale.__all__)
    for name in fouriscale.__all__:
        assert getattr(fouriscale, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        fouriscale.nothing  # noqa: B018


def test_settings_are_frozen():
    with pytest.raises(FrozenInstanceError):
        SD15.stop = 0.5
    again = pickle.loads(pickle.dumps(SD15))
    assert (again, hash(again)) == (SD15, hash(SD15))
    assert SD15.replace(stop=0.5) != SD15


def test_made_like_any_class_of_pythons():
    by_place = FouriScaleConfig((512, 512), ["mid_block.*"])
    assert by_place == FouriScaleConfig(training_sizes=(512, 512), layers=["mid_block.*"])
    assert str(by_place) == repr(by_place)
    for arguments, sentence in (
        ({"layers": ["a"]}, "missing a required argument: 'training_sizes'"),
        (
            {"layers": ["a"], "training_sizes": (8, 8), "dilation": 2},
            "unexpected keyword argument 'dilation'",
        ),
    ):
        with pytest.raises(TypeError, match=sentence):
            FouriScaleConfig(**arguments)
    with pytest.raises(TypeError, match="multiple values for argument 'layers'"):
        FouriScaleConfig((8, 8), ["a"], layers=["b"])
    with pytest.raises(TypeError, match="too many positional arguments"):
        FouriScaleConfig(*range(1 + len(FouriScaleConfig.model_fields)))


def test_every_setting_has_its_sentence():
    docs = setting_docs()
    assert list(docs) == list(SD15.to_dict())
    assert all(len(sentence) > 20 and "\n" not in sentence for sentence in docs.values())
    assert docs["stop"].startswith("fraction of the run")


def test_the_fault_that_is_named_is_the_first_of_the_order_of_checks():
    with pytest.raises(ValueError, match="training_sizes="):
        FouriScaleConfig(training_sizes=[], layers="a")
    with pytest.raises(TypeError, match="layers="):
        FouriScaleConfig(training_sizes=(8, 8), layers="a", mode="slow")


@pytest.mark.parametrize("given", [(512, 512), [512, 512], [[512, 512]], ((512, 512),)])
def test_one_training_size_may_be_given_bare(given):
    assert FouriScaleConfig(training_sizes=given, layers=["mid_block.*"]).training_sizes == ((512, 512),)


def test_plain_values_make_the_same_config(tmp_path):
    config = FouriScaleConfig.preset("sdxl", stop=0.8)
    assert FouriScaleConfig.from_dict(config.to_dict()) == config
    file = tmp_path / "my.yaml"
    file.write_text(yaml.safe_dump(config.to_dict() | {"description": "mine"}))
    assert FouriScaleConfig.load(file) == config


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"start": 0.7, "stop": 0.3}, ValueError, "start=0.7, stop=0.3: start must lie before stop"),
        ({"start": 0.65}, ValueError, "start=0.65, stop=0.6"),
        ({"stop": 1.5}, ValueError, "stop=1.5: must be from 0 to 1"),
        ({"floor": -0.1}, ValueError, "floor=-0.1"),
        ({"floor": float("nan")}, ValueError, "floor=nan"),
        ({"weak_dilation_divisor": 0.5}, ValueError, "weak_dilation_divisor=0.5: must be from 1 to 1000"),
        ({"early_guidance": 0}, ValueError, "early_guidance=0"),
        ({"early_guidance": float("inf")}, ValueError, "early_guidance=inf: must be from 0.001 to 1000"),
        ({"weak_dilation_divisor": 10**400}, ValueError, "must be from 1 to 1000"),
        ({"training_sizes": [[10**400] * 2]}, ValueError, "each a whole number from 8 to 32768"),
        ({"training_sizes": [[512, True]]}, ValueError, "each a whole number from 8 to 32768"),
        ({"training_sizes": [[512, 512]] * 1001}, ValueError, "there may be 1000 at most"),
        ({"layers": ["a" * 1001]}, ValueError, "each of 1000 letters at most"),
        ({"mode": ["paper"]}, ValueError, "mode=['paper']: must be one of paper, fast"),
        ({"anneal": "yes"}, TypeError, "anneal='yes': must be true or false"),
        ({"stop": "late"}, TypeError, "stop='late': must be a number"),
        ({"layers": "mid_block.*"}, TypeError, "layers='mid_block"),
        ({"layers": []}, ValueError, "layers="),
        ({"training_sizes": (0, 512)}, ValueError, "training_sizes="),
        ({"training_sizes": []}, ValueError, "training_sizes="),
        ({"dilation": 2}, ValueError, "unknown setting 'dilation'; settings are training_sizes, layers"),
    ],
)
def test_bad_settings_get_one_sentence(changes, error, sentence):
    with pytest.raises(error) as caught:
        FouriScaleConfig.preset("sd15", **changes)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bad_files_get_one_sentence(tmp_path):
    with pytest.raises(ValueError, match=r"unknown preset 'sd16'; presets are sd15, sd21"):
        FouriScaleConfig.preset("sd16")
    with pytest.raises(ValueError, match=r"none\.yaml: cannot be read"):
        FouriScaleConfig.load(tmp_path / "none.yaml")
    lists = "".join(f"  - &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in itertools.pairwise("abcdefgh"))
    for text, sentence in (
        ("- a list", "must hold settings"),
        ("[" * 5000, "it is nested too deeply"),
        (
            f"layers: [a]\ntraining_sizes:\n  - &a [x]\n{lists}",
            "its aliases make 1.14e+07 values of 15; they may add 100,000 at most",
        ),  # 9 to the 7th
        ("# " + "x" * 10**6, "is larger than a file of settings can be"),
        ("{", "is no YAML"),
        ("layers: [a]\nfoo: 1\ntraining_sizes: [1, 1]", "unknown setting 'foo'"),
        ("layers: [a]", "training_sizes must be given"),
    ):
        (tmp_path / "bad.yaml").write_text(text)
        with pytest.raises(ValueError, match=r"bad\.yaml") as caught:
            FouriScaleConfig.load(tmp_path / "bad.yaml")
        assert sentence in str(caught.value)
        assert "\n" not in str(caught.value)
