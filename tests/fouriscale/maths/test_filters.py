import dataclasses

import torch
from torch.nn import functional as F

from fouriscale.maths.decimate import MATRICES
from fouriscale.maths.filters import FilterCache, build, build_grid, build_keys
from fouriscale.maths.grid import DeepGrid
from fouriscale.maths.plan import Plan, Sparsity, padded_size

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


def over(maps, rows, columns):
    """Maps with a matrix on each axis."""
    return rows @ maps @ columns


GRID = DeepGrid.build(latent_size=(32, 40), factor=2.2, level=1, levels=3, resampling="cosines")


def test_what_resamples_for_a_grid_goes_from_size_to_size():
    matrices = build_grid(GRID, DEVICE, torch.float64)
    assert GRID.size == (8, 10)
    assert [GRID.full(level) for level in (1, 2)] == list(matrices.residuals) == [(16, 20), (8, 10)]
    shapes = {
        (16, 20): [matrices.onto, matrices.weak, matrices.residuals[16, 20]],
        (8, 10): [matrices.residuals[8, 10]],
    }
    for size, several in shapes.items():
        maps = torch.randn(1, 2, *size, dtype=torch.float64)
        for pair in several:
            assert over(maps, *pair).shape[-2:] == (GRID.size if size == (16, 20) else (4, 5))
    assert over(torch.randn(1, 2, 16, 20, dtype=torch.float64), *matrices.off).shape[-2:] == (32, 40)
    maps = torch.randn(1, 2, 16, 20, dtype=torch.float64)
    torch.testing.assert_close(over(maps, *matrices.weak), F.interpolate(maps, GRID.size, mode="area"))
    assert not torch.allclose(over(maps, *matrices.onto), over(maps, *matrices.weak), rtol=0.1)


def test_grids_and_keys_are_built_once():
    cache = FilterCache()
    sparsity = Sparsity(latent_size=(32, 40), training_size=(15, 18))
    grid, keys = cache.grid(GRID, DEVICE, torch.float32), cache.keys(sparsity, range(2), DEVICE)
    assert cache.grid(dataclasses.replace(GRID), DEVICE, torch.float32) is grid
    assert cache.keys(dataclasses.replace(sparsity), range(2), DEVICE) is keys
    assert cache.grid(GRID, DEVICE, torch.float16) is not grid
    assert cache.grid(dataclasses.replace(GRID, resampling="area"), DEVICE, torch.float32) is not grid


def test_levels_whose_tokens_are_all_looked_at_have_no_keys():
    sparsity = Sparsity(latent_size=(32, 40), training_size=(15, 18))
    keys = build_keys(sparsity, range(3), DEVICE)
    assert {level: len(index) for level, index in keys.items()} == {0: 15 * 18, 1: 8 * 9, 2: 4 * 5}
    small = Sparsity(latent_size=(3, 3), training_size=(2, 2))
    assert list(build_keys(small, range(3), DEVICE)) == [0, 1]  # 9 tokens, 4 tokens, and one


def test_what_is_built_in_inference_mode_serves_training():
    cache = FilterCache()
    with torch.inference_mode():
        built(cache)
        cache.grid(GRID, DEVICE, torch.float32)
        cache.keys(Sparsity(latent_size=(32, 32), training_size=(16, 16)), range(1), DEVICE)
    kept = [
        *built(cache)[SIZE, 1, False],
        *cache.grid(GRID, DEVICE, torch.float32).onto,
        *cache.keys(Sparsity(latent_size=(32, 32), training_size=(16, 16)), range(1), DEVICE).values(),
    ]
    assert not any(tensor.is_inference() for tensor in kept)
