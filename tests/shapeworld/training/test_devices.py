"""Training on another device than the CPU, by stand-ins: a move gives the parameters other memory, as a GPU does;
or the device is `meta`, which has no memory at all and refuses many operations with tensors of the CPU."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from accelerate import Accelerator

from shapeworld import models
from shapeworld.masking import apply_masking
from shapeworld.training.batches import CaptionedPictures, DrawnBatches, LatentBatches, crop_inputs
from shapeworld.training.objectives import Autoencode, Contrast, Denoise, Flow
from shapeworld.training.rendering import Crops, ScenePairs
from shapeworld.training.run import Run
from shapeworld.training.settings import TrainingConfig
from shapeworld.training.stages import StageTraining

from .small import STAGE, Identity, batches

META = torch.device("meta")


def trained(folder: Path) -> Identity:
    torch.manual_seed(0)
    module = Identity()
    StageTraining(Run(TrainingConfig(name="unet"), folder, workers=0), "stage", module, batches, STAGE)()
    return module


@pytest.fixture
def moved(monkeypatch):
    """`Accelerator.prepare` gives every parameter other memory."""
    prepare = Accelerator.prepare

    def move(accelerator, module):
        for parameter in module.parameters():
            parameter.data = parameter.data.clone()
        return prepare(accelerator, module)

    monkeypatch.setattr(Accelerator, "prepare", move)


def test_the_optimiser_follows_a_module_that_was_moved(tmp_path, moved, monkeypatch):
    elsewhere = trained(tmp_path / "elsewhere")
    monkeypatch.undo()
    here = trained(tmp_path / "here")
    torch.manual_seed(0)
    begun = Identity()
    for name, parameter in elsewhere.named_parameters():
        assert torch.equal(parameter, here.get_parameter(name)), name
        assert not torch.equal(parameter, begun.get_parameter(name)), name


@pytest.fixture
def run(tmp_path, monkeypatch) -> Run:
    """A run whose device is `meta`; it has no random numbers of its own."""
    monkeypatch.setattr(Run, "device", META)
    monkeypatch.setattr(Run, "generator", lambda run, seed: torch.Generator().manual_seed(seed))
    return Run(TrainingConfig(name="unet"), tmp_path, workers=0)


class Encoder:
    """Stands for an autoencoder on `meta`; gives latents with content, for they are kept on disk."""

    config = SimpleNamespace(scaling_factor=2.0)

    def __init__(self):
        self.devices = []

    def encode(self, pictures):
        self.devices.append(pictures.device)
        return SimpleNamespace(latent_dist=SimpleNamespace(mode=lambda: torch.ones(len(pictures), 4, 8, 8)))


def devices(inputs: tuple) -> set[torch.device]:
    return {part.device for part in inputs if isinstance(part, torch.Tensor)}


def latents(run: Run, tokenizer) -> tuple:
    encoder = Encoder()
    made = next(LatentBatches(run, "stage", encoder, tokenizer, STAGE.model_copy(update={"scenes": 3}))(0))
    assert encoder.devices == [META]
    return made


def test_a_unets_step_stays_on_its_device(run):
    tokenizer = models.build_tokenizer()
    inputs = latents(run, tokenizer)
    assert devices(inputs) == {META}
    scheduler = models.build_scheduler()
    with META:
        module = Denoise(models.build_text_encoder(tokenizer), models.build_unet(), scheduler)
    _one_step(module, inputs)


@pytest.mark.parametrize("masking", ["none", "both"])
def test_a_transformers_step_stays_on_its_device(run, masking):
    tokenizer = models.build_tokenizer(models.LONG_TEXT_LENGTH)
    with META:
        encoder, transformer = models.build_text_encoder(tokenizer), models.build_transformer()
        pipe = models.build_joint_pipeline(models.build_vae(), encoder, transformer, tokenizer)
    apply_masking(pipe, masking)
    inputs = latents(run, tokenizer)
    assert devices(inputs) == {META}
    _one_step(Flow(encoder, models.SILENT_WIDTH, transformer), inputs)


def test_an_autoencoders_step_stays_on_its_device(run):
    inputs = next(DrawnBatches(run, "autoencoder", Crops(2), crop_inputs)(0))
    assert devices(inputs) == {META}
    with META:
        module = Autoencode(models.build_vae(), 1e-3)
    _one_step(module, inputs)


def test_clips_step_stays_on_its_device(run):
    tokenizer = models.build_tokenizer(models.LONG_TEXT_LENGTH)
    finish = CaptionedPictures(models.build_clip_processor(tokenizer).image_processor, tokenizer)
    inputs = next(DrawnBatches(run, "contrast", ScenePairs(2, models.CLIP_IMAGE_SIZE, 0.1), finish)(0))
    assert devices(inputs) == {META}
    with META:
        module = Contrast(models.build_clip(tokenizer))
    _one_step(module, inputs)


def _one_step(module: torch.nn.Module, inputs: tuple) -> None:
    loss, figure = module(*inputs)
    loss.backward()
    assert loss.device == figure.device == META
    assert all(parameter.grad is None or parameter.grad.device == META for parameter in module.parameters())


def test_a_checkpoint_is_read_to_the_cpu(tmp_path, monkeypatch):
    """Its tensors were perhaps saved on a device that is not here."""
    trained(tmp_path)
    places = []
    load = torch.load
    monkeypatch.setattr(
        torch, "load", lambda file, **how: (places.append(how["map_location"]), load(file, **how))[1]
    )
    assert Run(TrainingConfig(name="unet"), tmp_path).checkpoint["done"] == ["stage"]
    assert places == ["cpu"]


@pytest.mark.parametrize(("device", "precisions"), [("cuda", ["high"]), ("cpu", [])])
def test_tensorfloat_is_for_a_gpu(tmp_path, monkeypatch, device, precisions):
    seen = []
    monkeypatch.setattr(torch, "set_float32_matmul_precision", seen.append)
    monkeypatch.setattr(Run, "device", torch.device(device))
    Run(TrainingConfig(name="unet", tf32=True), tmp_path / "fast")
    assert seen == precisions
    Run(TrainingConfig(name="unet"), tmp_path / "exact")
    assert seen == precisions


@pytest.mark.parametrize(
    ("device", "cores", "workers"), [("cpu", 8, 5), ("cpu", 2, 0), ("meta", 8, 7), ("meta", 128, 16)]
)
def test_workers_take_the_cores_that_training_leaves_free(tmp_path, monkeypatch, device, cores, workers):
    """On the CPU it takes one a thread, here 3; elsewhere one."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(cores), raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    monkeypatch.setattr(Run, "device", torch.device(device))
    assert Run(TrainingConfig(name="unet"), tmp_path).workers == workers
    assert Run(TrainingConfig(name="unet"), tmp_path, workers=1).workers == 1
