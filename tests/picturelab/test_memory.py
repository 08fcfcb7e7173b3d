"""The most memory that work has taken."""

import resource

import torch

from picturelab.memory import peak_memory, peak_so_far, reset_peak

CPU = torch.device("cpu")
_MUCH = 200 * 2**20  # bytes


def test_a_block_sees_what_is_held_when_it_is_looked_at(monkeypatch):
    """Looked at at the beginning at least, however busy the machine is."""
    block = torch.ones(_MUCH // 4)
    with peak_memory(CPU) as busy:
        pass
    assert busy.bytes > block.nbytes


def test_the_process_peak_does_not_fall():
    before = peak_so_far(CPU)
    torch.ones(_MUCH // 4)
    reset_peak(CPU)  # of a GPU only
    after = peak_so_far(CPU)
    assert after >= max(before, _MUCH)
    assert after == resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert peak_so_far(CPU) >= after


def test_a_gpu_is_asked_for_what_torch_allocated_there(monkeypatch):
    calls = []
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: calls.append(str(device)))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 7)
    gpu = torch.device("cuda:1")
    with peak_memory(gpu) as peak:
        assert (calls, peak.bytes) == (["cuda:1"], 0)
    assert (peak.bytes, peak_so_far(gpu)) == (7, 7)
    assert calls == ["cuda:1"]
