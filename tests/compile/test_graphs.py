"""What torch.compile makes of a UNet in every mode, with the backend that runs its graphs as they are."""

import pytest
import torch
from torch._dynamo.utils import counters

from tests.compile.sampling import STEPS, Sampling

# A mode's settings, and the graphs there are after each step. In paper mode the dilation of the guidance branch, 4/3 at
# first and rounded up, is 1 in the fourth step already. Split rows are two calls, and what stands around them.
MODES = {
    "paper": ({}, (1, 1, 1, 2, 3, 3, 3, 3)),
    "fast": ({"mode": "fast", "grid_phases": ((0.5, 1.0),)}, (1, 1, 1, 1, 2, 2, 2, 2)),
    "fast, growing grid, guidance branch": (
        {"mode": "fast", "grid_phases": ((0.25, 1.0), (0.5, 1.5)), "third_branch": True},
        (1, 1, 2, 2, 3, 3, 3, 3),
    ),
    "layerwise": ({"mode": "layerwise"}, (1, 1, 1, 1, 2, 2, 2, 2)),
    "polyphase": (
        {"attention": "polyphase", "late_attention": "polyphase", "convolution": "decimated"},
        (1, 1, 1, 2, 3, 3, 3, 3),
    ),
    "paper, rows split": ({"split_rows": True}, (4, 4, 4, 5, 6, 6, 6, 6)),
}


@pytest.fixture
def guards():
    """What dynamo guards."""
    torch.compiler.reset()
    counters.clear()
    yield []
    torch.compiler.reset()


@pytest.mark.parametrize(
    ("mode", "compiled_first"), [*((mode, False) for mode in MODES), ("paper", True), ("fast", True)]
)
def test_a_phase_is_compiled_once_and_whole_and_guards_no_object_of_ours(mode, compiled_first, guards):
    sampling, (changes, expected), graphs = Sampling(), MODES[mode], []
    keep = {"guard_filter_fn": lambda found: [guards.append(guard) or True for guard in found]}
    if compiled_first:
        sampling.unet.compile(backend="eager", options=keep)
    with sampling.applied(**changes):
        if not compiled_first:
            sampling.unet.compile(backend="eager", options=keep)
        for step in range(STEPS):
            sampling.call(step)
            graphs.append(counters["stats"]["unique_graphs"])
    assert tuple(graphs) == expected
    assert not counters["graph_break"]
    names = {type(guard.value).__module__.split(".")[0] for guard in guards if guard.has_value}
    assert {"torch", "builtins"} <= names
    assert "fouriscale" not in names
