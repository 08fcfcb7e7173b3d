"""What the speed benchmark makes of what it measures: phases, sums, ratios, tables."""

import json
from contextlib import nullcontext

import pytest
import torch

from benchmarks.speed import hidiffusion, results
from benchmarks.speed.cases import Phase, phases
from benchmarks.speed.clock import Clock, Timing, alternating, rotated
from benchmarks.speed.measure import Record, measure, rows
from tests.tiny.unet_pipelines import CONFIG  # trained at 128 x 128, falls from a quarter to three quarters

CPU = torch.device("cpu")


def test_phases_of_dilations_go_by_the_whole_dilation():
    # d_i = 3 (38 - i) / 25 + 1 from step 13 to 38: above 3 until step 21, above 2 until 29
    expected = [Phase(4.0, 0, 22), Phase(3.0, 22, 8), Phase(2.0, 30, 8), Phase(1.0, 38, 12)]
    assert phases(CONFIG.replace(mode="paper"), 512) == expected
    assert phases(CONFIG.replace(mode="layerwise"), 512) == expected
    assert phases(None, 512) == [Phase(1.0, 0, 50)]


def test_phases_of_the_deep_grid_go_by_its_factor_which_need_not_be_whole():
    deep = CONFIG.replace(mode="fast", grid_phases=[[0.5, 1], [0.7, 1.2], [0.8, 1.6]])
    assert phases(deep, 256) == [
        Phase(2.0, 0, 25),
        Phase(2 / 1.2, 25, 10),  # both would be 2 if rounded up
        Phase(2 / 1.6, 35, 5),
        Phase(1.0, 40, 10),
    ]
    assert phases(CONFIG.replace(mode="fast"), 128) == [Phase(1.0, 0, 50)]


def record(*turns: list[list[float]], steps: tuple[int, ...] = (40, 10), peak: int | None = None) -> Record:
    """By turn and phase the seconds of each call; Python is busy for half of them."""
    made = Record([Phase(2.0, 0, steps[0])] + [Phase(1.0, steps[0], n) for n in steps[1:]], peak_bytes=peak)
    made.turns = [[[Timing(one, one / 2) for one in calls] for calls in turn] for turn in turns]
    return made


def test_a_run_is_the_sum_over_its_phases():
    direct = record([[1.0]], [[3.0]], [[2.0]], steps=(50,), peak=400)
    ours = record([[0.5, 0.7], [1.0, 1.0]], [[0.6, 9.0], [2.0, 2.0]], [[0.5, 0.5], [1.5, 1.5]], peak=300)
    first, second = rows({"direct": direct, "ours": ours})
    assert (first["time"], first["time_of_turns"], first["run_seconds"]) == (1.0, [1.0, 1.0], 100.0)
    # medians of 0.5, 0.7, 0.6, 9, 0.5, 0.5 and of 1, 1, 2, 2, 1.5, 1.5
    assert second["run_seconds"] == pytest.approx(40 * 0.55 + 10 * 1.5)
    assert second["run_host_seconds"] == pytest.approx(second["run_seconds"] / 2)
    assert second["time"] == pytest.approx(37 / 100)
    by_turn = [(40 * 0.6 + 10) / 50, (40 * 4.8 + 20) / 150, (40 * 0.5 + 15) / 100]
    assert second["time_of_turns"] == pytest.approx([min(by_turn), max(by_turn)])
    assert second["peak"] == 0.75
    assert second["phases"][0]["seconds"] == {"median": pytest.approx(0.55), "low": 0.5, "high": 9.0}


def test_without_direct_sampling_there_are_no_ratios():
    failed = Record([Phase(1.0, 0, 50)], failure="out of memory")
    first, second = rows({"direct": failed, "ours": record([[1.0], [1.0]])})
    assert first == {"mode": "direct", "failure": "out of memory"}
    assert second["time"] is second["peak"] is None
    assert second["run_seconds"] == 50


class Steps:
    """A subject that notes what is done with it, two phases in each mode."""

    def __init__(self):
        self.done, self.mode, self.weight_bytes = [], None, 0
        self.unet = torch.nn.Linear(1, 1)

    def phases(self, config):
        return [Phase(2.0, 0, 40), Phase(1.0, 40, 10)]

    def applied(self, config):
        self.mode = config
        return nullcontext()

    def __call__(self, phase):
        if self.mode == "broken" and phase.first:
            raise RuntimeError("kernel\nof nothing")
        self.done.append((self.mode, phase.first))


class Noting(Clock):
    """A clock by which every call takes a second, and that notes which were timed."""

    def __init__(self, device=CPU):
        super().__init__(device)
        self.timed = []

    def __call__(self, work):
        work()
        self.timed.append(work)
        return Timing(1.0)


def test_modes_take_turns_after_calls_that_are_not_timed():
    subject, clock = Steps(), Noting()
    configs = {"direct": None, "a": "a", "b": "b"}
    found = measure(subject, configs, clock, turns=2, calls=2)
    warm, timed = [0, 40], [0, 0, 40, 40]
    order = [None, "a", "b", "a", "b", None]  # the second turn begins with another one
    assert subject.done == [(mode, first) for mode in order for first in warm + timed]
    assert len(clock.timed) == 6 * 4
    assert all(one.run_seconds(lambda timing: timing.seconds) == 50 for one in found.values())


def test_a_mode_that_fails_does_not_end_the_others():
    subject = Steps()
    found = measure(subject, {"direct": None, "x": "broken"}, Noting(), turns=3, calls=1)
    assert found["x"].failure == "kernel"
    assert len(found["direct"].turns) == 3
    assert subject.done.count(("broken", 0)) == 1  # it is not tried again


@pytest.mark.slow
def test_compiled_modes_are_compiled_once_each_and_not_any_more_afterwards():
    class Compiled(torch.nn.Linear):
        compiled = 0

        def compile(self):
            self.compiled += 1
            super().compile(backend="eager")

    subject = Steps()
    subject.unet = Compiled(1, 1)
    found = measure(subject, {"direct": None, "a": "a"}, Noting(), turns=3, calls=1, compiled=True)
    assert subject.unet.compiled == 2
    assert subject.unet._compiled_call_impl is None
    assert [len(one.turns) for one in found.values()] == [3, 3]
    assert all(one.compile_seconds is not None for one in found.values())
    of_a_mode = [0, 0, 40, 40, *[0, 40] * 3]
    assert subject.done == [(mode, first) for mode in (None, "a") for first in of_a_mode]


def test_on_a_gpu_events_time_the_device_and_python_its_own(monkeypatch):
    log = []

    class Event:
        def __init__(self, enable_timing):
            assert enable_timing

        def record(self):
            log.append("record")

        def synchronize(self):
            log.append("wait")

        def elapsed_time(self, other):
            return 250.0  # milliseconds

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: log.append("settle"))
    timing = Clock(torch.device("cuda"))(lambda: log.append("work"))
    assert timing.seconds == 0.25
    assert timing.host_seconds is not None
    assert log == ["settle", "record", "work", "record", "wait"]


def test_on_a_gpu_memory_is_the_allocators_peak_beyond_the_weights(monkeypatch):
    peaks = iter([1500, 1800, 1700])
    resets = []
    monkeypatch.setattr(
        torch.cuda, "reset_peak_memory_stats", lambda device: resets.append(len(subject.done))
    )
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: next(peaks))
    subject = Steps()
    subject.weight_bytes = 1000
    found = measure(subject, {"direct": None}, Noting(torch.device("cuda")), turns=3, calls=1)
    assert found["direct"].peak_bytes == 800
    assert resets == [2, 6, 10]  # after the two calls of each turn that are not timed


def test_cases_alternate_and_are_prepared():
    log = []
    cases = {"a": lambda: log.append("a"), "b": lambda: log.append("b")}
    found = alternating(cases, 2, Noting(), prepare=lambda name: log.append(name.upper()))
    assert log == ["A", "a", "B", "b", "A", "a", "B", "b", "B", "b", "A", "a"]
    assert found == {"a": [Timing(1.0)] * 2, "b": [Timing(1.0)] * 2}
    assert rotated([1, 2, 3], 4) == [2, 3, 1]


def test_hidiffusion_is_over_its_own_direct_sampling():
    found = {
        "multiply_adds": 0.6,
        "direct": [[2.0, 1.0], [4.0, 1.0]],
        "phases": [
            {"first_step": 0, "steps": 20, "timings": [[1.0, 0.5], [2.0, 0.5]]},
            {"first_step": 20, "steps": 30, "timings": [[3.0, 0.5], [3.0, 0.5]]},
        ],
    }
    row = hidiffusion.from_peer(found, "HiDiffusion 0")
    assert row["time"] == pytest.approx((20 * 1.5 + 30 * 3) / 150)
    assert row["time_of_turns"] == pytest.approx([(20 * 2 + 30 * 3) / 200, (20 * 1 + 30 * 3) / 100])
    assert row["multiply_adds"] == 0.6
    del found["direct"]
    assert hidiffusion.from_peer(found, "HiDiffusion 0")["failure"]


def section(**changes) -> dict:
    about = dict(
        device="a card", dtype="float16", date="2026-11-26", commit="8704025", torch="2", diffusers="0",
        turns=3, calls=5, compiled=False, work=results.CALLS, shape="sd15", size="1024x1024",
    )  # fmt: skip
    direct = record([[0.04]], [[0.05]], steps=(50,), peak=2**30)
    ours = record([[0.02], [0.04]], [[0.03], [0.04]], peak=2**29)
    found = {"direct": direct, "fast": ours, "paper": Record([], failure="out of memory")}
    return about | {"rows": rows(found)} | changes


def test_sections_are_measured_anew_one_by_one(tmp_path):
    found = results.empty()
    results.put_section(found, section())
    results.put_section(found, section(device="another"))
    results.put_section(found, section(date="2027-01-01"))
    assert [(one["device"], one["date"]) for one in found["sections"]] == [
        ("another", "2026-11-26"),
        ("a card", "2027-01-01"),
    ]
    results.write(found, tmp_path)
    assert results.read(tmp_path / "speed.json") == json.loads(json.dumps(found))


def test_the_table():
    found = results.empty()
    results.put_section(found, section(compiled=True))
    found["computed"] = [
        dict(shape="sd15", size="1024x1024", mode="fast", multiply_adds=0.45, peak=1.0, bf16_gigabytes=2.5)
    ]
    text = results.to_markdown(found)
    assert "## sd15, 1024x1024, calls of the UNet, compiled, a card" in text
    assert "| direct | 1.00 (1.00 to 1.00) |  | 45 (x 50) | 22.5 | 1.00 | 1.00 |  |" in text
    # 40 x 25 and 10 x 40 of 50 x 45 ms; by turn 1200 of 2000 and 1600 of 2500
    assert "| fast | 0.62 (0.60 to 0.64) | 0.45 | 25 (x 40), 40 (x 10) | 12.5, 20 | 0.50 | 0.50 |  |" in text
    assert "| paper | failed: out of memory |" in text
    assert (
        "device a card; dtype float16; date 2026-11-26; commit 8704025; torch 2; diffusers 0; turns 3" in text
    )
    assert "| sd15, 1024x1024 | fast | 0.45 | 1.00 | 2.50 |" in text


@pytest.mark.parametrize(
    "text", ["[]", '{"rows": []}', '{"computed": [], "filters": [], "sections": [{}]}', "{"]
)
def test_a_file_of_another_kind_is_not_written_over(tmp_path, text):
    file = tmp_path / "speed.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"speed\.json") as error:
        results.read(file)
    assert "\n" not in str(error.value)
