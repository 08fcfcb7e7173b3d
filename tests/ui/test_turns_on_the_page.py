"""Turns as visitors see them: what the status line says, and which models stay loaded meanwhile."""

import threading

import pytest

from picturelab_ui import messages
from picturelab_ui.host import Host
from picturelab_ui.visitors import Visitor
from picturelab_ui.workshop import Workshop
from tests.waiting import until

NAMES = ("shapeworld/unet", "shapeworld/unet-frozen", "shapeworld/joint")


@pytest.fixture
def shop(tmp_path):
    shop = Workshop(Host(output=tmp_path, max_waiting=20))
    yield shop
    shop.runner.close()


class Visitors:
    """Jobs that take turns for as long as `over` is not set."""

    def __init__(self, shop):
        self.shop, self.over = shop, threading.Event()
        shop.runner._least_turn = 0

    def come(self, number, model="", load=False):
        def work(job):
            if load:
                self.shop.models.pipeline(model)
            job.report(1, 4, "direct, step 1 of 4")
            while not self.over.wait(0.001):
                job.hand_on()

        return self.shop.submit(work, Visitor(f"{number:032x}"), "picture", model=model)

    def status(self, job):
        return messages.status(self.shop.runner, job)


@pytest.fixture
def visitors(shop):
    visitors = Visitors(shop)
    yield visitors
    visitors.over.set()


def test_the_status_line_says_how_many_take_turns_and_what_a_job_waits_for(shop, visitors):
    jobs = [visitors.come(0)]
    until(lambda: jobs[0].done)
    assert "direct, step 1 of 4" in visitors.status(jobs[0])
    assert "in turn" not in visitors.status(jobs[0])
    jobs += [visitors.come(number) for number in range(1, 10)]
    until(lambda: sum(job.done for job in jobs) == 8)
    assert "direct, step 1 of 4, in turn with 7 other jobs" in visitors.status(jobs[0])
    assert "Waiting: 8 jobs before yours." in visitors.status(jobs[8])
    assert "Waiting: 9 jobs before yours." in visitors.status(jobs[9])
    for job in jobs[2:]:
        shop.runner.cancel(job)
    until(lambda: all(job.finished for job in jobs[2:]))
    assert "in turn with 1 other job<" in visitors.status(jobs[0])


def test_a_job_that_only_waits_for_its_first_turn_is_told_how_many_come_before(shop, visitors):
    over = threading.Event()
    computing = shop.submit(lambda _: over.wait(60), Visitor("f" * 32), "picture")
    jobs = [visitors.come(number) for number in range(2)]
    assert "Waiting: 1 turn before yours." in visitors.status(jobs[0])
    assert "Waiting: 2 turns before yours." in visitors.status(jobs[1])
    over.set()
    assert computing.wait(5)


@pytest.mark.slow
def test_models_of_jobs_in_turn_stay_loaded_and_a_third_one_waits(shop, visitors):
    jobs = [visitors.come(number, model, load=True) for number, model in enumerate(NAMES)]
    until(lambda: jobs[0].done and jobs[1].done)
    assert [*shop.models._pipes] == [*NAMES[:2]]
    said = visitors.status(jobs[2])
    assert (
        "Waiting: 2 models fit here, and yours is loaded when the jobs with one of the others are done"
        in said
    )
    shop.runner.cancel(jobs[0])
    until(lambda: jobs[2].done)
    assert [*shop.models._pipes] == [*NAMES[1:]]
    assert visitors.come(3, NAMES[2], load=True).state == "waiting"
    visitors.over.set()
    assert all(job.wait(60) for job in jobs)
    assert shop.models._loaded(NAMES[2]) is shop.models._pipes[NAMES[2]]
    assert shop.models.pipeline(NAMES[2]) is not shop.models.pipeline(NAMES[2])
