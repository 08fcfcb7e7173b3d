"""Tiny trainings of the true architectures: export, kill and resume, continuing from weights."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
import yaml
from diffusers import FluxPipeline, StableDiffusionPipeline

from shapeworld import models
from shapeworld import train as entrance
from shapeworld.masked import mask_padding
from shapeworld.training.command import main
from shapeworld.training.optimizer import Optimizer
from shapeworld.training.stages import Run

TINY = {
    "name": "unet",
    "autoencoder": {"images": 6, "batch": 2},
    "stages": [
        {"pixels": 32, "scenes": 6, "images": 4, "batch": 2},
        {"pixels": 64, "scenes": 4, "images": 4, "batch": 2},
    ],
}
STAGE = TINY["stages"][0]
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
        for name, usual in models.SAMPLING.items():
            patch.setitem(
                models.SAMPLING,
                name,
                dataclasses.replace(usual, call=usual.call | {"num_inference_steps": 1}),
            )
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


@pytest.mark.slow
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


@pytest.mark.slow
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


def test_a_finished_stage_is_kept_as_it_ended(undisturbed):
    """Later stages train the same tensors on; a checkpoint must not follow them."""
    modules = checkpoint(undisturbed)["modules"]
    assert not same(modules[NAMES[1]], modules[NAMES[2]])


def test_a_run_folder_belongs_to_one_training(undisturbed, tmp_path):
    with pytest.raises(typer.BadParameter, match=r"holds a run with another init_from: .*--run-folder"):
        train(undisturbed, TINY, init_from=undisturbed / "weights")
    with pytest.raises(typer.BadParameter, match=r"another seed, stages: .*seed=0"):
        train(undisturbed, TINY | {"seed": 1, "stages": [STAGE]})


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights of a tiny contrastive training."""
    folder = tmp_path_factory.mktemp("clip")
    settings = {"name": "clip", "model": "clip", "contrast": {"images": 12, "batch": 6}}
    return train(folder, settings)


@pytest.fixture
def shipped(undisturbed, clip, tmp_path, monkeypatch) -> Path:
    """A folder of weights with a `unet` and a `clip`, in place of the shipped one."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    (folder / "unet").symlink_to(undisturbed / "weights")
    (folder / "clip").symlink_to(clip)
    monkeypatch.setattr(models, "WEIGHTS", folder)
    return folder


def test_clip_scores_pictures_and_captions(shipped):
    from PIL import Image

    model, processor = models.load_clip()
    inputs = processor(
        text=["a red circle on a blue background", "a cyan square on a red background"],
        images=[Image.new("RGB", (96, 80), "red")],
        padding=True,
        return_tensors="pt",
    )
    assert inputs["pixel_values"].shape == (1, 3, models.CLIP_IMAGE_SIZE, models.CLIP_IMAGE_SIZE)
    with torch.no_grad():
        scores = model(**inputs).logits_per_image
    assert scores.shape == (1, 2)
    assert scores[0, 0] != scores[0, 1]


@pytest.mark.slow
def test_a_frozen_encoder_is_the_clips_and_stays_it(shipped, tmp_path):
    settings = {"name": "unet-frozen", "frozen_encoder": True, "stages": [STAGE]}
    pipe = load(train(tmp_path, settings, init_from=shipped / "unet"))
    assert same(pipe.text_encoder.state_dict(), models.load_clip()[0].text_model.state_dict())
    before = load(shipped / "unet").unet.state_dict()
    assert not same(pipe.unet.state_dict(), before)
    assert pipe.tokenizer.model_max_length == models.TEXT_LENGTH


@pytest.mark.slow
@pytest.mark.parametrize("name", ["joint", "joint-masked"])
def test_a_joint_model_is_a_stock_flux_pipeline(shipped, tmp_path, name):
    settings = {"name": name, "model": "joint", "stages": [STAGE]}
    (shipped / name).symlink_to(train(tmp_path, settings))
    assert name in models.model_names()
    pipe = models.load_pipeline(name)
    assert type(pipe) is FluxPipeline
    pipe.set_progress_bar_config(disable=True)
    torch.manual_seed(0)
    begun = models.build_transformer().state_dict()
    trained = pipe.transformer.state_dict()
    assert not [n for n in begun if begun[n].numel() > 64 and torch.equal(begun[n], trained[n])]

    def draw(prompt: str) -> bytes:
        call = models.SAMPLING[name].call
        return pipe(prompt, generator=torch.Generator().manual_seed(0), **call).images[0].tobytes()

    caption = "a red circle on a blue background"
    assert draw(caption) != draw("a cyan square on a red background")
    assert draw(caption) == draw(caption)


@pytest.mark.parametrize(("name", "silent"), [("joint", False), ("joint-masked", True)])
def test_masked_padding_has_no_influence(shipped, name, silent):
    """Whatever the encoder makes of padding, the masked transformer gives the same, and the other does not."""
    tokenizer = models.build_tokenizer(models.LONG_TEXT_LENGTH)
    pipe = models.build_joint_pipeline(
        models.build_vae(), models.shipped_text_encoder(), models.build_transformer(), tokenizer
    )
    if models.SAMPLING[name].masked:
        mask_padding(pipe)
    encoder, transformer = pipe.text_encoder_2, pipe.transformer.eval()
    text = tokenizer("a red circle", padding="max_length", return_tensors="pt").input_ids  # 5 tokens
    rows = encoder(text)[0]
    assert bool((rows[:, 5:] == 0).all()) == silent
    assert (rows[:, :5] != 0).any(-1).all()

    def run(text: torch.Tensor) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            return transformer(
                hidden_states=torch.randn(1, 16, 16, generator=generator),
                encoder_hidden_states=text,
                pooled_projections=torch.zeros(1, models.SILENT_WIDTH),
                timestep=torch.tensor([0.5]),
                img_ids=torch.zeros(16, 3),
                txt_ids=torch.zeros(text.shape[1], 3),
            )[0]

    torch.nn.init.normal_(transformer.proj_out.weight, std=0.02)
    cropped, whole = run(rows[:, :5]), run(rows)
    assert torch.allclose(cropped, whole, atol=1e-5) == silent


def test_the_pooled_vector_is_silent():
    tokenizer = models.build_tokenizer()
    encoder = models.build_silent_encoder(tokenizer)
    output = encoder(tokenizer("a red circle", return_tensors="pt").input_ids)
    assert output.pooler_output.shape == (1, models.SILENT_WIDTH)
    assert not output.pooler_output.any()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_muon_follows_the_gradient_in_either_layout(layout):
    """Of a gradient whose singular values are all equal, Muon's step is the gradient, scaled."""
    conv = torch.nn.Conv2d(32, 32, 3).to(memory_format=layout)
    conv.bias.grad = torch.zeros(32)
    before = conv.weight.detach().clone()
    gradient, _ = torch.linalg.qr(torch.randn(32 * 9, 32, generator=torch.Generator().manual_seed(0)))
    gradient = gradient.T.reshape(32, 32, 3, 3)
    conv.weight.grad = gradient.clone()
    Optimizer(conv, rate=1e-2, muon=True).step(1e-2)
    step = before * (1 - 1e-2 * 0.01) - conv.weight.detach()
    cosine = torch.nn.functional.cosine_similarity(step.flatten(), gradient.flatten(), dim=0)
    assert cosine > 0.99
    assert conv.weight.grad is None


def test_shipped_configs_are_valid():
    from shapeworld.training.command import _load_config

    files = sorted((Path(__file__).parents[3] / "configs" / "training").glob("*.yaml"))
    configs = {file.stem: _load_config(file) for file in files}
    assert configs.keys() == {"clip", "joint", "joint-masked", "unet", "unet-continue", "unet-frozen"}
    for name, config in configs.items():
        if config.model != "clip":
            assert config.stages[-1].pixels == models.SAMPLING[config.name].pixels
        assert config.name == name.removesuffix("-continue")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"epochs": 3}, "epochs: Extra inputs are not permitted"),
        ({"autoencoder": {"images": 6, "learning_rate": 1}}, "autoencoder.learning_rate: Extra inputs"),
        ({"stages": [{"pixels": 32, "scenes": 6}]}, "stages.0.images: Field required"),
        ({"model": "gan"}, "model: Input should be 'unet', 'joint' or 'clip'"),
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


def test_without_its_extra_the_command_names_it(monkeypatch, capsys):
    monkeypatch.setattr(entrance, "find_spec", lambda name: None if name in ("rich", "typer") else name)
    with pytest.raises(SystemExit) as stopped:
        entrance.main()
    assert stopped.value.code == 2
    assert capsys.readouterr().err == (
        "Error: training needs rich, typer: "
        "pip install './shapeworld[train]' in a checkout of this repository brings it\n"
    )
