"""What a host allows its visitors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from picturelab.worlds import DEFAULT_MODEL


@dataclass(frozen=True)
class Host:
    """What this host allows.

    Attributes:
        model: the one that is loaded at the start.
        output: where pictures and reports go; nothing else on the disk is served.
        any_model: whether visitors may name hub ids and folders; else the shipped ones and `model`.
        max_pixels: of a picture.
        max_steps: of a run.
        max_waiting: jobs that may wait.
        max_audit: prompts times seeds of an audit.
        max_per_address: unfinished jobs of one address; programs and browsers are counted apart.
        max_disk: bytes of all files in the output folder.
        max_disk_per_visitor: bytes of one visitor's.
        behind_proxy: addresses of proxies, as in "127.0.0.1, 10.0.0.0/8", whose word for a visitor's address counts.
    """

    model: str = DEFAULT_MODEL
    output: Path = Path("outputs/page")
    any_model: bool = False
    max_pixels: int = 2048 * 2048
    max_steps: int = 200
    max_waiting: int = 8
    max_audit: int = 64
    max_per_address: int = 4
    max_disk: int = 2 * 10**9
    max_disk_per_visitor: int = 2 * 10**8
    behind_proxy: str = ""
