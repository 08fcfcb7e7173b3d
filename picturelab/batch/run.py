"""A batch from beginning to end: check, plan, make, note."""

from __future__ import annotations

import contextlib
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..formats import SUFFIXES
from .dispatch import Dispatcher
from .instruments import instrument
from .jobs import Job
from .manifest import Entry, Record
from .order import BatchOrder
from .plan import GroupPlan, make_plan
from .resume import check_settings, earlier, settle, write_plan
from .sources import open_jobs_file
from .stores import ENCODINGS, Folder, Store, open_store, read_plan_note, writing

if TYPE_CHECKING:
    import torch

    from .worker import WorkerSettings

OnNote = Callable[[Dispatcher, GroupPlan], None]


@dataclass(frozen=True)
class BatchResult:
    """How a run ended.

    Attributes:
        total, done, failed, bad: jobs, over all runs of the folder; `bad` is part of neither.
        made: pictures of this run, and `seconds` that it took from the first to the last.
        busy: seconds that denoisers worked, all workers together.
        encoded: prompts that the text encoder read.
        signal: that ended it early.
        broken: why it could not go on.
    """

    total: int
    done: int
    failed: int
    bad: int
    made: int
    seconds: float
    workers: int
    busy: float
    encoded: int
    signal: int | None
    broken: str | None

    @property
    def complete(self) -> bool:
        return self.done + self.failed == self.total


def check(job: Job) -> None:
    """Refuse what the job's instrument could not make."""
    instrument(job.instrument).check(job)


def text_length(job: Job) -> int | None:
    """Of a job's text, where texts of unequal lengths do not go together."""
    return instrument(job.instrument).text_length(job)


def read_plan(order: BatchOrder, by_length: bool = True) -> GroupPlan:
    """The plan of an order's jobs.

    Args:
        by_length: groups are of one text length, where texts of unequal lengths need a mask.

    Raises:
        ValueError: the file cannot be read, or rows hold no job, all named at once, and are not to be skipped.
    """
    source = open_jobs_file(order.jobs)
    length = text_length if by_length else lambda job: None
    plan = make_plan(source, order.model, order.batch, check, order.jobs.parent, order.file_defaults, length)
    if plan.problems and not order.skip_bad:
        raise ValueError(f"{plan.complaint(str(order.jobs))}\n  mend them, or leave them out with --skip-bad")
    if not plan.groups:
        raise ValueError(plan.complaint(str(order.jobs)))
    return plan


def run(order: BatchOrder, on_note: OnNote = lambda dispatcher, plan: None) -> BatchResult:
    """Make everything that is not there yet. SIGTERM and Ctrl-C let it finish what is being sampled.

    Args:
        on_note: called whenever something was noted.

    Raises:
        ValueError: something is wrong with the order, the jobs, or the folder.
    """
    from .. import models
    from .engines.choose import choose_device

    store = open_store(order.out)
    begun = read_plan_note(store)
    # Folders of older versions have groups in the order of the file.
    by_length = begun is None or bool(begun.get("by_length", False))
    plan = read_plan(order, by_length)
    device = choose_device(order)
    models.choose_dtype(order.dtype, device)  # refused before the folder is touched
    with store.begin(order.wait):
        _check_places(store, plan)
        record = store.record()
        dispatcher = Dispatcher(plan, store, record, order.retry, None if _holds(order, store) else _stays)
        plan.encoders = _encoders(plan, holds=_holds(order, store))
        settings = _begun(order, store, plan, record, device, dispatcher.left > 0, by_length)
        _note_bad(store, plan, record)
        on_note(dispatcher, plan)
        already, begin = dispatcher.done, time.monotonic()
        stop, caught = threading.Event(), list[int]()
        workers = 0
        if dispatcher.left:
            from .engines.choose import make_crew
            from .engines.crew import drive

            with _signals(stop, caught):
                crew = make_crew(order, settings)
                workers = crew.size
                drive(dispatcher, crew, stop, lambda: on_note(dispatcher, plan), order.patience * 60)
        result = BatchResult(
            total=plan.total,
            done=dispatcher.done,
            failed=dispatcher.failed,
            bad=len(plan.problems),
            made=dispatcher.done - already,
            seconds=time.monotonic() - begin,
            workers=workers,
            busy=dispatcher.busy,
            encoded=dispatcher.encoded,
            signal=caught[0] if caught else None,
            broken=dispatcher.broken,
        )
        if result.complete and order.cache is None:
            shutil.rmtree(settings.encodings, ignore_errors=True)
    return result


def _begun(
    order: BatchOrder,
    store: Store,
    plan: GroupPlan,
    record: Record,
    device: torch.device,
    left: bool,
    by_length: bool,
) -> WorkerSettings:
    """How the workers work: what the folder's run was begun with, or else what was asked for; noted in the folder.

    Raises:
        ValueError: the run cannot go on with what was asked for.
    """
    import torch

    from .. import models, recipes
    from .worker import WorkerSettings

    before = earlier(store, plan, record)
    alone = order.engine == "local" and (order.workers or 1) == 1
    usual = torch.get_num_threads() if alone or device.type != "cpu" else 1
    now: dict[str, Any] = {
        "plan": plan.digest(),
        "device": device.type,
        "dtype": str(models.choose_dtype(order.dtype or before.get("dtype"), device)).removeprefix("torch."),
        "threads": order.threads or before.get("threads") or usual,
        # A folder that was begun before there was a choice goes on as it was begun.
        "pad_text": order.pad_text or bool(before.get("pad_text", "device" in before)),
    }
    now["by_length"] = by_length
    settle(before, now, plan, record)
    plan.pad_text = now["pad_text"]
    plan.begun_with = before.get("versions", {}).get(recipes.OURS)
    if left:
        check_settings(store, plan, record)
    write_plan(store, order.jobs, plan, before, now, left)
    return WorkerSettings(
        device=str(device),
        dtype=now["dtype"],
        threads=int(now["threads"]),
        store=store.address,
        encodings=str(_encodings(order, store, now["plan"])),
    )


def _encoders(plan: GroupPlan, holds: bool) -> dict[str, dict[str, int]]:
    """{model: {what becomes of its text encoders: jobs}}."""
    found: dict[str, dict[str, int]] = {}
    reasons: dict[int, tuple[str, str]] = {}  # by kind: the model, and what becomes of its encoders
    for group in plan.groups:
        if group.kind not in reasons:
            job = plan.job(group.rows[0])
            why = instrument(job.instrument).encoder_stays(job)
            why = "they are held beside the denoiser" if holds and why is None else why
            fate = "let go once the texts are encoded" if why is None else f"stay: {why}"
            reasons[group.kind] = job.model, fate
        model, fate = reasons[group.kind]
        counts = found.setdefault(model, {})
        counts[fate] = counts.get(fate, 0) + len(group.rows)
    return found


def _stays(job: Job) -> bool:
    """Whether a job's picture needs the text encoders."""
    return instrument(job.instrument).encoder_stays(job) is not None


def _holds(order: BatchOrder, store: Store) -> bool:
    """Whether text encoders are held: that was asked for, or workers do not see each other's encodings."""
    apart = order.engine != "local" and (order.cache is not None or not isinstance(store, Folder))
    return order.keep_encoder or apart


def _encodings(order: BatchOrder, store: Store, digest: str) -> Path:
    """The folder of encoded prompts."""
    if order.cache is not None:
        return order.cache.absolute()
    if isinstance(store, Folder):
        return store.path / ENCODINGS
    return Path(tempfile.gettempdir()) / f"encodings-{digest[:16]}"


def _check_places(store: Store, plan: GroupPlan) -> None:
    """Refuse a folder in which something stands at a picture's place, before that is sampled.

    Raises:
        ValueError: see above.
    """
    obstacles = {name for name in store.obstacles() if name.endswith(SUFFIXES)}
    if obstacles and (names := obstacles & {job.file for group in plan.groups for job in plan.jobs(group)}):
        raise ValueError(
            f"{store.address}/{min(names)} is a folder, and a picture is to be written there: move it elsewhere"
        )


def _note_bad(store: Store, plan: GroupPlan, record: Record) -> None:
    entries = [
        Entry(
            id=p.id, status="bad", finished=time.time(), error=f"{plan.jobs_file.unit} {p.number}: {p.text}"
        )
        for p in plan.problems
        if p.id not in record.entries
    ]
    if entries:
        with writing(store):
            store.append("bad", entries)


@contextlib.contextmanager
def _signals(stop: threading.Event, caught: list[int]) -> Iterator[None]:
    """The first SIGTERM or Ctrl-C sets `stop`; a second one ends the process."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread may listen
        yield
        return
    usual = {kind: signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)}

    def heard(kind: int, frame: Any) -> None:
        caught.append(kind)
        stop.set()
        for each in usual:  # a second one is obeyed at once: nothing is lost by it but what is in hand
            signal.signal(each, signal.SIG_DFL)

    for kind in usual:
        signal.signal(kind, heard)
    try:
        yield
    finally:
        for kind, handler in usual.items():
            signal.signal(kind, handler)
