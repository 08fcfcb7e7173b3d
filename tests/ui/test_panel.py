"""The part that the tabs share: what a start, a look and Cancel answer."""

import threading

import gradio as gr
import pytest

from picturelab_ui.forms import FieldError, FieldProblems
from picturelab_ui.jobs.runner import Runner
from picturelab_ui.panel import JobPanel, Stamp, Start
from tests.ui.in_process import in_a_loop

OWNER = "me"


class Tab:
    """A tab of one button, one field and one view; jobs wait until `gate` is set."""

    def __init__(self):
        self.runner, self.gate = Runner(), threading.Event()
        with gr.Blocks() as self.page:
            self.owner = gr.BrowserState("")
            self.panel = JobPanel(self.runner, self.owner, "kind", "tab", {str: "tab-view"})
            self.generate = self.panel.place_buttons()
            self.panel.place_status()
            self.panel.place_link()
            self.field, self.view = gr.Textbox(), gr.HTML()
            self.panel.start_on([self.generate.click], self.start, [self.field], [self.view])
            self.opened = self.panel.follow(
                self.page.load(), lambda look: {self.view: f"{look.opening} {look.seen.job}"}, [self.view]
            )

    def start(self, owner, inputs):
        if inputs[self.field] == "wrong":
            raise FieldError(FieldProblems(field="that is wrong"))
        job = self.runner.submit(self.work, owner=owner, kind="kind")
        return Start(job, "tab=tab&a=1", {self.view: inputs[self.field]})

    def work(self, job):
        while not self.gate.wait(0.005):
            job.check()
        return "result"

    def handler(self, component, event):
        """What answers an event of a component."""
        (fn,) = (fn for fn in self.page.fns.values() if (component._id, event) in fn.targets)
        return fn.fn

    def press(self, text):
        return self.handler(self.generate, "click")({self.owner: OWNER, self.field: text})

    def look(self, seen):
        return self.handler(self.panel._timer, "tick")(OWNER, seen)

    def buttons(self, news):
        """(timer runs, Cancel can be pressed, Generate can be pressed)."""
        parts = self.panel._timer, self.panel._cancel_button, self.generate
        return tuple(
            news[part].active if part is self.panel._timer else news[part].interactive for part in parts
        )


@pytest.fixture
def tab():
    tab = in_a_loop(Tab)
    yield tab
    tab.gate.set()
    tab.runner.close()


def test_a_start_answers_with_status_link_buttons_and_the_tabs_own_news(tab):
    news = tab.press("right")
    assert "Waiting: 0" in news[tab.panel.status] or "progress" in news[tab.panel.status]
    assert 'href="?tab=tab&amp;a=1"' in news[tab.panel._link]
    assert tab.buttons(news) == (True, True, False)
    assert news[tab.view] == "right"


def test_what_is_wrong_changes_the_status_alone(tab):
    assert list(tab.press("wrong")) == [tab.panel.status]
    assert '<p data-field="field">that is wrong.</p>' in tab.press("wrong")[tab.panel.status]
    tab.press("right")
    second = tab.press("right")
    assert list(second) == [tab.panel.status]
    assert "your last one is not finished" in second[tab.panel.status]


def test_a_look_answers_with_news_once(tab):
    tab.press("right")
    job = tab.runner.newest(OWNER, "kind")
    tab.gate.set()
    assert job.wait(5)
    news = tab.look(Stamp())
    assert tab.buttons(news) == (False, False, True)
    assert '<a href="#tab-view">See it below</a>' in news[tab.panel.status]
    assert news[tab.view] == "False "
    (stamp,) = (value for value in news.values() if isinstance(value, Stamp))
    assert stamp == Stamp(job.id, job.version, 0)
    assert tab.look(stamp) == gr.skip()


def test_an_opened_page_shows_its_job_though_it_has_seen_nothing(tab):
    chained = (fn for fn in tab.page.fns.values() if any(event == "then" for _, event in fn.targets))
    (opened,) = (fn.fn for fn in chained if fn.fn)  # the other one is JavaScript
    news = opened(OWNER)
    assert news[tab.view] == "True "
    assert tab.buttons(news) == (False, False, True)


def test_cancel_stops_the_browsers_own_job(tab):
    tab.press("right")
    job = tab.runner.newest(OWNER, "kind")
    cancel = tab.handler(tab.panel._cancel_button, "click")
    cancel("another browser")
    assert not job.wait(0.05)
    cancel(OWNER)
    assert job.wait(5)
    assert "Cancelled" in tab.look(Stamp())[tab.panel.status]
