"""Names of the pictures' files: what a job writes, and what a gallery can tell from them."""

from __future__ import annotations

from pathlib import Path

from picturelab.files import slug

from .page_job import PageJob

DIRECT, SCALED = "direct", "FouriScale"  # how a picture is sampled


def picture_name(prompt: str, seed: int, job: PageJob) -> str:
    """The part that all pictures of a job share."""
    return f"{slug(prompt)[:40]}-{seed}-{job.id[:6]}"


def sampled_file(folder: Path, prompt: str, seed: int, job: PageJob, method: str) -> Path:
    """Of a picture sampled by a method."""
    return folder / f"{picture_name(prompt, seed, job)}-{method.lower()}.png"


def seed_of(file: Path) -> str:
    """The seed of a sampled picture."""
    return file.stem.rsplit("-", 3)[-3]


def method_of(file: Path) -> str:
    """How a picture was sampled."""
    return DIRECT if file.stem.endswith(f"-{DIRECT}") else SCALED


def pair(file: Path) -> tuple[Path | None, Path | None]:
    """The FouriScale picture and the direct one of a job, from either; None where there is none."""
    shared = file.stem.rpartition("-")[0]
    scaled, direct = (file.with_name(f"{shared}-{method.lower()}.png") for method in (SCALED, DIRECT))
    return (scaled if scaled.is_file() else None, direct if direct.is_file() else None)
