"""The part that the tabs share: what a start, a look and Cancel answer."""

import threading

import gradio as gr
import pytest

from picturelab_ui.forms import FieldError, FieldProblems
from picturelab_ui.host import Host
from picturelab_ui.panel import JobPanel, Stamp, Start
from picturelab_ui.workshop import Workshop
from tests.ui.in_process import in_a_loop

OWNER = "0123456789abcdef" * 2


class Tab:
    """A tab of one button, one field and one view; jobs wait until `gate` is set."""

    def __init__(self, output):
        self.workshop, self.gate = Workshop(Host(output=output)), threading.Event()
        self.runner = self.workshop.runner
        with gr.Blocks() as self.page:
            self.owner = gr.BrowserState("")
            self.panel = JobPanel(self.workshop, self.owner, "kind", "tab", {str: "tab-view"})
            self.generate = self.panel.place_buttons()
            self.panel.place_status()
            self.panel.place_link()
            self.field, self.view = gr.Textbox(), gr.HTML()
            self.panel.start_on([self.generate.click], self.start, [self.field], [self.view])
            self.opened = self.panel.follow(
                self.page.load(), lambda look: {self.view: f"{look.opening} {look.seen.job}"}, [self.view]
            )

    def start(self, visitor, inputs):
        if inputs[self.field] == "wrong":
            raise FieldError(FieldProblems(field="that is wrong"))
        if inputs[self.field] == "broken":
            raise KeyError("/srv/secret")
        job = self.workshop.submit(self.work, visitor, "kind")
        return Start(job, "tab=tab&a=1", {self.view: inputs[self.field]})

    def work(self, job):
        while not self.gate.wait(0.005):
            job.check()
        return "result"

    def handler(self, component, event):
        """What answers an event of a component."""
        (fn,) = (fn for fn in self.page.fns.values() if (component._id, event) in fn.targets)
        return fn.fn

    def press(self, text, owner=OWNER):
        return self.handler(self.generate, "click")({self.owner: owner, self.field: text})

    def look(self, seen, owner=OWNER):
        return self.handler(self.panel._timer, "tick")(owner, seen)

    def buttons(self, news):
        """(timer runs, Cancel can be pressed, Generate can be pressed)."""
        parts = self.panel._timer, self.panel._cancel_button, self.generate
        return tuple(
            news[part].active if part is self.panel._timer else news[part].interactive for part in parts
        )


@pytest.fixture
def tab(tmp_path):
    tab = in_a_loop(lambda: Tab(tmp_path))
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


def test_what_breaks_inside_is_told_by_a_number_alone(tab, caplog):
    (text,) = tab.press("broken").values()
    assert f"as number {caplog.records[0].args[0]} in its log" in text
    assert "secret" not in text


@pytest.mark.parametrize("name", ["", "me", "../" * 8, "A" * 32, None, 3, ["a"]])
def test_names_that_the_page_never_gave_start_nothing_and_see_nothing(tab, name):
    assert "no name here yet" in tab.press("right", owner=name)[tab.panel.status]
    assert tab.look(Stamp(), owner=name) == gr.skip()
    tab.handler(tab.panel._cancel_button, "click")(name)


def test_remarks_stand_below_a_finished_job(tab):
    tab.press("right")
    job = tab.runner.newest(OWNER, "kind")
    job.remarks.append("the end <b>of it</b> was cut")
    tab.gate.set()
    assert job.wait(5)
    assert "the end &lt;b&gt;of it&lt;/b&gt; was cut" in tab.look(Stamp())[tab.panel.status]
