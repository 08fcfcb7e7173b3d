"""Configs, switches and folders that nothing can be trained with: one sentence, and nothing begun."""

import pytest
import typer

from shapeworld import WEIGHTS
from shapeworld import train as entrance
from shapeworld.training.command import main

from .tiny import CLIP, STAGE, TINY, train


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"epochs": 3}, "epochs: Extra inputs are not permitted"),
        ({"autoencoder": {"images": 6, "learning_rate": 1}}, "autoencoder.learning_rate: Extra inputs"),
        ({"stages": [{"pixels": 32, "scenes": 6}]}, "stages.0.images: Field required"),
        ({"model": "gan"}, "model: Input should be 'unet', 'joint' or 'clip', not 'gan'"),
        ({"ema": 1.5}, "ema: Input should be less than or equal to 1, not 1.5"),
        ({"stages": [STAGE | {"batch": 0}]}, "stages.0.batch: Input should be greater than 0, not 0"),
        ({"stages": [STAGE | {"lr": float("nan")}]}, "stages.0.lr: Input should be a finite number, not nan"),
        ({"stages": [STAGE | {"pixels": 36}]}, "stages.0.pixels: Input should be a multiple of 8, not 36"),
    ],
)
def test_a_wrong_config_is_one_sentence(tmp_path, changes, sentence):
    with pytest.raises(typer.BadParameter, match=sentence) as error:
        train(tmp_path, TINY | changes)
    assert str(tmp_path / "config.yaml") in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("settings", "switches", "sentence"),
    [
        (TINY, {"minutes": 0.0}, "--minutes 0: give a number of minutes greater than 0"),
        (TINY, {"minutes": -2.5}, "--minutes -2.5: give"),
        (TINY, {"minutes": float("nan")}, "--minutes nan: give"),
        (TINY, {"minutes": float("inf")}, "--minutes inf: give"),
        (CLIP, {"compiled": True}, "--compile is for denoisers, and model='clip' has none"),
        (
            {"name": "joint-masked", "model": "joint", "stages": [STAGE]},
            {"init_from": WEIGHTS / "joint"},
            "trained with masking='none', and joint-masked is a model with masking='both'",
        ),
        (TINY | {"name": "unett"}, {}, "name='unett': a model 'unet' is named unet or "),
        (CLIP | {"name": "unet"}, {}, "name='unet': a model 'clip' is named clip"),
        (TINY | {"stages": [STAGE | {"batch": 5}]}, {}, "images=4 are less than one batch of 5"),
    ],
)
def test_what_cannot_be_trained_is_one_sentence(tmp_path, settings, switches, sentence):
    with pytest.raises(typer.BadParameter, match=sentence) as error:
        train(tmp_path, settings, **switches)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_a_run_folder_that_is_a_file(tmp_path):
    (tmp_path / "run").write_text("mine")
    with pytest.raises(typer.BadParameter, match=r"File exists: .*run"):
        train(tmp_path, TINY)
    assert (tmp_path / "run").read_text() == "mine"


def test_a_config_that_is_not_text(tmp_path):
    (tmp_path / "config.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(typer.BadParameter, match=r"config\.yaml: .*can't decode"):
        main(tmp_path / "config.yaml", run_folder=tmp_path / "run")


def test_a_config_that_is_not_there(tmp_path):
    with pytest.raises(typer.BadParameter, match=r"missing\.yaml: .*No such file"):
        main(tmp_path / "missing.yaml", run_folder=tmp_path, out=tmp_path, init_from=None)


def test_without_its_extra_the_command_names_it(monkeypatch, capsys):
    monkeypatch.setattr(entrance, "find_spec", lambda name: None if name in ("rich", "typer") else name)
    with pytest.raises(SystemExit) as stopped:
        entrance.main()
    assert stopped.value.code == 2
    assert capsys.readouterr().err == (
        "Error: training needs rich, typer: "
        "pip install './shapeworld[train]' in a checkout of this repository brings it\n"
    )
