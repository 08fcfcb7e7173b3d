"""Which jobs are made together: fixed groups, planned from the whole file before anything is loaded."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .jobs import Job, parse
from .sources import JobsFile

AT_ONCE = 4 * 2**20  # pixels of a group of jobs, where the number of jobs is not given
MOST = 16  # jobs of a group, where the number is not given
_LISTED = 50  # problems that are listed one by one

Check = Callable[[Job], None]


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
    """

    jobs_file: JobsFile
    model: str
    groups: list[Group] = field(default_factory=list)
    problems: list[BadRow] = field(default_factory=list)
    presets: set[str] = field(default_factory=set)

    @property
    def total(self) -> int:
        return sum(len(group.rows) for group in self.groups)

    def jobs(self, group: Group) -> tuple[Job, ...]:
        """A group's jobs, read anew: a plan of millions holds positions only."""
        return tuple(self._job(row) for row in group.rows)

    def digest(self) -> str:
        """Of what is made together; equal plans make equal pictures."""
        digest = hashlib.sha256(self.jobs_file.sha256.encode())
        for preset in sorted(self.presets):
            digest.update(Path(preset).read_bytes())
        for group in self.groups:
            digest.update(json.dumps([group.number, group.kind]).encode() + group.rows.tobytes())
        return digest.hexdigest()

    def _job(self, row: int) -> Job:
        return parse({"model": self.model} | self.jobs_file.row(row), self.jobs_file.number(row))

    def complaint(self, name: str) -> str:
        """Everything that is wrong with the file, one line a row."""
        lines = [f"  {self.jobs_file.unit} {p.number}: {p.text}" for p in self.problems[:_LISTED]]
        if len(self.problems) > _LISTED:
            lines.append(f"  and {len(self.problems) - _LISTED} more")
        head = f"{len(self.problems)} of {len(self.jobs_file)} jobs in {name} cannot be made"
        return "\n".join([f"{head}:", *lines])


def make_plan(source: JobsFile, model: str, batch: int | None, check: Check) -> GroupPlan:
    """Read and check every row, and put jobs that are alike into groups.

    Args:
        model: of jobs that name none.
        batch: most jobs in a group; None: as many as have about `AT_ONCE` pixels, and `MOST` at most.
        check: raises ValueError for a job that its instrument cannot make.
    """
    plan = GroupPlan(source, model)
    kinds: dict[str, int] = {}
    members: list[array[int]] = []
    sizes: list[int] = []
    loads: list[tuple[str, str]] = []
    ids: dict[str, int] = {}
    for row in range(len(source)):
        number, name = source.number(row), ""
        try:
            values = source.row(row)
            name = str(values.get("id", number))
            job = parse({"model": model} | values, number)
            # Folders of some systems don't tell capitals from small letters.
            if (first := ids.setdefault(job.id.casefold(), number)) != number:
                name = f"{source.unit}-{number}"  # the id itself is another job's
                raise ValueError(
                    f"id is {job.id!r}, as in {source.unit} {first}; ids are file names, so all differ"
                )
            check(job)
        except (ValueError, TypeError) as error:
            plan.problems.append(BadRow(number, name or str(number), str(error)))
            continue
        kind = kinds.setdefault(job.alike(), len(kinds))
        if kind == len(members):
            members.append(array("Q"))
            sizes.append(batch or at_once(job.height, job.width))
            loads.append((job.instrument, job.model))
        members[kind].append(row)
        if job.preset is not None and Path(job.preset).suffix in (".yaml", ".yml"):
            plan.presets.add(job.preset)
    first_of = {load: loads.index(load) for load in loads}
    for kind in sorted(range(len(members)), key=lambda kind: (first_of[loads[kind]], kind)):
        for start in range(0, len(members[kind]), sizes[kind]):
            rows = members[kind][start : start + sizes[kind]]
            plan.groups.append(Group(len(plan.groups), kind, rows))
    return plan


def at_once(height: int | None, width: int | None) -> int:
    """Jobs of a size in one group. By the size alone, so that every machine plans alike."""
    if height is None or width is None:
        return 4
    return max(1, min(MOST, AT_ONCE // (height * width)))


def settle(before: dict[str, Any] | None, now: dict[str, Any]) -> None:
    """Check that a folder's run can go on with these settings.

    Raises:
        ValueError: it was begun with others, which make other pictures.
    """
    changed = [name for name in now if before is not None and before.get(name) != now[name]]
    if before is None or not changed:
        return
    if "plan" in changed:
        raise ValueError(
            "the folder holds a run of other jobs, or of the same in other groups (--batch, --model, --skip-bad): "
            "give the same, or another folder"
        )
    was = ", ".join(f"{name} {before.get(name)} instead of {now[name]}" for name in changed)
    raise ValueError(f"the folder holds a run begun with {was}; give the same, or another folder")
