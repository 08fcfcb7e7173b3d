"""The commands `batch`, `status` and `verify`. Heavy imports wait until they run."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..extras import require
from ..failures import printable
from ..quiet import quieten
from ..worlds import DEFAULT_MODEL
from .arguments import Bounded, number, whole
from .options import Device, Dtype, NoA1111
from .run import complain

PATIENCE = 240.0  # minutes, as `BatchOrder` has it

if TYPE_CHECKING:
    from ..batch.dispatch import Dispatcher
    from ..batch.plan import GroupPlan
    from ..batch.run import BatchResult, OnNote

_Out = Annotated[str, typer.Argument(help="The batch's folder or URL.")]


def batch(
    jobs: Annotated[Path, typer.Argument(help="JSONL, CSV, Parquet, or a YAML grid.")],
    out: Annotated[str, typer.Option(help="A folder, or a URL such as s3://bucket/folder.")],
    model: Annotated[str, typer.Option(help="Of jobs that name none.")] = DEFAULT_MODEL,
    batch: Annotated[
        int | None,
        typer.Option(
            parser=whole,
            metavar="<int>",
            help="Most jobs made at once; about 4 megapixels, 16 jobs at most, if left out.",
        ),
    ] = None,
    engine: Annotated[str, typer.Option(help="local or ray.")] = "local",
    workers: Annotated[
        int | None,
        typer.Option(parser=whole, metavar="<int>", help="One an accelerator, else one, if left out."),
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="A Ray cluster's, or auto; one on this machine if left out.")
    ] = None,
    device: Device = None,
    dtype: Dtype = None,
    threads: Annotated[
        int | None, typer.Option(parser=whole, metavar="<int>", help="Of each worker on the CPU.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="A folder for encoded prompts that is kept, for several batches.")
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(metavar="<png|webp|jpeg>", help="Of jobs that name none; PNG if left out."),
    ] = None,
    quality: Annotated[
        int | None,
        typer.Option(parser=Bounded("quality"), metavar="<int>", help="Of these, 1 to 100; 90 if left out."),
    ] = None,
    no_a1111: NoA1111 = False,
    keep_encoder: Annotated[
        bool,
        typer.Option(
            "--keep-encoder",
            help="Hold text encoders beside denoisers, and encode prompts when their turn comes; else prompts are "
            "encoded first, and the encoders let go.",
        ),
    ] = False,
    pad_text: Annotated[
        bool,
        typer.Option(
            "--pad-text",
            help="Encode prompts with their padding where they would be encoded at their true length.",
        ),
    ] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out jobs that cannot be made.")] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Make failed jobs again.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="For another run on the folder to end.")] = False,
    sheet: Annotated[bool, typer.Option("--sheet", help="Draw a contact sheet at the end.")] = False,
    patience: Annotated[
        float,
        typer.Option(
            parser=number,
            metavar="<float>",
            help="Minutes that a worker may take for a group before it counts as hanging; once it has made a group "
            "with the same model, 20 times the run's slowest group, at least 30 minutes and never more than this.",
        ),
    ] = PATIENCE,
) -> None:
    """Make the pictures of a jobs file, unattended. The same command goes on where it was stopped.

    Exit code 0: all done; 1: some failed, or the run was cut short; 2: bad usage or a bad file;
    130 and 143: stopped by Ctrl-C or SIGTERM, after what was in hand.
    """
    _check_packages("batch")
    from ..batch.limits import bound_memory
    from ..batch.order import BatchOrder
    from ..batch.run import run
    from ..batch.stores import open_store, writing

    order = BatchOrder(
        jobs=jobs,
        out=out,
        model=model,
        batch=batch,
        engine=engine,
        workers=workers,
        address=address,
        device=device,
        dtype=dtype,
        threads=threads,
        cache=cache,
        skip_bad=skip_bad,
        retry=retry_failed,
        wait=wait,
        patience=patience,
        format=format,
        quality=quality,
        a1111=not no_a1111,
        keep_encoder=keep_encoder,
        pad_text=pad_text,
    )
    quieten()
    if engine == "local" and device in (None, "cpu") and (workers or 1) == 1:
        bound_memory("cpu", 1)
    with _bar() as on_note:
        result = run(order, on_note)
    store = open_store(out)
    if sheet and result.done:
        from ..batch.sheet import SHEET, write_sheet

        with writing(store):
            count = write_sheet(store)
        typer.echo(f"{count} pictures on {store.address}/{SHEET}")
    _sum_up(result, store.address)


def status(
    out: _Out,
) -> None:
    """Show how far a batch is, also while it runs."""
    _check_packages("status")
    from ..batch.progress import progress
    from ..batch.stores import open_store

    typer.echo("\n".join(progress(open_store(out)).sentences()))


def verify(
    out: _Out,
    redo: Annotated[
        bool, typer.Option("--redo", help="Have the next run make missing and changed pictures again.")
    ] = False,
) -> None:
    """Check every picture against the manifest. Exit code 1: some are missing or changed."""
    _check_packages("verify")
    import time

    from ..batch.manifest import Entry
    from ..batch.stores import open_store, writing
    from ..batch.verify import check_files

    store = open_store(out)
    check = check_files(store)
    for word, entries in (("missing", check.missing), ("changed", check.changed)):
        for entry in entries:
            typer.echo(f"{printable(entry.file or entry.id)} is {word}")
    for name in check.strangers:
        typer.echo(f"{printable(name)} is not in the manifest")
    typer.echo(
        f"{check.good} pictures are what they were, {len(check.missing)} missing, {len(check.changed)} changed, "
        f"{len(check.strangers)} not in the manifest, {check.damaged} damaged lines"
    )
    lost = [*check.missing, *check.changed]
    if redo and lost:
        with store.begin(wait=False):
            now = time.time()
            marks = [Entry(id=entry.id, status="lost", group=entry.group, finished=now) for entry in lost]
            with writing(store):
                store.append("lost", marks)
    if lost:
        raise typer.Exit(1)


def _check_packages(command: str) -> None:
    """Refuse, in one sentence, what an installation without the extra lacks."""
    require(f"fouriscale {command}", "batch", "filelock", "fsspec", "psutil")


def _sum_up(result: BatchResult, address: str) -> None:
    """Say how it ended, and leave with the exit code that fits."""
    rate = result.made / result.seconds if result.seconds and result.made else 0.0
    typer.echo(
        f"{result.done} of {result.total} done, {result.failed} failed"
        + (f", {result.bad} bad" if result.bad else "")
        + (f"; {result.made} now, {rate:.2f} a second" if result.made else "")
        + f": {address}"
    )
    if result.broken is not None:
        complain(f"{result.broken}; the same command goes on from here", "Stopped")
        raise typer.Exit(1)
    if result.signal is not None and not result.complete:
        complain(
            f"{result.total - result.done - result.failed} jobs are left; the same command makes them",
            "Stopped",
        )
        raise typer.Exit(128 + result.signal)
    if result.failed or result.bad:
        complain(f"{result.failed + result.bad} jobs have no picture; `fouriscale status {address}` says why")
        raise typer.Exit(1)


@contextlib.contextmanager
def _bar() -> Iterator[OnNote]:
    """Pictures done, rate and time left, on stderr; nothing where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]} failed"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bars:
        task = bars.add_task("", total=None, failed=0)

        def on_note(dispatcher: Dispatcher, plan: GroupPlan) -> None:
            bars.update(
                task,
                total=plan.total,
                completed=dispatcher.done + dispatcher.failed,
                failed=dispatcher.failed,
            )

        yield on_note
