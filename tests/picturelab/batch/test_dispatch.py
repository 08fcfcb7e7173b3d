"""Who gets what next, and what happens when workers die; no picture is made here."""

import random

import pytest

from picturelab.batch.dispatch import Dispatcher, Outcome, Unit
from picturelab.batch.engines import crew as crews
from picturelab.batch.engines.crew import Died, Finished, drive
from picturelab.batch.jobs import Job
from picturelab.batch.manifest import Entry
from picturelab.batch.plan import make_plan
from picturelab.batch.sources import open_jobs_file
from picturelab.batch.stores import Folder
from picturelab.remarks import Remark


@pytest.fixture
def dispatcher(jobs_file, tmp_path):
    def made(count, batch=4, killers=(), **settings):
        plan = make_plan(
            open_jobs_file(jobs_file([dict(prompt="a", seed=i) for i in range(count)])),
            "m/m",
            batch,
            lambda job: None,
        )
        store = Folder(tmp_path)
        return Dispatcher(plan, store, store.record(), **settings)

    return made


def outcome(unit):
    made = [
        Entry(id=unit.jobs[i].id, status="done", file=unit.jobs[i].file, bytes=0, group=unit.group)
        for i in unit.wanted
    ]
    return Outcome(tuple(made))


def unit(**of_job):
    return Unit(0, 0, (Job(id="1", prompt="a", **of_job),), frozenset({0}))


class Deadly:
    """A crew in which some jobs kill their worker, and chance kills others."""

    def __init__(self, size, killers, chance=0.0, seed=0):
        self.size, self.killers, self.chance = size, killers, chance
        self.random, self.hands, self.seen = random.Random(seed), {}, []

    def send(self, place, unit):
        self.hands.setdefault(place, []).append(unit)
        self.seen.append((place, unit))
        if unit.suspect:
            assert self.hands[place] == [unit], "a suspect is alone"

    def wait(self, seconds):
        place = self.random.choice([place for place, units in self.hands.items() if units])
        unit = self.hands[place][0]
        if self.random.random() < self.chance or any(unit.jobs[i].id in self.killers for i in unit.wanted):
            self.hands[place] = []
            return [Died(place, "killed by SIGKILL")]
        self.hands[place].remove(unit)
        return [Finished(place, unit, outcome(unit))]

    def halt(self):
        pass

    def close(self):
        self.hands = {}


class Never:
    def is_set(self):
        return False


@pytest.mark.parametrize("killers", [(), ("7",), ("1", "12")])
@pytest.mark.parametrize("size", [1, 3])
def test_jobs_that_kill_are_set_aside_and_their_neighbours_made(dispatcher, tmp_path, killers, size):
    run, crew = dispatcher(21), Deadly(size, killers)
    drive(run, crew, Never())
    assert (run.done, run.failed, run.broken) == (21 - len(killers), len(killers), None)
    failed = [e for e in Folder(tmp_path).record().entries.values() if e.status == "failed"]
    assert {e.id for e in failed} == set(killers)
    assert all(e.error == "set aside: its worker died 2 times (killed by SIGKILL)" for e in failed)
    lengths = {len(unit.jobs) for _, unit in crew.seen if unit.group == 0}
    assert lengths == {4}, "pictures depend on the size of their batch"


@pytest.mark.parametrize("seed", range(5))
def test_random_deaths_cost_no_job(dispatcher, seed):
    """A worker that dies at random, seldom twice on the same unit, loses nothing that is not blamed."""
    run = dispatcher(60)
    drive(run, Deadly(2, (), chance=0.1, seed=seed), Never())
    assert run.done + run.failed == 60
    assert run.failed <= 2
    assert run.broken is None


def test_workers_that_never_live_end_the_run(dispatcher):
    run = dispatcher(400, batch=1)
    drive(run, Deadly(1, {str(i) for i in range(1, 401)}), Never())
    assert run.broken == "20 workers died one after another, the last one so: killed by SIGKILL"


def test_a_resumed_run_makes_what_is_missing_within_the_groups_first_planned(dispatcher, tmp_path):
    first = dispatcher(10)
    unit = first.take(idle=True)
    first.finish(unit, Outcome(outcome(unit).entries[:2]))
    second = unit2 = None
    for name in [e.file for e in outcome(unit).entries[:2]]:
        (tmp_path / name).write_bytes(b"")
    second = dispatcher(10)
    assert (second.done, second.failed) == (2, 0)
    unit2 = second.take(idle=True)
    assert unit2.jobs == unit.jobs
    assert unit2.wanted == unit.wanted - {0, 1}
    assert [len(unit.jobs) for unit in iter(lambda: second.take(idle=True), None)] == [4, 2]


def test_a_file_that_is_gone_or_too_short_is_made_again(dispatcher, tmp_path):
    first = dispatcher(3)
    unit = first.take(idle=True)
    first.finish(unit, outcome(unit))
    (tmp_path / "1.png").write_bytes(b"")
    (tmp_path / "2.png").write_bytes(b"other")
    assert dispatcher(3).take(idle=True).wanted == {1, 2}


def test_failed_jobs_stay_failed_unless_retried(dispatcher):
    first = dispatcher(2)
    unit = first.take(idle=True)
    first.finish(unit, Outcome(tuple(Entry(id=job.id, status="failed", error="x") for job in unit.jobs)))
    assert dispatcher(2).take(idle=True) is None
    assert dispatcher(2, retry=True).take(idle=True).wanted == {0, 1}


def test_what_fits_is_remembered_for_units_alike_and_over_runs(dispatcher):
    first = dispatcher(12)
    unit = first.take(idle=True)
    done = [e.model_copy(update={"fits": 2}) for e in outcome(unit).entries]
    first.finish(unit, Outcome(tuple(done), fits=2))
    assert first.take(idle=True).fits == 2
    assert dispatcher(12).take(idle=True).fits == 2


class Hanging:
    """A crew of workers some of which never come back; `ends` says whether they can be ended."""

    def __init__(self, size, hanging, ends=True):
        self.size, self.hanging, self.ends = size, hanging, ends
        self.hands, self.abandoned = {place: [] for place in range(size)}, []

    def send(self, place, unit):
        self.hands[place].append(unit)

    def wait(self, seconds):
        for place, units in self.hands.items():
            if units and not any(units[0].jobs[i].id in self.hanging for i in units[0].wanted):
                return [Finished(place, units[0], outcome(units.pop(0)))]
        return []

    def abandon(self, place):
        self.abandoned.append(place)
        if self.ends:
            self.hands[place] = []
        else:
            self.hanging = ()  # it comes back after all
        return self.ends

    def halt(self):
        pass

    def close(self):
        pass


def test_a_worker_that_hangs_is_replaced_and_its_job_set_aside(dispatcher, tmp_path):
    run, crew = dispatcher(9), Hanging(2, ("6",))
    drive(run, crew, Never(), patience=0.01)
    assert (run.done, run.failed) == (8, 1)
    (failed,) = [e for e in Folder(tmp_path).record().entries.values() if e.status == "failed"]
    assert failed.id == "6"
    assert failed.error.startswith("set aside: its worker died 2 times (it hung: nothing was made for ")
    assert len(crew.abandoned) >= 2


def test_one_that_cannot_be_replaced_is_said(dispatcher):
    run = dispatcher(3)
    with pytest.warns(Remark, match=r"^nothing has been made for .* minutes, with the groups of 1 in hand"):
        drive(run, Hanging(1, ("2",), ends=False), Never(), patience=0.01)
    assert run.done == 3


def test_patience_shrinks_once_units_have_been_timed(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(crews.time, "monotonic", lambda: now[0])
    clocks, known = crews.Clocks(2, 4 * 3600), unit(model="known")
    assert clocks.limit(0, known) == 4 * 3600
    now[0] = 10
    clocks.finish(0, known)
    assert clocks.limit(0, known) == 30 * 60, "not less"
    now[0] = 310
    clocks.finish(0, known)
    assert clocks.limit(0, known) == 20 * 300
    now[0] += 20 * 300 + 1
    assert clocks.late(0, known)
    clocks.begin(0)
    assert not clocks.late(0, known)


def test_whoever_may_have_to_download_has_all_patience(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(crews.time, "monotonic", lambda: now[0])
    clocks, known = crews.Clocks(2, 4 * 3600), unit(model="known")
    now[0] = 10
    clocks.finish(0, known)
    now[0] += 40 * 60
    assert clocks.late(0, known)
    for place, other in (
        (1, known),
        (0, unit(model="other")),
        (0, unit(model="known", control=("net=a.png",))),
    ):
        assert not clocks.late(place, other)


def test_texts_that_kill_a_worker_are_encoded_in_their_turn(dispatcher):
    made = dispatcher(8, stays=lambda job: False)
    texts = made.take(idle=True)
    assert texts.encodes
    assert (len(texts.jobs), texts.wanted) == (1, frozenset())  # of one prompt
    assert made.take(idle=True) is None
    made.died([texts], "killed")
    assert made.left == 8
    units = [made.take(idle=True) for _ in range(2)]
    assert [(unit.encodes, unit.encoded, len(unit.wanted)) for unit in units] == [(False, True, 4)] * 2
    assert made.take(idle=True) is None
