"""A tiny training of the true architecture: export, kill and resume, continuing from weights."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
import yaml
from diffusers import StableDiffusionPipeline

from shapeworld import models
from shapeworld.train import main
from shapeworld.training import Run

TINY = {
    "name": "tiny",
    "autoencoder": {"images": 6, "batch": 2},
    "stages": [
        {"pixels": 32, "scenes": 6, "images": 4, "batch": 2},
        {"pixels": 64, "scenes": 4, "images": 4, "batch": 2},
    ],
}
NAMES = ["autoencoder", "stage1-32px", "stage2-64px"]


class Killed(BaseException):
    """Stands for a signal: nothing of the training may catch it."""


def train(folder: Path, settings: dict[str, Any], init_from: Path | None = None) -> Path:
    """Train in `folder`; gives the weights' folder."""
    folder.mkdir(exist_ok=True)
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(settings))
    main(file, run_folder=folder / "run", out=folder / "weights", init_from=init_from)
    return folder / "weights"


def checkpoint(folder: Path) -> dict[str, Any]:
    return torch.load(folder / "run" / "checkpoint.pt", weights_only=True)


def load(folder: Path) -> StableDiffusionPipeline:
    pipe = StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module", autouse=True)
def _quick_samples():
    """Sample grids of one step instead of 25."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(models.SAMPLING, "unet", models.Sampling(steps=1, guidance=4.0))
        yield


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training that ran through."""
    folder = tmp_path_factory.mktemp("undisturbed")
    train(folder, TINY)
    return folder


def test_a_training_leaves_weights_log_and_samples(undisturbed):
    run = undisturbed / "run"
    entries = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [(e["stage"], e["step"], e["of"]) for e in entries] == [
        (n, 0, s) for n, s in zip(NAMES, (3, 2, 2), strict=True)
    ]
    assert all(0 < e["loss"] < 10 for e in entries)
    assert {file.name for file in run.glob("*.png")} == {"stage1-32px-000002.png", "stage2-64px-000002.png"}
    assert checkpoint(undisturbed)["done"] == NAMES

    files = [file for file in (undisturbed / "weights").rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 15e6
    assert not [file for file in files if file.suffix in (".bin", ".pt", ".ckpt")]


def test_every_parameter_was_trained(undisturbed):
    torch.manual_seed(0)  # the config's seed: these are the weights that the training began with
    tokenizer = models.build_tokenizer()
    parts = {"vae": models.build_vae(), "text_encoder": models.build_text_encoder(tokenizer)}
    parts["unet"] = models.build_unet()
    modules = checkpoint(undisturbed)["modules"]
    trained = modules["autoencoder"] | modules[NAMES[-1]]
    for part, module in parts.items():
        for name, before in module.named_parameters():
            assert not torch.equal(before, trained[f"{part}.{name}"]), name


def test_the_export_is_a_stock_pipeline(undisturbed):
    pipe = load(undisturbed / "weights")
    assert type(pipe) is StableDiffusionPipeline
    assert pipe.scheduler.config.prediction_type == "v_prediction"
    assert pipe.vae.config.scaling_factor not in (1.0, 0.18215)  # measured, not the default
    image = pipe("a red circle on a blue background", num_inference_steps=2).images[0]
    assert image.size == (models.IMAGE_SIZE, models.IMAGE_SIZE)  # the size it would be asked for by default


def test_killed_and_resumed_equals_undisturbed(undisturbed, tmp_path, monkeypatch):
    # Each step is saved; the kill comes before a save, so that its step is lost and done again.
    settings = TINY | {"checkpoint_minutes": 0}
    save, countdown = Run.save, 0

    def save_or_die(run: Run, **state: object) -> None:
        nonlocal countdown
        countdown -= 1
        if countdown == 0:
            raise Killed
        save(run, **state)

    monkeypatch.setattr(Run, "save", save_or_die)
    countdown = 2  # the autoencoder's second step
    with pytest.raises(Killed):
        train(tmp_path, settings)
    assert checkpoint(tmp_path)["stage"] == "autoencoder"
    countdown = (
        3 + 3 + 2
    )  # the rest of the autoencoder and its end, the first stage, the second's second step
    with pytest.raises(Killed):
        train(tmp_path, settings)
    assert checkpoint(tmp_path)["stage"] == NAMES[-1]
    assert checkpoint(tmp_path)["step"] == 1
    weights = train(tmp_path, settings)

    assert checkpoint(tmp_path)["done"] == NAMES
    for name in ("autoencoder", NAMES[-1]):
        assert same(checkpoint(tmp_path)["modules"][name], checkpoint(undisturbed)["modules"][name])
    for file in (undisturbed / "weights").rglob("*.safetensors"):
        assert file.read_bytes() == (weights / file.relative_to(undisturbed / "weights")).read_bytes()


def test_going_on_from_weights_keeps_their_autoencoder(undisturbed, tmp_path):
    before = load(undisturbed / "weights")
    after = load(train(tmp_path, TINY | {"stages": TINY["stages"][:1]}, init_from=undisturbed / "weights"))
    assert same(before.vae.state_dict(), after.vae.state_dict())
    assert after.vae.config.scaling_factor == before.vae.config.scaling_factor
    assert checkpoint(tmp_path)["done"] == ["stage1-32px"]
    # Two steps of a warming-up learning rate move a weight by 3e-5 at most, fp16 rounding aside.
    moved = [
        (new - old).abs().max()
        for new, old in zip(after.unet.parameters(), before.unet.parameters(), strict=True)
    ]
    assert 0 < max(moved) < 2e-3


def test_the_shipped_config_is_valid():
    from shapeworld.train import _load_config

    config = _load_config(Path(__file__).parents[1] / "configs" / "training" / "unet.yaml")
    assert config.name == "unet"
    assert config.stages[-1].pixels == models.IMAGE_SIZE


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"epochs": 3}, "epochs: Extra inputs are not permitted"),
        ({"autoencoder": {"images": 6, "learning_rate": 1}}, "autoencoder.learning_rate: Extra inputs"),
        ({"stages": [{"pixels": 32, "scenes": 6}]}, "stages.0.images: Field required"),
    ],
)
def test_a_wrong_config_is_one_sentence(tmp_path, changes, sentence):
    with pytest.raises(typer.BadParameter, match=sentence) as error:
        train(tmp_path, TINY | changes)
    assert str(tmp_path / "config.yaml") in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_a_config_that_is_not_there(tmp_path):
    with pytest.raises(typer.BadParameter, match=r"missing\.yaml: .*No such file"):
        main(tmp_path / "missing.yaml", run_folder=tmp_path, out=tmp_path, init_from=None)
