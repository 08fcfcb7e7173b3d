import dataclasses

import torch

from fouriscale.maths.decimate import MATRICES
from fouriscale.maths.filters import FilterCache, build
from fouriscale.maths.plan import Plan, padded_size

PLAN = Plan(
    dilation=2.0, strong_dilation=2, weak_dilation=2, latent_size=(32, 32), training_size=(16, 16), factor=2,
    floor=0.0, rows=2, guided=True, guidance_rows=1, guidance_factor=1.0,
)  # fmt: skip
DEVICE = torch.device("cpu")


SIZE = (16, 16)  # of maps one level below the sample


def built(cache, plan=PLAN, run=("a run",)):
    return cache.filters(plan, run, [(1, 1)], DEVICE, torch.float32)


def test_filters_are_kept_from_call_to_call_and_those_of_the_latest_runs_remembered():
    cache = FilterCache()
    first = built(cache)
    strong, weak = first[SIZE, 1, False], first[SIZE, 1, True]
    assert len(strong) == len(weak) == 2
    assert not torch.equal(strong[0], weak[0])
    falling = built(cache, dataclasses.replace(PLAN, dilation=1.5))
    assert falling[SIZE, 1, False] is not strong
    for turn in range(3):  # pipelines that take turns
        assert built(cache, run=("another", turn))[SIZE, 1, False] is not strong
        assert built(cache) is first
    for run in range(4):
        built(cache, run=(run,))
    assert built(cache) is not first


def test_the_guidance_branchs_are_built_for_those_who_have_one():
    assert list(built(FilterCache(), dataclasses.replace(PLAN, guidance_rows=0))) == [(SIZE, 1, False)]
    decimated = built(FilterCache(), dataclasses.replace(PLAN, decimated=True))
    assert [len(decimated[SIZE, 1, weak]) for weak in (False, True)] == [MATRICES, 2]


def test_an_identity_is_none():
    assert build(dataclasses.replace(PLAN, dilation=1.0), (SIZE, 1, True), DEVICE, torch.float32) is None


def test_padded_sizes_by_hand():
    sizes = dict(latent_size=(33, 20), training_size=(16, 12), factor=3)
    assert padded_size((33, 20), **sizes) == (48, 36)
    assert padded_size((17, 10), **sizes) == (24, 18)
    assert padded_size((33, 20), **sizes | {"factor": 1}) == (33, 20)  # never smaller than the map
