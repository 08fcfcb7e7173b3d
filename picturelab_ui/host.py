"""What a host allows its visitors: a public one little, one's own machine whatever its memory holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from picturelab.worlds import DEFAULT_MODEL

NO_LIMIT = 2**60  # bytes: more than any disk has
_OWN_PICTURES = 64
_PUBLIC_PIXELS, _PUBLIC_DISK, _PUBLIC_DISK_OF_A_VISITOR = 2048 * 2048, 2 * 10**9, 2 * 10**8


@dataclass(frozen=True)
class Host:
    """What this host allows.

    Attributes:
        model: the one that is loaded at the start.
        output: where pictures and reports go; nothing else on the disk is served.
        public: whether others than the machine's owner may come: then files of this machine are nobody's business.
        any_model: whether visitors may name hub ids and folders; else the shipped ones, `models` and `model`.
        models: a folder of models that may be chosen; None: there is none.
        max_pixels: of a picture; None: as many as the memory holds.
        max_pictures: of one order, each method's counted once.
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
    public: bool = True
    any_model: bool = False
    models: Path | None = None
    max_pixels: int | None = _PUBLIC_PIXELS
    max_pictures: int = 4
    max_steps: int = 200
    max_waiting: int = 8
    max_audit: int = 64
    max_per_address: int = 4
    max_disk: int = _PUBLIC_DISK
    max_disk_per_visitor: int = _PUBLIC_DISK_OF_A_VISITOR
    behind_proxy: str = ""

    @classmethod
    def of(
        cls,
        *,
        public: bool,
        any_model: bool = False,
        max_pixels: int | None = None,
        max_disk: int | None = None,
        max_disk_per_visitor: int | None = None,
        **others: Any,
    ) -> Host:
        """A host with the limits that its kind usually has where none is named."""
        usual = (_PUBLIC_DISK, _PUBLIC_DISK_OF_A_VISITOR) if public else (NO_LIMIT, NO_LIMIT)
        return cls(
            public=public,
            any_model=any_model or not public,
            max_pictures=cls.max_pictures if public else _OWN_PICTURES,
            max_pixels=_PUBLIC_PIXELS if public and max_pixels is None else max_pixels,
            max_disk=usual[0] if max_disk is None else max_disk,
            max_disk_per_visitor=usual[1] if max_disk_per_visitor is None else max_disk_per_visitor,
            **others,
        )
