"""Makes units: encodes, samples and writes, all three at the same time for different units."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size

from .. import models, recipes
from ..failures import reason
from ..hooks.finite import not_finite
from ..hooks.text_encoders import TextsRead
from ..memory import peak_so_far, reset_peak
from ..pipeline import Pipeline
from ..settings import Settings
from ..text_lengths import way_of
from .contents import ContentChangedError, check_contents
from .dispatch import Outcome, Unit
from .encodings import EncodingCache, finite
from .instruments import EncodedText, JobPicture, instrument
from .jobs import Job
from .loaded import LoadedPipeline
from .manifest import Entry
from .stores import open_store, whereabouts

DEPTH = 3  # units in one worker: one is encoded, one sampled, one written
_WRITERS = 2  # threads that compress and write pictures


class WorkerSettings(Settings):
    """How workers work, the same for all of a run; recorded with it."""

    device: str
    """"cpu", "cuda", "cuda:1" ..."""
    dtype: str
    """Such as "float32"."""
    threads: int
    """Of torch, in each worker."""
    store: str
    """The address of where pictures go."""
    encodings: str
    """The folder of encoded texts."""


@dataclass(frozen=True)
class _Failed:
    why: str


class _NoEncoderError(Exception):
    """A text is to be encoded, and the text encoders were let go."""


# The pipeline, the encodings, how many had to be made, and bytes of their files.
_Prepared = tuple["Pipeline | None", list["EncodedText | _Failed | None"], int, int]
Begun = Future["_Prepared | None"]


class Worker:
    """Pipeline, encoder and writers of one process.

    `begin` is called in order, `finish` from as many threads as units are to overlap. Encoding and sampling
    have one thread each, so nothing runs beside itself.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self.settings = settings
        self._store = open_store(settings.store)
        self._cache = EncodingCache(Path(settings.encodings))
        self._encoder, self._sampler = (
            ThreadPoolExecutor(1, name, self._set_threads) for name in ("encode", "sample")
        )
        self._writers = ThreadPoolExecutor(_WRITERS, "write")
        self._reading = threading.Lock()  # held by whoever runs a text encoder
        self._read_before, self._read_while_painting = TextsRead(), TextsRead()
        self._loaded = LoadedPipeline(settings.device, settings.dtype, self._forget)
        self._name, self._device = whereabouts(), torch.device(settings.device)

    def begin(self, unit: Unit, stop: threading.Event) -> Begun:
        """Have a unit encoded, after those begun before it, so that models change as rarely as planned."""
        return self._encoder.submit(self._prepare, unit, stop)

    def finish(self, unit: Unit, begun: Begun, stop: threading.Event) -> Outcome:
        """Make a unit's wanted pictures; nothing where `stop` is set before sampling begins."""
        prepared = begun.result()
        if prepared is None:
            return Outcome()
        pipe, encodings, encoded, bytes = prepared
        if unit.encodes:
            self._loaded.release(pipe)
            return Outcome(encoded=encoded, bytes=bytes)
        try:
            sampled = self._sampler.submit(self._sample, pipe, unit, encodings, stop).result()
        finally:
            self._loaded.release(pipe)
        if sampled is None:
            return Outcome()
        results, fits, busy, peak = sampled
        common: dict[str, Any] = dict(
            seconds=round(busy / len(unit.jobs), 6),
            peak_memory=peak,
            worker=self._name,
            group=unit.group,
            fits=fits,
        )
        writing = {
            i: self._writers.submit(self._write, unit.jobs[i], result)
            for i in sorted(unit.wanted)
            if isinstance(result := results[i], JobPicture)
        }
        entries = [
            Entry(id=unit.jobs[i].id, status="failed", error=result.why, finished=time.time(), **common)
            for i, result in results.items()
            if i in unit.wanted and isinstance(result, _Failed)
        ]
        broken = None
        for i, written in writing.items():
            try:
                content = written.result()
            except OSError as error:  # no fault of the job: the run stops
                broken = f"{self.settings.store} cannot be written ({reason(error)})"
            except ValueError as error:
                why = f"{unit.jobs[i].file} cannot be written ({reason(error)})"
                entries.append(
                    Entry(id=unit.jobs[i].id, status="failed", error=why, finished=time.time(), **common)
                )
            else:
                entries.append(_done(unit.jobs[i], content, common))
        return Outcome(tuple(entries), fits, busy, encoded, bytes, broken)

    def close(self) -> None:
        for pool in (self._encoder, self._sampler, self._writers):
            pool.shutdown()

    def _set_threads(self) -> None:
        torch.set_num_threads(self.settings.threads)

    def _prepare(self, unit: Unit, stop: threading.Event) -> _Prepared | None:
        """The unit's pipeline, its encodings, equal ones made once, how many had to be made, and bytes of files."""
        if stop.is_set():
            return None
        job = unit.jobs[0]
        misses, written = self._cache.misses, self._cache.written
        try:
            pipe = self._loaded.acquire(job, unit.contents, holds=not unit.encoded)
            texts = self._encodings(pipe, unit)
            if texts is None:  # a file is lost
                pipe = self._loaded.again(pipe, job, unit.contents)
                texts = self._encodings(pipe, unit)
        except ContentChangedError:
            raise
        except Exception as error:
            return None, [_Failed(reason(error))] * len(unit.jobs), 0, 0
        return pipe, texts or [], self._cache.misses - misses, self._cache.written - written

    def _encodings(self, pipe: Pipeline, unit: Unit) -> list[EncodedText | _Failed | None] | None:
        """Those of a unit's jobs; None: there is one to make, and the text encoders are let go."""
        texts = dict[str, EncodedText | _Failed | None]()
        for job in unit.jobs:
            if job.id not in texts:
                try:
                    texts[job.id] = self._encode(pipe, job, unit)
                except _NoEncoderError:
                    return None
                except Exception as error:
                    texts[job.id] = _Failed(reason(error))
        return [texts[job.id] for job in unit.jobs]

    def _encode(self, pipe: Pipeline, job: Job, unit: Unit) -> EncodedText | None:
        what = self._what(pipe, job, unit.contents.get(job.model))
        known = self._cache.get(what)
        if known is not None and finite(known):
            return dict(known)
        if self._loaded.let_go:
            raise _NoEncoderError
        with self._reading, self._read_before.remembered(pipe):
            encoding = instrument(job.instrument).encode(pipe, job)
        if encoding is None:
            return None
        if not finite(encoding):
            raise ValueError(
                f"the text encoder makes NaN of the prompt {job.prompt!r}, so there is nothing to sample"
            )
        if all(isinstance(value, torch.Tensor) for value in encoding.values()):
            self._cache.put(what, encoding)
        return encoding

    def _what(self, pipe: Pipeline, job: Job, content: str | None) -> dict[str, Any]:
        """Everything that decides an encoding to the last bit."""
        where = models.origin(pipe)
        names = ("instrument", "prompt", "negative_prompt", "guidance", "keep", "steps")
        return {name: getattr(job, name) for name in names} | {
            "encoding": way_of(pipe, bool(job.pad_text)),
            "model": where.model,
            "revision": where.revision,
            "content": content,
            "device": self.settings.device.split(":")[0],
            "dtype": self.settings.dtype,
            "threads": self.settings.threads,
            "versions": recipes.versions(),
        }

    def _forget(self) -> None:
        self._read_before.forget()
        self._read_while_painting.forget()

    def _sample(
        self,
        pipe: Pipeline | None,
        unit: Unit,
        encodings: list[EncodedText | _Failed | None],
        stop: threading.Event,
    ) -> tuple[dict[int, JobPicture | _Failed], int | None, float, int] | None:
        """What became of each job by its position, what fitted into memory, seconds and bytes."""
        if stop.is_set():
            return None
        check_contents(unit.contents)
        begin = time.perf_counter()
        reset_peak(self._device)
        results: dict[int, JobPicture | _Failed] = {
            i: encoding for i, encoding in enumerate(encodings) if isinstance(encoding, _Failed)
        }
        todo = [i for i in range(len(unit.jobs)) if i not in results]
        fits = unit.fits
        while pipe is not None and todo:
            part = todo[: fits or len(todo)]
            pictures, too_much = self._attempt(pipe, unit, part, encodings)
            if too_much and len(part) > 1:
                fits = (len(part) + 1) // 2
                clear_device_cache(garbage_collection=True)
                continue
            results |= pictures
            todo = todo[len(part) :]
        check_contents(unit.contents)  # so that all of this time it was what it is
        return results, fits, time.perf_counter() - begin, peak_so_far(self._device)

    def _attempt(
        self, pipe: Pipeline, unit: Unit, part: Sequence[int], encodings: Sequence[Any]
    ) -> tuple[dict[int, JobPicture | _Failed], bool]:
        """Some of a unit's pictures, or that memory does not suffice. Where one fails, each is tried alone."""
        jobs, texts = [unit.jobs[i] for i in part], [encodings[i] for i in part]
        painter = instrument(jobs[0].instrument)
        reads = painter.encoder_stays(jobs[0]) is not None or any(text is None for text in texts)
        # A LoRA changes text encoders, so that equal words are other texts then.
        heard = self._read_while_painting.remembered(pipe) if reads and not jobs[0].lora else nullcontext()
        try:
            with self._reading if reads else nullcontext(), heard, not_finite(pipe) as bad:
                pictures = painter.paint(pipe, jobs, texts)
            results: dict[int, JobPicture | _Failed] = dict(zip(part, pictures, strict=True))
            for place in bad:
                results[part[place]] = _Failed(
                    "sampling ended in NaN; another dtype, steps or guidance may help"
                )
            return results, False
        except Exception as error:
            too_much = isinstance(error, MemoryError) or should_reduce_batch_size(error)
            why = reason(error)
        if len(part) == 1:
            return {part[0]: _Failed(f"it does not fit into memory: {why}" if too_much else why)}, too_much
        if too_much:
            return {}, True
        results = {}
        for i in part:
            results |= self._attempt(pipe, unit, [i], encodings)[0]
        return results, False

    def _write(self, job: Job, picture: JobPicture) -> bytes:
        content = recipes.encoded(
            picture.image,
            picture.recipe,
            instrument(job.instrument).chunk,
            kind=job.kind,
            quality=job.quality,
            parameters=None if job.a1111 is False else picture.parameters,
        )
        self._store.write(job.file, content)
        return content


def _done(job: Job, content: bytes, common: dict[str, Any]) -> Entry:
    return Entry(
        id=job.id,
        status="done",
        file=job.file,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        finished=time.time(),
        **common,
    )


def outcome_of(worker: Worker, unit: Unit, begun: Begun, stop: threading.Event) -> Outcome:
    """`Worker.finish`; what it could not handle is no job's fault, and ends the run."""
    try:
        return worker.finish(unit, begun, stop)
    except ContentChangedError as error:
        return Outcome(broken=str(error))
    except Exception as error:
        return Outcome(broken=f"a worker failed: {type(error).__name__}: {reason(error)}")
