import dataclasses

import torch

from fouriscale.maths.decimate import Decimation
from fouriscale.maths.filters import FilterCache
from fouriscale.maths.lowpass import LowPass
from fouriscale.maths.plan import Plan, padded_size

PLAN = Plan(
    dilation=2.0, strong_dilation=2, weak_dilation=2, latent_size=(32, 32), training_size=(16, 16), factor=2,
    floor=0.0, rows=2, guided=True, guidance_rows=1, guidance_factor=1.0,
)  # fmt: skip
MAPS = torch.zeros(1, 3, 16, 16)  # one level below the sample


def prepared(cache, plan=PLAN, run=("a run",)):
    cache.prepare(plan, run, [(1, 1)], MAPS.device, MAPS.dtype)
    return {weak: cache.filter(plan, MAPS, 1, weak) for weak in (False, True)}


def test_filters_are_kept_from_call_to_call_and_let_go_with_the_run():
    cache = FilterCache()
    first = prepared(cache)
    assert all(isinstance(low, LowPass) for low in first.values())
    assert not torch.equal(first[False].rows, first[True].rows)
    falling = prepared(cache, dataclasses.replace(PLAN, dilation=1.5))
    assert falling[False] is not first[False]
    assert prepared(cache)[False] is first[False]  # of its own dilation, still there
    assert prepared(cache, run=("another",))[False] is not first[False]


def test_the_guidance_branchs_are_built_for_those_who_have_one():
    cache = FilterCache()
    cache.prepare(dataclasses.replace(PLAN, guidance_rows=0), (), [(1, 1)], MAPS.device, MAPS.dtype)
    assert list(cache._filters) == [((16, 16), 1, False)]
    decimated = prepared(FilterCache(), dataclasses.replace(PLAN, decimated=True))
    assert (type(decimated[False]), type(decimated[True])) == (Decimation, LowPass)


def test_a_map_that_nobody_foresaw_is_filtered_too():
    cache = FilterCache()
    prepared(cache)
    assert isinstance(cache.filter(PLAN, torch.zeros(1, 3, 16, 18), 1, False), LowPass)


def test_padded_sizes_by_hand():
    sizes = dict(latent_size=(33, 20), training_size=(16, 12), factor=3)
    assert padded_size((33, 20), **sizes) == (48, 36)
    assert padded_size((17, 10), **sizes) == (24, 18)
    assert padded_size((33, 20), **sizes | {"factor": 1}) == (33, 20)  # never smaller than the map
