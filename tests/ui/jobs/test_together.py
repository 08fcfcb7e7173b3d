"""Jobs that take turns on one model: each picture is byte for byte the one that its job makes alone."""

import threading
from dataclasses import replace

import pytest
from PIL import Image

from fouriscale import FouriScaleConfig
from fouriscale.loading.pipeline import load_pipeline
from fouriscale.sampling.cascade import Cascade
from picturelab_ui.jobs.high_resolution import PictureOrder, sample
from picturelab_ui.jobs.own_pipeline import own_pipeline
from picturelab_ui.jobs.padding_tokens import both_interventions
from picturelab_ui.jobs.runner import Runner

PAPER = FouriScaleConfig.preset("shapeworld", mode="paper")
LONG = PictureOrder(
    prompt="a red circle",
    model="shapeworld/unet",
    height=144,
    width=128,
    seed=3,
    steps=3,
    guidance=1.0,
    config=PAPER,
)
SHORT = replace(LONG, height=128, width=144, steps=1, config=PAPER.replace(mode="fast"), seed=4)


@pytest.fixture(scope="module")
def loaded():
    pipe = load_pipeline()
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture
def together(loaded):
    """Runs works, each called with a pipeline of its own and its job, in turns by steps or one by one.

    Gives their jobs, and whose the denoiser's calls were."""

    def start(works, alone):
        runner, calls, release = Runner(turn=0), [], threading.Event()

        def on_a_pipeline(number, work):
            def run(job):
                assert release.wait(60)
                pipe = own_pipeline(loaded)
                pipe.unet.register_forward_pre_hook(lambda *_: calls.append(number))
                return work(pipe, job)

            return run

        if alone:
            release.set()
        jobs = []
        for number, work in enumerate(works):
            jobs.append(runner.submit(on_a_pipeline(number, work)))
            assert not alone or jobs[-1].wait(120)
        release.set()
        assert all(job.wait(120) for job in jobs)
        assert [job.error for job in jobs] == [""] * len(jobs)
        runner.close()
        return jobs, calls

    return start


def sampling(order, folder):
    return lambda pipe, job: sample(pipe, order, folder=folder, job=job)


def pictures(job):
    """{method: bytes} of a job's pictures."""
    contents = {}
    for made in job.result.pictures:
        with Image.open(made.path) as image:
            contents[made.method] = image.tobytes()
    return contents


@pytest.mark.slow
def test_a_short_picture_is_done_before_a_long_one_and_both_are_as_alone(together, tmp_path):
    works = [sampling(order, tmp_path) for order in (LONG, SHORT)]
    (long, short), calls = together(works, alone=False)
    assert calls == [0, 1, 0, 1] + [0] * 4  # two pictures each
    assert short.remarks == long.remarks == []  # no pipeline hears of the other's settings
    assert [len(job.previews) for job in (long, short)] == [4, 0]
    alone, calls = together(works, alone=True)
    assert calls == [0] * 6 + [1] * 2
    for one, other in zip((long, short), alone, strict=True):
        assert pictures(one) == pictures(other)
        assert [p.tobytes() for p, _ in one.previews] == [p.tobytes() for p, _ in other.previews]


@pytest.mark.slow
def test_settings_of_every_kind_stay_their_jobs_own(together, loaded, tmp_path):
    scaled = replace(LONG, steps=2, methods=("FouriScale",))
    wrapped = replace(scaled, guidance=4.0, config=PAPER.replace(wrap="width", third_branch=True))
    cascade = replace(scaled, config=PAPER.replace(mode="fast"), cascade=Cascade())

    def arms(pipe, job):
        return both_interventions(
            pipe, "a red circle", ["full", "padding"], seed=1, steps=1, folder=tmp_path, job=job
        )

    works = [*(sampling(order, tmp_path) for order in (wrapped, cascade)), arms]
    jobs, calls = together(works, alone=False)
    assert calls[:6] == [0, 1, 2] * 2
    alone, _ = together(works, alone=True)
    for one, other in zip(jobs[:2], alone[:2], strict=True):
        assert pictures(one) == pictures(other)
    in_turn, by_itself = (
        {
            (name, arm): image.tobytes()
            for name, made in job.result.pictures.items()
            for arm, image in made.items()
        }
        for job in (jobs[2], alone[2])
    )
    assert in_turn == by_itself
    for module in loaded.unet.modules():  # the loaded one was never touched
        assert not module._forward_pre_hooks
        assert "_conv_forward" not in vars(module)


def test_an_own_pipeline_shares_every_weight_and_no_module(loaded):
    own = own_pipeline(loaded)
    for name in ("unet", "vae", "text_encoder"):
        mine, theirs = getattr(own, name), getattr(loaded, name)
        assert mine is not theirs
        assert not set(mine.modules()) & set(theirs.modules())
        for one, other in ((mine.parameters(), theirs.parameters()), (mine.buffers(), theirs.buffers())):
            assert all(a is b for a, b in zip(one, other, strict=True))
    assert own.scheduler is not loaded.scheduler
    assert own.scheduler.config == loaded.scheduler.config
    assert own.components["unet"] is own.unet
    assert own.tokenizer is loaded.tokenizer
