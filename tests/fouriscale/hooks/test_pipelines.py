"""Which pipeline is running, and how its rows lie."""

import threading
from types import SimpleNamespace

import pytest
import torch
from diffusers import DiffusionPipeline, ModularPipeline

from fouriscale.hooks import pipelines
from fouriscale.hooks.pipelines import OwnLoop
from fouriscale.maths.plan import Rows
from tests.tiny.golden import build_pipe, load_case

PAIR = ["pred_cond", "pred_uncond"]


@pytest.fixture(scope="module")
def stock():
    case, _, unet = load_case("sd_square_2x")
    return build_pipe(case, unet)


def sample(*values):
    """A row of one latent pixel for each value."""
    return torch.tensor(values, dtype=torch.float32).reshape(-1, 1, 1, 1)


def own_loop(guided):
    return OwnLoop(unet=None, scheduler=None, vae_scale_factor=8, guided=guided)


class Modular(ModularPipeline):
    """As much of a modular pipeline as is asked for its rows."""

    def __init__(self, guider):
        object.__setattr__(self, "guider", guider)


class Calling(DiffusionPipeline):
    """A pipeline whose call asks which one is running, perhaps from within another's call."""

    def __init__(self, unet, inside=None):
        self.unet, self.inside = unet, inside

    def __call__(self, unet):
        return self.inside(unet) if self.inside else pipelines.caller_of(unet).pipe


def test_an_own_loops_rows_lie_as_it_says():
    assert pipelines.rows_of(own_loop(True), sample(1, 2, 1, 2)) == Rows(count=4, guided=True, conditional=2)
    assert pipelines.rows_of(own_loop(False), sample(1, 2, 3)) == Rows(count=3, guided=False, conditional=3)


@pytest.mark.parametrize("values", [(1, 2, 3), (1, 2, 1, 3)])
def test_an_own_loops_guided_rows_are_the_same_samples_twice(values):
    with pytest.raises(
        ValueError, match=f"called with {len(values)} rows that are not the same samples twice"
    ):
        pipelines.rows_of(own_loop(True), sample(*values))


def test_a_stock_pipeline_tells_of_its_guidance(stock, monkeypatch):
    monkeypatch.setattr(stock, "_guidance_scale", 7.5, raising=False)
    assert pipelines.rows_of(stock, sample(1, 2, 1, 2)) == Rows(count=4, guided=True, conditional=2)
    with pytest.raises(ValueError, match="called with 3 rows: with guidance FouriScale needs pairs"):
        pipelines.rows_of(stock, sample(1, 2, 3))
    monkeypatch.setattr(stock, "_guidance_scale", 1.0)
    assert pipelines.rows_of(stock, sample(1, 2, 3)) == Rows(count=3, guided=False, conditional=3)


def test_a_modular_pipeline_asks_for_one_condition_at_a_time():
    guider = SimpleNamespace(_input_predictions=PAIR, is_conditional=True)
    assert pipelines.rows_of(Modular(guider), sample(1, 2)) == Rows(count=2, guided=False, conditional=2)
    guider.is_conditional = False
    assert pipelines.rows_of(Modular(guider), sample(1, 2)) == Rows(count=2, guided=False, conditional=0)
    assert pipelines.rows_of(Modular(None), sample(1, 2)) == Rows(count=2, guided=False, conditional=2)


def test_a_guider_with_more_predictions_is_refused():
    guider = SimpleNamespace(_input_predictions=[*PAIR, "pred_cond_skip"], is_conditional=True)
    with pytest.raises(ValueError, match="asks the UNet for pred_cond, pred_uncond, pred_cond_skip"):
        pipelines.refuse_other_batches(Modular(guider))


@pytest.mark.parametrize("name", ["APAGPipeline", "TheInstructPix2PixPipeline", "MyPanoramaPipeline"])
def test_pipelines_that_batch_otherwise_are_refused_by_name(name):
    pipe = type(name, (), {"do_classifier_free_guidance": True})()
    with pytest.raises(ValueError, match=f"{name} arranges the UNet's rows in its own way"):
        pipelines.refuse_other_batches(pipe)


def test_a_pipeline_that_tells_nothing_of_its_guidance_is_refused():
    with pytest.raises(ValueError, match="SimpleNamespace arranges the UNet's rows in its own way"):
        pipelines.refuse_other_batches(SimpleNamespace())
    pipelines.refuse_other_batches(own_loop(True))


def test_early_guidance_needs_both_conditions_in_a_call(stock):
    guider = SimpleNamespace(_input_predictions=PAIR)
    with pytest.raises(ValueError, match=r"early_guidance=1.5: Modular asks the UNet for one condition"):
        pipelines.refuse_early_guidance(Modular(guider), 1.5)
    pipelines.refuse_early_guidance(Modular(guider), 1.0)
    pipelines.refuse_early_guidance(stock, 1.5)


def test_the_unet_is_found_in_a_pipeline_alone_and_within_compile(stock):
    assert pipelines.unet_of(stock) is stock.unet
    assert pipelines.unet_of(stock.unet) is stock.unet
    wrapped = SimpleNamespace(_orig_mod=stock.unet)
    assert pipelines.unet_of(wrapped) is stock.unet
    assert pipelines.unet_of(SimpleNamespace(unet=wrapped)) is stock.unet
    with pytest.raises(ValueError, match="Linear has no UNet2DConditionModel as"):
        pipelines.unet_of(torch.nn.Linear(1, 1))


def test_the_running_pipeline_is_the_innermost_with_that_unet():
    one, other = object(), object()
    assert pipelines.caller_of(one) == pipelines.Caller(None)
    inner, plain = Calling(one), Calling(other)
    assert inner(one) is inner
    assert inner(other) is None
    outer = Calling(one, inside=plain)
    assert outer(one) is outer
    assert outer(other) is plain
    twin = Calling(one, inside=inner)
    assert twin(one) is inner
    compiled = Calling(SimpleNamespace(_orig_mod=one))
    assert compiled(one) is compiled


def test_each_thread_finds_its_own_pipeline():
    unet, seen = object(), {}
    both = threading.Barrier(2)

    def inside(unet):
        both.wait(60)
        return pipelines.caller_of(unet).pipe

    pair = [Calling(unet, inside), Calling(unet, inside)]
    threads = [
        threading.Thread(target=lambda pipe=pipe: seen.update({id(pipe): pipe(unet)})) for pipe in pair
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [seen[id(pipe)] is pipe for pipe in pair] == [True, True]
