"""What torch.compile makes of a UNet in every mode, with the backend that runs its graphs as they are."""

import pytest
import torch
from torch._dynamo.utils import counters

from tests.compile.sampling import STEPS, Sampling

DEEP = {"mode": "fast", "grid_phases": ((0.5, 1.0),)}
MODES = {
    "paper": {},
    "fast": DEEP,
    "fast, growing grid, guidance branch": {
        "mode": "fast", "grid_phases": ((0.25, 1.0), (0.5, 1.5)), "third_branch": True,
    },
    "layerwise": {"mode": "layerwise"},
    "polyphase": {"attention": "polyphase", "late_attention": "polyphase", "convolution": "decimated"},
    "paper, rows split": {"split_rows": True},
}  # fmt: skip


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
    sampling, graphs = Sampling(), []
    keep = {"guard_filter_fn": lambda found: [guards.append(guard) or True for guard in found]}
    if compiled_first:
        sampling.unet.compile(backend="eager", options=keep)
    with sampling.applied(**MODES[mode]):
        if not compiled_first:
            sampling.unet.compile(backend="eager", options=keep)
        for step in range(STEPS):
            sampling.call(step)
            graphs.append(counters["stats"]["unique_graphs"])
    print(mode, graphs, dict(counters["graph_break"]))
    assert not counters["graph_break"]
    names = {type(guard.value).__module__.split(".")[0] for guard in guards if guard.has_value}
    assert {"torch", "builtins"} <= names
    assert "fouriscale" not in names
