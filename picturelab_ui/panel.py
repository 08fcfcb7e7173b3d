"""The part of a tab that starts jobs, follows them and cancels them: the same on every tab."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import gradio as gr

from . import links, messages
from .events import AT_ONCE, QUIET, News, answer
from .forms import FieldError
from .jobs.page_job import PageJob
from .visitors import Visitor, visitor_of
from .workshop import Workshop

POLL = 0.5  # seconds between two looks at a running job


class Stamp(NamedTuple):
    """How much of a job a page shows; differs whenever there is news."""

    job: str = ""
    version: int = 0
    previews: int = 0


@dataclass(frozen=True)
class Start:
    """A job that was just started.

    Attributes:
        job: the job.
        query: of the permanent link to its settings; "" leaves the link as it is.
        news: what else changes on the tab.
    """

    job: PageJob
    query: str = ""
    news: News = field(default_factory=dict)


@dataclass(frozen=True)
class Look:
    """One look at a browser's latest job of a tab.

    Attributes:
        owner: the browser; "" for names that the page never gave.
        job: None where it has none.
        seen: what the page shows already.
        opening: the page was just opened and shows nothing yet.
    """

    owner: str
    job: PageJob | None
    seen: Stamp
    opening: bool


class JobPanel:
    """A tab's starting buttons and Cancel, its status line and link, and the timer that looks at its job.

    The tab places each piece where it wants it, then wires them with `start_on` and `follow`.

    Args:
        kind: of the tab's jobs; a browser has one unfinished job of a kind.
        prefix: of the elements' ids.
        results: {type of a job's result: the id of the element that shows it}.
    """

    def __init__(
        self,
        workshop: Workshop,
        owner: gr.BrowserState,
        kind: str,
        prefix: str,
        results: Mapping[type, str] | None = None,
    ) -> None:
        self._runner, self._presence = workshop.runner, workshop.presence
        self._owner, self._kind, self._prefix = owner, kind, prefix
        self._results = results or {}
        self._starters: list[gr.Button] = []
        self._seen = gr.State(Stamp())
        self._timer = gr.Timer(POLL, active=False)

    def place_buttons(self) -> gr.Button:
        """Generate and Cancel, beside each other; gives Generate."""
        with gr.Row():
            generate = self.place_starter(
                "Generate",
                variant="primary",
                elem_id=f"{self._prefix}-generate",
                elem_classes="starts",  # at Ctrl+Enter too
                min_width=120,
            )
            self._cancel_button = gr.Button(
                "Cancel", variant="stop", interactive=False, elem_id=f"{self._prefix}-cancel", min_width=120
            )
        return generate

    def place_starter(self, label: str, **looks: Any) -> gr.Button:
        """A button that starts something, disabled while a job is unfinished."""
        button = gr.Button(label, **looks)
        self._starters.append(button)
        return button

    def place_status(self) -> None:
        self._status = gr.HTML("", elem_id=f"{self._prefix}-status")

    def place_link(self) -> None:
        self._link = gr.HTML("", elem_id=f"{self._prefix}-link")

    @property
    def status(self) -> gr.HTML:
        """Where a tab may say something of its own."""
        return self._status

    def start_on(
        self,
        triggers: Sequence[Any],
        start: Callable[[Visitor, Mapping[Any, Any]], Start],
        inputs: Iterable[Any],
        outputs: Sequence[Any] = (),
    ) -> None:
        """Have events start a job; what is wrong is said in the status line and at its field.

        Args:
            start: is given the visitor and {component: value} of `inputs`, and raises ValueError for bad
                input.
            outputs: what the news of a `Start` may name.
        """

        def begin(values: Mapping[Any, Any], request: gr.Request | None = None) -> News:
            visitor = visitor_of(request, values[self._owner])
            try:
                if not visitor.name:
                    raise ValueError("your browser has no name here yet: load the page anew")
                started = start(visitor, values)
            except FieldError as error:
                return {self._status: messages.field_alerts(error.problems)}
            except Exception as error:
                return {self._status: messages.alert(error)}
            link = {self._link: messages.link(started.query)} if started.query else {}
            status = {self._status: messages.status(self._runner, started.job)}
            return status | link | self._switch(running=True) | started.news

        gr.on(
            triggers,
            begin,
            {self._owner, *inputs},
            [self._status, self._link, *self._switched(), *outputs],
            **QUIET,
        ).then(None, None, None, js=links.after_click(self._prefix))

    def follow(self, named: Any, show: Callable[[Look], News], outputs: Sequence[Any]) -> Any:
        """Wire Cancel, the looks at the job while it runs, and the one when the page opens.

        Args:
            named: the event after which the browser has a name.
            show: the tab's own news of a job.
            outputs: what these news may name.

        Returns:
            The event after which an opened page shows its job.
        """

        def look(visitor: Visitor, seen: Stamp, opening: bool) -> Any:
            self._presence.note(visitor.session, visitor.name)
            return answer(self._look(Look(visitor.name, self._newest(visitor.name), seen, opening), show))

        def ticked(owner: str, seen: Stamp, request: gr.Request | None = None) -> Any:
            return look(visitor_of(request, owner), seen, opening=False)

        def reopened(owner: str, request: gr.Request | None = None) -> Any:
            return look(visitor_of(request, owner), Stamp(), opening=True)

        looked = [self._seen, self._status, *self._switched(), *outputs]
        self._cancel_button.click(self.cancel, self._owner, None, **AT_ONCE)
        self._timer.tick(ticked, [self._owner, self._seen], looked, **AT_ONCE)
        return named.then(reopened, self._owner, looked, **AT_ONCE)

    def cancel(self, owner: str) -> None:
        """Stop the browser's job, if there is one."""
        job = self._newest(visitor_of(None, owner).name)
        if job:
            self._runner.cancel(job)

    def _newest(self, owner: str) -> PageJob | None:
        return self._runner.newest(owner, self._kind)

    def _look(self, look: Look, show: Callable[[Look], News]) -> News:
        job = look.job
        stamp = Stamp(job.id, job.version, len(job.previews)) if job else Stamp()
        moves_up = job is not None and job.state == "waiting"  # of which the job itself does not know
        if stamp == look.seen and not look.opening and not moves_up:
            return {}
        result_id = self._results.get(type(job.result), "") if job else ""
        status = messages.status(self._runner, job, result_id)
        running = job is not None and not job.finished
        return {self._seen: stamp, self._status: status} | self._switch(running) | show(look)

    def _switched(self) -> list[Any]:
        return [self._timer, self._cancel_button, *self._starters]

    def _switch(self, running: bool) -> News:
        """The timer and the buttons, as they are while a job runs or none does."""
        starters = {button: gr.Button(interactive=not running) for button in self._starters}
        timer = {self._timer: gr.Timer(active=running)}
        return timer | {self._cancel_button: gr.Button(interactive=running)} | starters
