import itertools
import pickle
from dataclasses import FrozenInstanceError

import pytest
import yaml

import fouriscale
from fouriscale import FouriScaleConfig

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
    docs = FouriScaleConfig.setting_docs()
    assert list(docs) == list(FouriScaleConfig.model_fields)
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
        ({"grid": "small"}, ValueError, "grid='small': must be one of full, deep"),
        ({"grid": 1}, ValueError, "grid=1: must be one of full, deep"),
        ({"grid_resampling": "lanczos"}, ValueError, "must be one of cosines, area, nearest, bicubic"),
        ({"grid_resampling": None}, ValueError, "grid_resampling=None: must be one of"),
        ({"wrap": "sideways"}, ValueError, "wrap='sideways': must be one of none, width, height, both"),
        ({"wrap": None}, ValueError, "wrap=None: must be one of none, width, height, both"),
        (
            {"border": "circular"},
            ValueError,
            "border='circular': must be one of zeros, partial, reflect, replicate",
        ),
        (
            {"wrap": "both", "late_attention": "polyphase"},
            ValueError,
            "late_attention='polyphase' with wrap='both': its interleaved grids do not go round",
        ),
        ({"grid_level": 0}, ValueError, "grid_level=0: must be from 1 to 9"),
        ({"grid_level": 10}, ValueError, "grid_level=10: must be from 1 to 9"),
        ({"grid_level": 10**400}, ValueError, "must be from 1 to 9"),
        ({"grid_level": 1.0}, TypeError, "grid_level=1.0: must be a whole number"),
        ({"grid_level": True}, TypeError, "grid_level=True: must be a whole number"),
        ({"grid_phases": 0.8}, ValueError, "grid_phases=0.8: must be pairs such as [[0.5, 1], [0.8, 2]]"),
        ({"grid_phases": []}, ValueError, "grid_phases=[]: must be pairs"),
        ({"grid_phases": [0.8, 1]}, ValueError, "grid_phases=[0.8, 1]: must be pairs"),
        ({"grid_phases": [[0.8]]}, ValueError, "grid_phases=[[0.8]]: must be pairs"),
        ({"grid_phases": [["0.8", 1]]}, ValueError, "must be pairs"),
        ({"grid_phases": [[True, 1]]}, ValueError, "must be pairs"),
        ({"grid_phases": [[0, 1]]}, ValueError, "the fraction of the run in (0, 1]"),
        ({"grid_phases": [[1.1, 1]]}, ValueError, "the fraction of the run in (0, 1]"),
        ({"grid_phases": [[float("nan"), 1]]}, ValueError, "must be pairs"),
        ({"grid_phases": [[0.8, 0.05]]}, ValueError, "from 0.1 to 100"),
        ({"grid_phases": [[0.8, 10**400]]}, ValueError, "from 0.1 to 100"),
        ({"grid_phases": [[0.8, float("nan")]]}, ValueError, "must be pairs"),
        ({"grid_phases": [[0.5, 1], [0.5, 2]]}, ValueError, "both rising"),
        ({"grid_phases": [[0.5, 2], [0.8, 1]]}, ValueError, "both rising"),
        ({"grid_phases": [[i / 20, i] for i in range(1, 12)]}, ValueError, "10 at most"),
    ],
)
def test_bad_settings_get_one_sentence(changes, error, sentence):
    with pytest.raises(error) as caught:
        FouriScaleConfig.preset("sd15", **changes)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bad_files_get_one_sentence(tmp_path):
    with pytest.raises(ValueError, match=r"unknown preset 'sd16'; presets are .*sd15, sd21"):
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


def test_new_settings_come_after_those_that_could_be_given_by_place():
    names = list(FouriScaleConfig.model_fields)
    new = ["grid", "grid_phases", "grid_level", "grid_resampling", "wrap", "border"]
    assert names[-6:] == new
    assert names.index("size_rule") == len(names) - 7


def test_what_is_kept_by_the_hash_of_settings_is_found_again():
    """Plain values are what they were before there were these two, unless one of them is chosen."""
    plain = SD15.to_dict()
    assert list(plain) == [name for name in FouriScaleConfig.model_fields if name not in ("wrap", "border")]
    chosen = SD15.replace(wrap="width", border="reflect")
    assert chosen.to_dict() == plain | {"wrap": "width", "border": "reflect"}
    assert FouriScaleConfig.from_dict(chosen.to_dict()) == chosen
    assert FouriScaleConfig.from_dict(plain) == SD15
    assert (SD15.wrap, SD15.border) == ("none", "zeros")


def test_phases_are_pairs_of_numbers_however_they_are_given():
    phases = SD15.replace(grid_phases=[(0.5, 1), [0.8, 2]]).grid_phases
    assert phases == ((0.5, 1.0), (0.8, 2.0))
    assert SD15.replace(grid_phases=phases).to_dict()["grid_phases"] == [[0.5, 1.0], [0.8, 2.0]]
    assert SD15.grid_phases is SD15.to_dict()["grid_phases"] is None


def test_what_fast_meant_before_there_was_a_grid_keeps_its_meaning():
    old = {name: value for name, value in SD15.to_dict().items() if not name.startswith("grid")}
    before = FouriScaleConfig.from_dict(old | {"mode": "fast"})
    assert (before.mode, before.deep) == ("layerwise", False)
    assert before.chosen("convolution") == "decimated"
    assert FouriScaleConfig.from_dict(old | {"mode": "paper"}) == SD15
    for grid in (None, "deep"):
        now = FouriScaleConfig.from_dict(old | {"mode": "fast", "grid": grid})
        assert (now.mode, now.deep) == ("fast", True)
    assert not FouriScaleConfig.from_dict(old | {"mode": "fast", "grid": "full"}).deep
    assert SD15.replace(mode="fast").deep  # one's own words are today's
    assert FouriScaleConfig(**old | {"mode": "fast"}).deep


def test_a_file_from_before_there_was_a_grid_is_read_likewise(tmp_path):
    file = tmp_path / "old.yaml"
    file.write_text("training_sizes: [512, 512]\nlayers: ['mid_block.*']\nmode: fast\n")
    assert FouriScaleConfig.load(file).mode == "layerwise"
    file.write_text(file.read_text() + "grid: deep\n")
    assert FouriScaleConfig.load(file).mode == "fast"
    assert FouriScaleConfig.named(str(file), mode="fast").deep


@pytest.mark.parametrize("mode", ["paper", "fast", "layerwise"])
def test_resolved_settings_leave_nothing_open_and_mean_the_same(mode):
    config = SD15.replace(mode=mode, attention="polyphase")
    resolved = config.resolved()
    left = ("third_branch", "attention", "late_attention", "convolution", "grid")
    assert [getattr(resolved, name) for name in left] == [config.chosen(name) for name in left]
    assert resolved.attention == "polyphase"
    assert resolved.grid_phases == ((0.8, 1.0),)
    assert resolved.resolved() == resolved == FouriScaleConfig.from_dict(resolved.to_dict())
    assert resolved.schedule(1024, 1024, 50) == config.schedule(1024, 1024, 50)
    other = "fast" if mode == "paper" else "paper"
    assert resolved.replace(mode=other).schedule(1024, 1024, 50) == config.schedule(1024, 1024, 50)


def test_a_deep_grid_may_be_had_in_any_mode():
    deep = SD15.replace(grid="deep")
    assert deep.deep
    assert (deep.chosen("third_branch"), deep.chosen("attention")) == (True, "full")
    assert deep.fit(1536, 1024).dilation == pytest.approx(6**0.5)
    assert SD15.fit(1536, 1024).dilation == 3
