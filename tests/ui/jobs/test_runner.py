"""The runner of background jobs: order, turns, limits, progress, cancelling, errors."""

import threading
from collections import Counter

import pytest

from picturelab.clock import now, standing_still
from picturelab.remarks import remark
from picturelab_ui.jobs.runner import Runner
from tests.waiting import until


@pytest.fixture
def runner():
    runner = Runner(most_waiting=2, most_finished=3)
    yield runner
    runner.close()


class Gate:
    """Work that waits until it is let through, and stops when cancelled."""

    def __init__(self):
        self.entered, self.open = threading.Event(), threading.Event()

    def __call__(self, job):
        self.entered.set()
        while not self.open.wait(0.005):
            job.check()
        return "through"


class Steps:
    """Work of so many steps, which waits until it is let through, and notes each step in a shared list."""

    def __init__(self, name, count, seen, release):
        self.name, self.count, self.seen, self.release = name, count, seen, release

    def __call__(self, job):
        assert self.release.wait(5)
        for step in range(1, self.count + 1):
            job.hand_on()
            self.seen.append(f"{self.name}{step}")
        return self.name


def test_one_at_a_time_in_order_where_nobody_hands_on(runner):
    gate, order = Gate(), []
    first = runner.submit(gate)
    gate.entered.wait(5)
    second = runner.submit(lambda _: order.append(2))
    third = runner.submit(lambda _: order.append(3))
    standings = [runner.standing(job) for job in (first, second, third)]
    assert standings == [("", 0, 0), ("turn", 1, 1), ("turn", 2, 1)]
    assert (first.state, second.state) == ("running", "waiting")
    with pytest.raises(ValueError, match="2 jobs are waiting"):
        runner.submit(lambda _: None)
    gate.open.set()
    assert third.wait(5)
    assert (order, first.result, first.state) == ([2, 3], "through", "done")


def test_jobs_take_turns_by_steps_and_a_short_one_is_done_first():
    runner, seen, release = Runner(turn=0), [], threading.Event()
    long = runner.submit(Steps("a", 5, seen, release))
    short = runner.submit(Steps("b", 2, seen, release))
    release.set()
    assert long.wait(5)
    assert short.wait(5)
    assert (long.result, short.result) == ("a", "b")
    # Each hands on before its first step too.
    assert seen == ["a1", "b1", "a2", "b2", "a3", "a4", "a5"]
    runner.close()


def test_a_turn_lasts_a_while_where_that_is_wanted():
    runner, seen, release = Runner(turn=60), [], threading.Event()
    jobs = [runner.submit(Steps(name, 3, seen, release)) for name in "ab"]
    release.set()
    assert all(job.wait(5) for job in jobs)
    assert seen == ["a1", "a2", "a3", "b1", "b2", "b3"]
    runner.close()


def test_one_computes_at_a_time_and_each_change_of_turns_is_announced():
    computing, most, announced = [], [], []
    runner = Runner(turn=0, before_handing_on=lambda: announced.append(threading.get_ident()))

    def work(job):
        for _ in range(20):
            computing.append(job)
            most.append(len(computing))
            computing.remove(job)
            job.hand_on()
        return threading.get_ident()

    jobs = [runner.submit(work) for _ in range(4)]
    assert all(job.wait(20) for job in jobs)
    assert set(most) == {1}
    assert {job.result: 20 for job in jobs} == Counter(announced)
    runner.close()


def test_jobs_beyond_the_places_wait_for_one_and_those_in_turn_count_each_other():
    runner, over = Runner(most_waiting=20, turn=0), threading.Event()

    def work(job):
        while not over.wait(0.001):
            job.hand_on()

    jobs = [runner.submit(work) for _ in range(10)]
    until(lambda: sum(job.state == "running" for job in jobs) == 8)
    assert [runner.standing(job) for job in (jobs[0], jobs[8], jobs[9])] == [
        ("", 0, 7),
        ("place", 8, 8),
        ("place", 9, 8),
    ]
    version = jobs[0].version
    runner.cancel(jobs[7])
    assert jobs[7].wait(5)
    until(lambda: jobs[8].state == "running")
    assert jobs[0].version > version  # fewer take turns, then as many as before
    over.set()
    assert all(job.wait(5) for job in jobs)
    runner.close()


def test_a_third_model_waits_and_the_standing_says_so():
    runner, gate = Runner(turn=0), Gate()
    jobs = [runner.submit(gate, model=name) for name in "AABC"]
    gate.entered.wait(5)
    assert runner.models() == {"A"}
    assert runner.standing(jobs[3]) == ("turn", 3, 1)
    gate.open.set()
    assert all(job.wait(5) for job in jobs)
    over = threading.Event()

    def work(job):
        while not over.wait(0.001):
            job.hand_on()

    jobs = [runner.submit(work, model=name) for name in "ABC"]
    until(lambda: runner.models() == {"A", "B"})
    assert runner.standing(jobs[2]) == ("model", 0, 2)
    runner.cancel(jobs[0])
    until(lambda: runner.models() == {"B", "C"})
    over.set()
    assert all(job.wait(5) for job in jobs)
    runner.close()


def test_a_job_that_waits_for_its_turn_is_cancelled_at_once():
    runner, gate, reached = Runner(turn=0), Gate(), threading.Event()

    def waits(job):
        reached.set()
        until(lambda: len(runner._waiting) == 1)
        job.hand_on()

    waiting = runner.submit(waits)
    assert reached.wait(5)
    holder = runner.submit(gate)
    assert gate.entered.wait(5)
    runner.cancel(waiting)
    assert waiting.wait(5)
    assert (waiting.state, holder.state) == ("cancelled", "running")
    gate.open.set()
    assert holder.wait(5)
    assert holder.result == "through"
    runner.close()


def test_a_job_that_fails_in_its_turn_leaves_the_others_theirs():
    runner, seen, release = Runner(turn=0), [], threading.Event()

    def fails(job):
        job.hand_on()
        raise ValueError("steps=0: must be at least 1")

    others = [runner.submit(Steps(name, 3, seen, release)) for name in "ab"]
    failing = runner.submit(fails)
    release.set()
    assert all(job.wait(5) for job in (*others, failing))
    assert (failing.state, sorted(seen)) == ("failed", ["a1", "a2", "a3", "b1", "b2", "b3"])
    runner.close()


def test_jobs_in_turn_count_as_waiting_but_for_the_one_that_computes():
    runner, gate = Runner(most_waiting=2, turn=0), Gate()

    def work(job):
        while not gate.open.wait(0.001):
            job.hand_on()

    jobs = [runner.submit(work) for _ in range(3)]
    until(lambda: all(job.state == "running" for job in jobs))
    with pytest.raises(ValueError, match="2 jobs are waiting, the most here"):
        runner.submit(work)
    gate.open.set()
    assert all(job.wait(5) for job in jobs)
    runner.close()


def test_the_turns_of_others_do_not_count_as_a_works_own_time(monkeypatch):
    clock = iter(range(100, 1000, 100))
    monkeypatch.setattr("picturelab.clock.time.perf_counter", lambda: float(next(clock)))
    begun = now()  # at 100
    with standing_still():  # from 200 to 300
        pass
    assert now() - begun == 200  # at 400, and 100 of them do not count


def test_progress_and_previews_are_seen_and_counted(runner):
    def work(job):
        job.report(1, 4, "drawing")
        job.add_preview("picture", "step 1")
        return job.version

    job = runner.submit(work)
    assert job.wait(5)
    assert (job.done, job.of, job.note, job.previews) == (1, 4, "drawing", [("picture", "step 1")])
    assert job.version == job.result + 1  # finishing is news too


def test_cancelling_a_running_job_stops_it_at_its_next_step(runner):
    gate = Gate()
    job = runner.submit(gate)
    gate.entered.wait(5)
    runner.cancel(job)
    assert job.wait(5)
    assert (job.state, job.result) == ("cancelled", None)
    assert runner.submit(lambda _: 1).wait(5)  # the runner lives on


def test_cancelling_a_waiting_job_takes_it_out_at_once(runner):
    gate, ran = Gate(), []
    runner.submit(gate)
    waiting = runner.submit(ran.append)
    runner.cancel(waiting)
    assert waiting.state == "cancelled"
    gate.open.set()
    assert runner.submit(lambda _: None).wait(5)
    assert ran == []
    runner.cancel(waiting)  # again: nothing
    assert waiting.state == "cancelled"


def test_errors_become_sentences(runner, caplog):
    def bad_input(_):
        raise ValueError("steps=0: must be at least 1")

    def broken(_):
        raise KeyError("lost\nand more")

    jobs = [runner.submit(bad_input), runner.submit(broken)]
    assert jobs[1].wait(5)
    assert [job.state for job in jobs] == ["failed", "failed"]
    assert jobs[0].error == "steps=0: must be at least 1"
    (record,) = caplog.records  # what is no sentence is in the log, under the number that the visitor is told
    assert record.exc_info[0] is KeyError
    assert f"as number {record.args[0]} in its log" in jobs[1].error
    assert "lost" not in jobs[1].error


def test_an_owner_finds_the_latest_job_again_and_has_one_of_a_kind_at_a_time(runner):
    gate = Gate()
    mine = runner.submit(gate, owner="me", kind="picture")
    assert runner.newest("me", "picture") is mine
    assert runner.newest("you", "picture") is None
    assert runner.newest("me", "audit") is None
    assert runner.newest("", "") is None
    with pytest.raises(ValueError, match="not finished"):
        runner.submit(gate, owner="me", kind="picture")
    runner.submit(gate, owner="you", kind="picture")
    gate.open.set()
    assert mine.wait(5)
    assert runner.newest("me", "picture").result == "through"


def test_old_jobs_are_forgotten(runner):
    for name in "abcde":
        assert runner.submit(lambda _: None, owner=name).wait(5)
    assert runner.newest("a", "") is None
    assert runner.newest("e", "") is not None


def test_a_group_has_a_limit_that_no_name_lifts(runner):
    gate = Gate()
    runner = Runner(most_waiting=9, most_of_a_group=2)
    jobs = [runner.submit(gate, owner=name, group="an address") for name in ("a", "b")]
    with pytest.raises(ValueError, match="2 jobs from your address are not finished, the most here"):
        runner.submit(gate, owner="made up", group="an address")
    runner.submit(gate, group="another address")
    runner.cancel(jobs[1])
    assert runner.submit(gate, owner="c", group="an address").state == "waiting"
    runner.close()


def test_a_job_that_nobody_waits_for_ends_whether_it_runs_or_waits(runner):
    gate, wanted = Gate(), threading.Event()
    wanted.set()
    running = runner.submit(gate, is_wanted=wanted.is_set)
    gate.entered.wait(5)
    waiting = runner.submit(gate, is_wanted=wanted.is_set)
    wanted.clear()
    assert waiting.wait(5)
    assert running.wait(5)
    assert (running.state, waiting.state) == ("cancelled", "cancelled")
    assert runner.submit(lambda _: 1).wait(5)


def test_remarks_of_the_work_reach_its_job_and_those_of_other_threads_do_not(runner):
    def work(job):
        remark("the prompt was cut")
        other = threading.Thread(target=remark, args=("another visitor's prompt was cut",))
        other.start()
        other.join()
        remark("the prompt was cut")

    job = runner.submit(work)
    assert job.wait(5)
    assert job.remarks == ["the prompt was cut"]


def test_after_each_job_there_is_a_call():
    calls = []
    runner = Runner(after_job=lambda: calls.append(1))
    for _ in range(2):
        assert runner.submit(lambda _: None).wait(5)
    runner.close()
    assert calls == [1, 1]


def test_the_runner_outlives_what_fails_after_a_job(caplog):
    def fail():
        raise PermissionError(13, "Permission denied")

    runner = Runner(after_job=fail)
    for _ in range(3):
        assert runner.submit(lambda _: None).wait(5)
    runner.close()
    assert [record.exc_info[0] for record in caplog.records] == [PermissionError] * 3


def test_the_watcher_outlives_a_job_of_which_nobody_can_tell_whether_it_is_wanted(runner, caplog):
    gate, other = Gate(), Gate()

    def broken():
        raise OSError(24, "Too many open files")

    running = runner.submit(gate, is_wanted=broken)
    waiting = runner.submit(other, is_wanted=lambda: False)
    assert waiting.wait(5)
    assert (running.state, waiting.state) == ("running", "cancelled")
    gate.open.set()
    assert running.wait(5)
    assert [record.exc_info[0] for record in caplog.records] == [OSError]
