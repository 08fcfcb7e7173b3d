"""The files and models that jobs name, known by their content, so that a batch notices when one becomes another."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from huggingface_hub import try_to_load_from_cache
from huggingface_hub.errors import HFValidationError

from .. import worlds
from ..failures import told_as
from ..notation import parse_control, parse_weighted
from .jobs import Job

_LOADED = (".safetensors", ".json", ".txt", ".model")  # what pipelines read of a folder
_COMMIT = "commit "  # how the contents of models of the hub begin
_Signature = tuple[tuple[str, int, int, int], ...]
_read: dict[
    Path, tuple[_Signature, str]
] = {}  # so that nothing is read twice that has not been written since


class ContentChangedError(ValueError):
    """A file of a batch is not what it was when the batch was checked."""


def named_in(job: Job) -> Iterator[str]:
    """What a job names that lies on a disk: its model, preset, pictures, ControlNets and LoRAs."""
    yield job.model
    if is_preset_file(job.preset):
        yield job.preset or ""
    yield from filter(None, (job.image, job.mask))
    for text in job.control:
        model, picture, _ = parse_control(text)
        yield from (model, str(picture))
    for text in job.lora:
        yield parse_weighted(text).name


def is_preset_file(preset: str | None) -> bool:
    """Whether a preset is a file, and not one of ours by its name."""
    return preset is not None and Path(preset).suffix in (".yaml", ".yml")


def content(name: str) -> str | None:
    """A hash of what a name stands for: all bytes of a file, or of those in a folder that pipelines read.

    A model of the hub is known by the commit in the cache; None: it is not there yet.

    Raises:
        ValueError: a file cannot be read, or the name is of a world that is not installed.
    """
    shipped = worlds.split(name)
    path = shipped[0].folder(shipped[1]) if shipped else Path(name)
    if not path.exists():
        return _commit(name)
    with told_as(f"{name} cannot be read", OSError):
        files = sorted(_files(path))
        signature = tuple(_state(path / file) for file in files)
        known = _read.get(path.absolute())
        if known is None or known[0] != signature:
            known = _read[path.absolute()] = signature, _hash(path, files)
    return known[1]


def check_contents(contents: Mapping[str, str]) -> None:
    """Check that nothing has changed; only what has been written since is read again.

    Args:
        contents: {name: `content` of it} as the batch was checked.

    Raises:
        ContentChangedError: something is another now, or gone.
    """
    for name, was in contents.items():
        try:
            now = content(name)
        except ValueError:
            now = None
        if now != was:
            raise ContentChangedError(_sentence([name], "the batch was checked"))


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    """What is another than when a folder was begun, as a sentence; a file may have moved meanwhile."""
    contents = set(before.values())
    names = [
        name
        for name, state in now.items()
        if before.get(name, state) != state
        or (name not in before and state not in contents and not state.startswith(_COMMIT))
    ]
    return _sentence(names, "the folder was begun") if names else None


def _sentence(names: list[str], since: str) -> str:
    listed = ", ".join(map(_called, names[:5])) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    verb = "has" if len(names) == 1 else "have"
    return (
        f"{listed} {verb} changed since {since}: put back what was there, or make the batch in another folder"
    )


def _called(name: str) -> str:
    model = worlds.split(name) or Path(name).is_dir() or Path(name).suffix == ".safetensors"
    return f"{name} (weights or settings)" if model else name


def _files(path: Path) -> Iterable[str]:
    if path.is_file():
        return [""]
    return (
        str(file.relative_to(path))
        for file in path.rglob("*")
        if file.suffix in _LOADED and not any(part.startswith(".") for part in file.relative_to(path).parts)
    )


def _state(file: Path) -> tuple[str, int, int, int]:
    status = os.stat(file)
    return str(file), status.st_size, status.st_mtime_ns, status.st_ino


def _hash(path: Path, files: list[str]) -> str:
    digest = hashlib.sha256()
    for file in files:
        with (path / file).open("rb") as stream:
            digest.update(f"{file}\n".encode() + hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:32]


def _commit(name: str) -> str | None:
    """The hub's commit of a model or ControlNet in the cache."""
    for file in ("model_index.json", "config.json"):
        try:
            path = try_to_load_from_cache(name, file)
        except HFValidationError:
            return None
        if isinstance(path, str):
            return _COMMIT + Path(path).parent.name
    return None
