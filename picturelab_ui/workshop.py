"""What all tabs of a page share."""

from __future__ import annotations

from .folders import Folders
from .host import Host
from .jobs.runner import Runner
from .models import Models
from .speed import Speed


class Workshop:
    """One page's runner, models, speed and folders.

    Attributes:
        host: what its visitors may ask for.
        runner: runs their jobs, one at a time.
        models: which may be used, and the loaded ones.
        speed: how long a picture takes here.
        folders: where their files go.
    """

    def __init__(self, host: Host) -> None:
        self.host = host
        self.runner = Runner(host.max_waiting)
        self.models = Models(host, self.runner)
        self.speed = Speed()
        self.folders = Folders(host.output)
