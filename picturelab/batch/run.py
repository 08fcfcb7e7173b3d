"""A batch from beginning to end: check, plan, make, note."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import remark
from .dispatch import Dispatcher
from .instruments import instrument
from .jobs import Job
from .manifest import Entry, Record
from .plan import GroupPlan, make_plan, settle
from .sources import open_jobs_file
from .stores import ENCODINGS, PLAN, Folder, Store, open_store

if TYPE_CHECKING:
    import torch

    from .worker import WorkerSettings

ENGINES = ("local", "ray")
OnNote = Callable[[Dispatcher, GroupPlan], None]


@dataclass(frozen=True)
class BatchOrder:
    """What a batch is asked for; None is chosen here.

    Attributes:
        jobs: the jobs file.
        out: a folder or an fsspec URL.
        model: of jobs that name none.
        batch: most jobs in a group.
        workers: processes or actors; None: one an accelerator, else one.
        threads: of torch in each; None: this process's own, or 1 where there are several workers on the CPU.
        cache: folder of encodings that outlives the batch.
        skip_bad: go on without the rows that hold no job.
        retry: make failed jobs again.
        wait: for another run on the folder to end.
    """

    jobs: Path
    out: str
    model: str = "shapeworld/unet"
    batch: int | None = None
    engine: str = "local"
    workers: int | None = None
    address: str | None = None
    device: str | None = None
    dtype: str | None = None
    threads: int | None = None
    cache: Path | None = None
    skip_bad: bool = False
    retry: bool = False
    wait: bool = False

    def __post_init__(self) -> None:
        for name in ("batch", "workers", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; it is 1 or more")
        if self.engine not in ENGINES:
            raise ValueError(f"engine is {self.engine!r}; it can be {' or '.join(ENGINES)}")
        if self.address is not None and self.engine != "ray":
            raise ValueError(f"address is {self.address!r}, which is for --engine ray")
        if self.out.startswith("memory://") and (self.engine == "ray" or (self.workers or 1) > 1):
            raise ValueError(f"{self.out} lies in the memory of this process, so it takes one local worker")


@dataclass(frozen=True)
class BatchResult:
    """How a run ended.

    Attributes:
        total, done, failed, bad: jobs, over all runs of the folder; `bad` is part of neither.
        made: pictures of this run, and `seconds` that it took from the first to the last.
        busy: seconds that denoisers worked, all workers together.
        encoded: prompts that the text encoder read.
        stopped: why it ended early: a signal's name, or what is broken.
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


def read_plan(order: BatchOrder) -> GroupPlan:
    """The plan of an order's jobs.

    Raises:
        ValueError: the file cannot be read, or rows hold no job, all told at once, and are not to be skipped.
    """
    plan = make_plan(open_jobs_file(order.jobs), order.model, order.batch, check)
    if plan.problems and not order.skip_bad:
        raise ValueError(f"{plan.told(str(order.jobs))}\nmend them, or leave them out with --skip-bad")
    if not plan.groups:
        raise ValueError(plan.told(str(order.jobs)))
    return plan


def run(order: BatchOrder, told: OnNote = lambda dispatcher, plan: None) -> BatchResult:
    """Make everything that is not there yet. SIGTERM and Ctrl-C let it finish what is being sampled.

    Args:
        told: called whenever something was noted.

    Raises:
        ValueError: something is wrong with the order, the jobs, or the folder.
    """
    from .. import models

    store = open_store(order.out)
    plan = read_plan(order)
    device = _device(order)
    models.choose_dtype(order.dtype, device)  # refused before the folder is touched
    with store.begin(order.wait):
        before = _before(store)
        settings = _settled(order, store, plan, before, device)
        record = store.record()
        _note_bad(store, plan, record)
        dispatcher = Dispatcher(plan, store, record, order.retry)
        told(dispatcher, plan)
        already, begin = dispatcher.done, time.monotonic()
        stop, caught = threading.Event(), list[int]()
        workers = 0
        if dispatcher.done + dispatcher.failed < plan.total:
            from .engines.choose import make_crew
            from .engines.crew import drive

            with _signals(stop, caught):
                crew = make_crew(order, settings)
                workers = crew.size
                drive(dispatcher, crew, stop, lambda: told(dispatcher, plan))
        result = BatchResult(
            plan.total,
            dispatcher.done,
            dispatcher.failed,
            len(plan.problems),
            dispatcher.done - already,
            time.monotonic() - begin,
            workers,
            dispatcher.busy,
            dispatcher.encoded,
            caught[0] if caught else None,
            dispatcher.broken,
        )
        if result.complete and order.cache is None:
            shutil.rmtree(settings.encodings, ignore_errors=True)
    return result


def _before(store: Store) -> dict[str, Any] | None:
    """What an earlier run of the folder was begun with.

    Raises:
        ValueError: the note of it is damaged.
    """
    content = store.read(PLAN)
    if content is None:
        if isinstance(store, Folder) and store.record().entries:
            raise ValueError(f"{store.address} holds a manifest but no {PLAN}; name another folder")
        return None
    try:
        return dict(json.loads(content))
    except (ValueError, TypeError):
        raise ValueError(f"{store.address}/{PLAN} is damaged; name another folder") from None


def _device(order: BatchOrder) -> torch.device:
    """Where pictures are made: of a cluster, on what its machines have, not this one."""
    import torch

    from .. import models

    if order.engine == "local":
        return models.choose_device(order.device)
    from .engines.ray import connect

    # Cores are Ray's own count, so there may be more of them than there are: workers fit at any number of threads.
    gpus = connect(order.address, order.workers and order.workers * (order.threads or os.cpu_count() or 1))
    try:
        return torch.device(order.device or ("cuda" if gpus else "cpu"))
    except RuntimeError:
        raise ValueError(f"there is no device {order.device!r}; name cpu or cuda, or none") from None


def _settled(
    order: BatchOrder, store: Store, plan: GroupPlan, before: dict[str, Any] | None, device: torch.device
) -> WorkerSettings:
    """How the workers work: what the folder's run was begun with, or else what was asked for."""
    import torch

    from .. import models, recipes
    from .worker import WorkerSettings

    earlier = before or {}
    dtype = order.dtype or earlier.get("dtype")
    alone = order.engine == "local" and (order.workers or 1) == 1
    usual = torch.get_num_threads() if alone or device.type != "cpu" else 1
    now: dict[str, Any] = {
        "plan": plan.digest(),
        "device": device.type,
        "dtype": str(models.choose_dtype(dtype, device)).removeprefix("torch."),
        "threads": order.threads or earlier.get("threads") or usual,
    }
    settle(before, now)
    versions = recipes.versions()
    if before is None:
        about = {
            "jobs": str(order.jobs),
            "total": plan.total,
            "groups": len(plan.groups),
            "versions": versions,
        }
        try:
            store.write(PLAN, json.dumps(now | about, indent=1).encode())
        except OSError as error:
            raise ValueError(f"{store.address} cannot be written ({error.strerror or error})") from None
    elif changed := recipes.changed_versions(earlier.get("versions", {})):
        remark(
            f"versions differ from those that the folder was begun with, so pixels may too: {', '.join(changed)}"
        )
    if order.cache is not None:
        encodings = order.cache.absolute()
    elif isinstance(store, Folder):
        encodings = store.path / ENCODINGS
    else:
        encodings = Path(tempfile.gettempdir()) / f"encodings-{now['plan'][:16]}"
    return WorkerSettings(
        device=str(device),
        dtype=now["dtype"],
        threads=int(now["threads"]),
        store=store.address,
        encodings=str(encodings),
    )


def _note_bad(store: Store, plan: GroupPlan, record: Record) -> None:
    entries = [
        Entry(id=p.id, status="bad", finished=time.time(), error=f"{plan.source.unit} {p.number}: {p.text}")
        for p in plan.problems
        if p.id not in record.entries
    ]
    if entries:
        store.append(f"{time.time_ns():020d}-bad", entries)


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
