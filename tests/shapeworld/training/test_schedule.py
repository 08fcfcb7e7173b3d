"""A stage ends after its images or after its minutes, and its learning rate falls until then."""

import json
from types import SimpleNamespace

import pytest
import torch

from shapeworld.training import schedule, stages
from shapeworld.training.run import Run
from shapeworld.training.schedule import TimeSchedule, cosine
from shapeworld.training.settings import TrainingConfig

from .small import STAGE, Identity, Killed, batches

CONFIG = TrainingConfig(name="unet", stages=[STAGE], checkpoint_minutes=0)
STAGE_SECONDS = 60


class Clock:
    """A watch that shows what the test says."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now

    def pass_ten_seconds(self):
        self.now += 10


@pytest.fixture
def clock(monkeypatch) -> Clock:
    watch = Clock()
    monkeypatch.setattr(schedule, "time", watch)
    monkeypatch.setattr(stages, "_LOG_EVERY", 1)
    return watch


def trained(folder, each_time) -> Identity:
    """A minute of training."""
    torch.manual_seed(0)
    module = Identity(each_time)
    run = Run(CONFIG, folder, minutes=STAGE_SECONDS / 60, workers=0)
    stages.StageTraining(run, "stage", module, batches, STAGE)()
    return module


def entries(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_half_a_cosine():
    assert [cosine(3.0, 1.0, done, 8) for done in (0, 4, 8)] == [3, 2, 1]
    assert cosine(1.0, 0.0, 1, 3) == pytest.approx(0.75)


def test_a_stage_of_a_minute_trains_a_minute(tmp_path, clock):
    """With steps of ten seconds; the learning rate goes with the time."""
    trained(tmp_path, clock.pass_ten_seconds)
    log = entries(tmp_path)
    assert [(e["step"], e["seconds"], e["of_seconds"]) for e in log] == [(n, 10 * n, 60) for n in range(6)]
    assert [e["lr"] for e in log] == [cosine(STAGE.lr, STAGE.lr_end, 10 * n, 60) for n in range(6)]
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["done"] == ["stage"]


def test_time_is_counted_over_all_resumes(tmp_path, clock):
    undisturbed = trained(tmp_path / "undisturbed", clock.pass_ten_seconds)

    def die_in_the_fourth_step():
        clock.pass_ten_seconds()
        if clock.now == begun + 40:
            raise Killed

    begun = clock.now
    with pytest.raises(Killed):
        trained(tmp_path / "killed", die_in_the_fourth_step)
    clock.now += 1e5  # while it is dead
    resumed = trained(tmp_path / "killed", clock.pass_ten_seconds)
    assert [e["seconds"] for e in entries(tmp_path / "killed")] == [0, 10, 20, 30, 40, 50]
    for name, value in resumed.state_dict().items():
        assert torch.equal(value, undisturbed.state_dict()[name]), name


def test_the_first_process_keeps_the_time(clock, monkeypatch):
    """Processes that stop at different steps wait for one another for ever."""
    monkeypatch.setattr(schedule, "broadcast", lambda own: torch.full_like(own, 7.0))
    shared = SimpleNamespace(num_processes=2, device=torch.device("cpu"))
    alone = SimpleNamespace(num_processes=1, device=torch.device("cpu"))
    clock.pass_ten_seconds()
    watches = [TimeSchedule(60, 5.0, accelerator) for accelerator in (shared, alone)]
    clock.pass_ten_seconds()
    assert [watch.done(0) for watch in watches] == [7, 15]


def test_stages_share_the_minutes_as_their_images_are(tmp_path):
    stage = {"pixels": 32, "scenes": 2, "batch": 2}
    config = TrainingConfig.model_validate(
        {
            "name": "unet",
            "autoencoder": {"images": 10},
            "stages": [stage | {"images": 20}, stage | {"images": 70}],
        }
    )
    autoencoder, first, second = config.trained(None)
    run = Run(config, tmp_path / "whole", minutes=5, workers=0)
    assert [run.seconds(stage) for stage in (autoencoder, first, second)] == [30, 60, 210]
    # The autoencoder of the weights that it goes on from is not trained.
    run = Run(config, tmp_path / "continued", "weights", minutes=3, workers=0)
    assert [run.seconds(stage) for stage in (first, second)] == pytest.approx([40, 140])
    assert Run(config, tmp_path / "images", workers=0).seconds(first) is None
