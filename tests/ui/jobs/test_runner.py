"""The runner of background jobs: order, limits, progress, cancelling, errors."""

import threading

import pytest

from picturelab.remarks import remark
from picturelab_ui.jobs.runner import Runner


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


def test_one_at_a_time_in_order_with_positions(runner):
    gate, order = Gate(), []
    first = runner.submit(gate)
    gate.entered.wait(5)
    second = runner.submit(lambda _: order.append(2))
    third = runner.submit(lambda _: order.append(3))
    assert [runner.position(job) for job in (first, second, third)] == [0, 1, 2]
    assert (first.state, second.state) == ("running", "waiting")
    with pytest.raises(ValueError, match="2 jobs are waiting"):
        runner.submit(lambda _: None)
    gate.open.set()
    assert third.wait(5)
    assert (order, first.result, first.state) == ([2, 3], "through", "done")


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
