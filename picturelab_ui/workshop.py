"""What all tabs of a page share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .disk import Disk
from .errors import hide
from .folders import Folders
from .host import Host
from .jobs.own_pipeline import wait_for_device
from .jobs.page_job import PageJob
from .jobs.runner import Runner
from .models import Models
from .presence import Presence
from .readings import Readings
from .speed import Speed
from .visitors import Visitor


class Workshop:
    """One page's runner, models, speed and folders.

    Attributes:
        host: what its visitors may ask for.
        runner: runs their jobs, which take turns.
        models: which may be used, and the loaded ones.
        readings: of prompts, beside the jobs.
        speed: how long a picture takes here.
        folders: where their files go.
        disk: how many bytes these may be.
        presence: which of them are still there.
    """

    def __init__(self, host: Host) -> None:
        hide(host.output)
        self.host = host
        self.folders = Folders(host.output)
        self.disk = Disk(self.folders.output, host.max_disk, host.max_disk_per_visitor)
        self.runner = Runner(
            host.max_waiting,
            most_of_a_group=host.max_per_address,
            after_job=self.disk.tidy,
            before_handing_on=wait_for_device,
        )
        self.models = Models(host, self.runner)
        self.readings = Readings(host.max_per_address)
        self.speed = Speed()
        self.presence = Presence()

    def submit(
        self,
        work: Callable[[PageJob], Any],
        visitor: Visitor,
        kind: str,
        folder: Path | None = None,
        model: str = "",
    ) -> PageJob:
        """Queue work for a visitor; it ends when the visitor has gone. Programs have no name.

        Args:
            folder: where the work writes.
            model: which it needs.

        Raises:
            ValueError: too many jobs wait, or too many of this visitor's.
        """
        self.presence.note(visitor.session, visitor.name)

        def is_wanted() -> bool:
            if not visitor.session:  # the page's own process
                return True
            if visitor.name:
                return self.presence.browser_is_here(visitor.name)
            return self.presence.is_here(visitor.session)

        def guarded(job: PageJob) -> Any:
            writing = self.disk.writing(folder, visitor.address) if folder else contextlib.nullcontext()
            with writing:
                return work(job)

        group = f"{'browser' if visitor.name else 'program'} {visitor.address}" if visitor.address else ""
        return self.runner.submit(
            guarded, owner=visitor.name, kind=kind, group=group, model=model, is_wanted=is_wanted
        )
