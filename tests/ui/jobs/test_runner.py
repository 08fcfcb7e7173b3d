"""The runner of background jobs: order, limits, progress, cancelling, errors."""

import threading

import pytest

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
    assert jobs[1].error.startswith("this failed inside: KeyError")
    assert [record.exc_info[0] for record in caplog.records] == [KeyError]  # only ours is logged


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
