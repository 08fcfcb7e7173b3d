"""Which jobs are made together: fixed groups, planned from the whole file before anything is loaded."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from ..failures import printable, reason
from ..settings import shortened
from ..textfiles import read_bytes
from .contents import content, is_preset_file, named_in
from .jobs import Job, parse
from .lengths import LengthSaving, saved_by_length
from .paths import JobPaths
from .sources import JobsFile

AT_ONCE = 4 * 2**20  # pixels of a group of jobs, where the number of jobs is not given
MOST = 16  # jobs of a group, where the number is not given
_LISTED = 50  # problems that are listed one by one

Check = Callable[[Job], None]
Length = Callable[[Job], "int | None"]


@dataclass(frozen=True)
class BadRow:
    """What is wrong with a row of a jobs file; `id` where it has one."""

    number: int
    id: str
    text: str


@dataclass(frozen=True)
class Group:
    """Jobs that are made as one batch.

    Attributes:
        kind: number of what its jobs have in common.
        rows: positions in the source, in order.
    """

    number: int
    kind: int
    rows: array[int]


@dataclass
class GroupPlan:
    """All groups, in the order in which they are made, so that nothing is loaded twice.

    Attributes:
        problems: rows that hold no job; no group has them.
        presets: files of settings that jobs name.
        contents: {name: hash} of every file and model that jobs name.
        begun_with: the version of ours that the folder was begun with; None: this one.
        file_defaults: of the files of jobs that do not say, see `BatchOrder`.
        pad_text: of jobs that do not say.
        lengths: what groups of texts of one length save; None: there are none such.
        encoders: {model: {what becomes of its text encoders: jobs}}.
    """

    jobs_file: JobsFile
    model: str
    paths: JobPaths = field(default_factory=lambda: JobPaths(Path()))
    groups: list[Group] = field(default_factory=list)
    problems: list[BadRow] = field(default_factory=list)
    presets: set[str] = field(default_factory=set)
    contents: dict[str, str] = field(default_factory=dict)
    begun_with: str | None = None
    file_defaults: Mapping[str, Any] = field(default_factory=dict)
    pad_text: bool = False
    lengths: LengthSaving | None = None
    encoders: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(len(group.rows) for group in self.groups)

    def jobs(self, group: Group) -> tuple[Job, ...]:
        """A group's jobs, read anew: a plan of millions holds positions only."""
        return tuple(self.job(row) for row in group.rows)

    def digest(self) -> str:
        """Of what is made together; equal plans make equal pictures."""
        digest = hashlib.sha256(self.jobs_file.sha256.encode())
        if self.file_defaults:
            digest.update(json.dumps(self.file_defaults, sort_keys=True).encode())
        for preset in sorted(self.presets):
            digest.update(read_bytes(Path(preset)))
        for group in self.groups:
            digest.update(json.dumps([group.number, group.kind]).encode() + group.rows.tobytes())
        return digest.hexdigest()

    def contents_of(self, jobs: Iterable[Job]) -> dict[str, str]:
        """The part of `contents` that some jobs name."""
        names = (name for job in jobs for name in named_in(job))
        return {name: self.contents[name] for name in names if name in self.contents}

    def job(self, row: int) -> Job:
        """The job at a position in the source."""
        return self.parse(self.jobs_file.row(row), self.jobs_file.number(row)).of_folder(self.begun_with)

    def parse(self, values: Mapping[str, Any], number: int) -> Job:
        """A row's job."""
        usual = dict(self.file_defaults)
        if values.get("format") is not None:  # a quality is of the format that it is given with
            usual = {name: value for name, value in usual.items() if name == "a1111"}
        if self.pad_text:
            usual["pad_text"] = True
        return parse({"model": self.model} | usual | self.paths.with_places(values), number)

    def note_contents(self, job: Job) -> None:
        """Add what a job names to `contents`.

        Raises:
            ValueError: a file cannot be read.
        """
        for name in named_in(job):
            if name not in self.contents and (state := content(name)) is not None:
                self.contents[name] = state

    def complaint(self, name: str) -> str:
        """Everything that is wrong with the file, one line a row."""
        lines = [f"  {self.jobs_file.unit} {p.number}: {p.text}" for p in self.problems[:_LISTED]]
        if len(self.problems) > _LISTED:
            lines.append(f"  and {len(self.problems) - _LISTED} more")
        head = f"{len(self.problems)} of {len(self.jobs_file)} jobs in {name} cannot be made"
        return "\n".join([f"{head}:", *lines])


def make_plan(
    source: JobsFile,
    model: str,
    batch: int | None,
    check: Check,
    folder: Path | None = None,
    file_defaults: Mapping[str, Any] | None = None,
    length: Length = lambda job: None,
) -> GroupPlan:
    """Read and check every row, and put jobs that are alike into groups.

    Args:
        model: of jobs that name none.
        batch: most jobs in a group; None: as many as have about `AT_ONCE` pixels, and `MOST` at most.
        check: raises ValueError for a job that its instrument cannot make.
        folder: of the jobs file, where the files that it names are looked for first.
        file_defaults: see `BatchOrder`.
        length: of a job's text in tokens, where texts of unequal lengths do not go together; None: they do.
    """
    plan = GroupPlan(source, model, JobPaths(folder or Path()), file_defaults=file_defaults or {})
    kinds: dict[str, int] = {}
    members: list[array[int]] = []
    lengths: list[array[int]] = []  # of texts; empty where they go together whatever they are
    sizes: list[int] = []
    loads: list[tuple[str, str]] = []
    ids: dict[str, int] = {}
    for row in range(len(source)):
        number, name = source.number(row), ""
        try:
            values = source.row(row)
            name = str(values.get("id", number))
            job = plan.parse(values, number)
            # Folders of some systems don't tell capitals from small letters.
            if (first := ids.setdefault(job.id.casefold(), number)) != number:
                name = f"{source.unit}-{number}"  # the id itself is another job's
                raise ValueError(
                    f"id is {job.id!r}, as in {source.unit} {first}; ids are file names, so all differ"
                )
            check(job)
            plan.note_contents(job)
            common, tokens = job.alike(), length(job)
        except (ValueError, TypeError) as error:
            plan.problems.append(BadRow(number, _shown(name) or str(number), str(error)))
            continue
        except (ArithmeticError, RecursionError, OSError) as error:  # of a value that nobody thought of
            plan.problems.append(BadRow(number, _shown(name) or str(number), reason(error)))
            continue
        kind = kinds.setdefault(common, len(kinds))
        if kind == len(members):
            members.append(array("Q"))
            lengths.append(array("L"))
            sizes.append(batch or at_once(job.height, job.width))
            loads.append((job.instrument, job.model))
        members[kind].append(row)
        if tokens is not None:
            lengths[kind].append(tokens)
        if is_preset_file(job.preset):
            plan.presets.add(job.preset or "")
    first_of = {load: loads.index(load) for load in loads}
    for kind in sorted(range(len(members)), key=lambda kind: (first_of[loads[kind]], kind)):
        if len(lengths[kind]) == len(members[kind]):
            saving = saved_by_length(lengths[kind], sizes[kind])
            plan.lengths = saving if plan.lengths is None else plan.lengths + saving
        for rows in _split(members[kind], lengths[kind], sizes[kind]):
            plan.groups.append(Group(len(plan.groups), kind, rows))
    return plan


def _split(members: array[int], lengths: array[int], size: int) -> Iterator[array[int]]:
    """Groups of at most so many; where lengths are known, each of one length, from the shortest on."""
    if len(lengths) == len(members):
        order = sorted(range(len(members)), key=lambda i: (lengths[i], i))
        runs = [[members[i] for i in same] for _, same in groupby(order, key=lambda i: lengths[i])]
    else:
        runs = [members.tolist()]
    for run in runs:
        for start in range(0, len(run), size):
            yield array("Q", run[start : start + size])


def at_once(height: int | None, width: int | None) -> int:
    """Jobs of a size in one group. By the size alone, so that every machine plans alike."""
    if height is None or width is None:
        return 4
    return max(1, min(MOST, AT_ONCE // (height * width)))


def _shown(name: str) -> str:
    """An id that is none, for the manifest."""
    return shortened(printable(name), 200)
