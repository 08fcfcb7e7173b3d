"""What a batch costs and saves: images per second against a plain loop, resuming, memory, the scheduler's load.

Run from the repository's root with `python -m benchmarks.batch` (`--quick` for a short look), on free cores. Each
case runs in a process of its own with one thread a worker, on the CPU, with the shipped model. Rates leave out the
start: they are counted from the moment at which every worker has finished its first group. What one thread works
out alone (planning, compressing) is counted in processor time, so that a busy neighbour does not decide it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "batch.json"
SIZES = ("64x64", "128x128", "96x128", "128x128")
COLOURS = ("red", "green", "blue", "yellow", "purple", "orange", "cyan", "white")
STEPS = 8
FINISHED = 10_000  # jobs of the resume that is timed
SCHEDULED = 20_000  # jobs that pass through the scheduler with no picture made


def rows(count: int, steps: int, sizes: tuple[str, ...] = SIZES) -> list[dict[str, Any]]:
    """Jobs of mixed sizes; every prompt comes back again and again."""
    return [
        dict(
            prompt=f"a large {COLOURS[i // 4 % len(COLOURS)]} circle on a black background",
            size=sizes[i % len(sizes)],
            seed=i,
            steps=steps,
        )
        for i in range(count)
    ]


def write_jobs(folder: Path, jobs: list[dict[str, Any]]) -> Path:
    path = folder / "jobs.jsonl"
    path.write_text("".join(json.dumps(job) + "\n" for job in jobs))
    return path


def plain_loop(folder: Path, count: int, steps: int, threads: int) -> dict[str, Any]:
    """What people write: the pipeline, FouriScale on it, one call a picture, and saving it."""
    import torch

    import shapeworld
    from fouriscale import apply_fouriscale
    from picturelab.notation import parse_size

    torch.set_num_threads(threads)
    pipe: Any = shapeworld.load_pipeline("unet")
    pipe.set_progress_bar_config(disable=True)
    apply_fouriscale(pipe)
    times = []
    for i, job in enumerate(rows(count, steps)):
        height, width = parse_size(job["size"])
        image = pipe(
            job["prompt"],
            height=height,
            width=width,
            num_inference_steps=job["steps"],
            guidance_scale=4.0,
            generator=torch.Generator().manual_seed(job["seed"]),
        ).images[0]
        image.save(folder / f"{i}.png")
        times.append(time.time())
    # The first four are one picture of each size, which pay for what happens once.
    return {"images_per_second": (count - 4) / (times[-1] - times[3]), "encoder_runs": 2 * count}


def batch_run(
    folder: Path, count: int, steps: int, workers: int, engine: str, batch: int | None
) -> dict[str, Any]:
    """The same jobs with `fouriscale batch`."""
    from picturelab.batch.order import BatchOrder
    from picturelab.batch.run import run

    order = BatchOrder(
        jobs=write_jobs(folder, rows(count, steps)),
        out=str(folder / "out"),
        device="cpu",
        threads=1,
        workers=workers,
        engine=engine,
        batch=batch,
    )
    result = run(order)
    assert result.done == count
    return steady(folder / "out" / "manifest.jsonl") | {
        "encoder_runs": result.encoded + 1,  # and the negative prompt, once
        "seconds_with_start": result.seconds,
    }


def steady(manifest: Path) -> dict[str, Any]:
    """Images per second and the denoisers' busy share, once every worker has finished a group."""
    entries = [json.loads(line) for line in manifest.read_text().splitlines()]
    entries.sort(key=lambda entry: entry["finished"])
    first: dict[str, tuple[float, int]] = {}
    for entry in entries:
        worker = entry["worker"]
        if worker not in first or first[worker][1] == entry["group"]:
            first[worker] = (entry["finished"], entry["group"])
    begin = max(finished for finished, _ in first.values())
    after = [entry for entry in entries if entry["finished"] > begin]
    seconds = entries[-1]["finished"] - begin
    busy = sum(entry["seconds"] for entry in after) / (seconds * len(first))
    return {"images_per_second": len(after) / seconds, "denoiser_busy": min(busy, 1.0), "counted": len(after)}


def resume(folder: Path, count: int) -> dict[str, Any]:
    """A run that finds everything done. The files are stand-ins of one byte: resuming looks at names and sizes."""
    import torch

    from picturelab.batch import run as runs
    from picturelab.batch.manifest import Entry
    from picturelab.batch.order import BatchOrder
    from picturelab.batch.stores import Folder

    order = BatchOrder(
        jobs=write_jobs(folder, rows(count, STEPS)), out=str(folder / "out"), device="cpu", threads=1
    )
    plan, store = runs.read_plan(order), Folder(folder / "out")
    with store.begin(wait=False):
        runs._settled(order, store, plan, None, torch.device("cpu"))
        for group in plan.groups:
            made = [
                Entry(id=job.id, status="done", file=job.file, sha256="0", bytes=1, group=group.number)
                for job in plan.jobs(group)
            ]
            for entry in made:
                (folder / "out" / str(entry.file)).write_bytes(b"0")
            store.append("", made)
    begin = time.perf_counter()
    result = runs.run(order)
    assert result.complete
    assert result.made == 0
    return {"jobs": count, "seconds": time.perf_counter() - begin}


def memory(folder: Path, count: int) -> dict[str, Any]:
    """The process's size over many small jobs: after a tenth of them, and its largest since."""
    import psutil

    from picturelab.batch.order import BatchOrder
    from picturelab.batch.run import run

    out, sizes, over = folder / "out" / "manifest.jsonl", list[tuple[int, int]](), threading.Event()

    def look() -> None:
        while not over.wait(0.5):
            done = out.read_bytes().count(b"\n") if out.exists() else 0
            sizes.append((done, psutil.Process().memory_info().rss))

    watcher = threading.Thread(target=look)
    watcher.start()
    # One size: groups of a larger one, which are made later, need more.
    path = write_jobs(folder, rows(count, 1, ("64x64",)))
    run(BatchOrder(jobs=path, out=str(folder / "out"), device="cpu", threads=1))
    over.set()
    watcher.join()
    settled = [size for done, size in sizes if done >= count // 10]
    return {"jobs": count, "bytes_after_a_tenth": settled[0], "growth": max(settled) / settled[0] - 1}


def scheduler(folder: Path, count: int) -> dict[str, Any]:
    """Planning, handing out and noting, with workers that do nothing: what one driver can keep up with."""
    from picturelab.batch.dispatch import Dispatcher, Outcome, Unit
    from picturelab.batch.engines.crew import Finished, drive
    from picturelab.batch.manifest import Entry
    from picturelab.batch.order import BatchOrder
    from picturelab.batch.run import read_plan
    from picturelab.batch.stores import Folder

    class Idle:
        size = 64

        def __init__(self) -> None:
            self.sent: list[tuple[int, Unit]] = []

        def send(self, place: int, unit: Unit) -> None:
            self.sent.append((place, unit))

        def wait(self, seconds: float) -> list[Any]:
            place, unit = self.sent.pop(0)
            made = [
                Entry(
                    id=job.id,
                    status="done",
                    file=job.file,
                    sha256="0" * 64,
                    bytes=6_000_000,
                    seconds=12.345678,
                    peak_memory=6_000_000_000,
                    worker="host:12345",
                    group=unit.group,
                    finished=time.time(),
                )
                for job in unit.jobs
            ]
            return [Finished(place, unit, Outcome(tuple(made)))]

        def halt(self) -> None: ...

        def close(self) -> None: ...

    found: dict[str, Any] = {"jobs": count}
    read_plan(BatchOrder(jobs=write_jobs(folder, rows(1, STEPS)), out="x"))  # imports what checking needs
    path = write_jobs(folder, rows(count, STEPS, ("2048x2048",)))
    begin = time.process_time()
    plan = read_plan(BatchOrder(jobs=path, out=str(folder / "out")))
    found["planned_per_second"] = count / (time.process_time() - begin)
    store = Folder(folder / "out")
    (folder / "out").mkdir()
    begin = time.perf_counter()
    drive(Dispatcher(plan, store, store.record()), Idle(), threading.Event())
    found["groups_per_second"] = len(plan.groups) / (time.perf_counter() - begin)
    begin = time.process_time()
    store.record()
    found["manifest_lines_per_second"] = count / (time.process_time() - begin)
    found["manifest_bytes_per_job"] = (folder / "out" / "manifest.jsonl").stat().st_size / count
    return found


def picture(folder: Path) -> dict[str, Any]:
    """Compressing and writing one picture of 2048 x 2048: smooth noise with grain, about a photograph's size."""
    import numpy as np
    from PIL import Image, ImageFilter

    from picturelab import recipes as pictures
    from picturelab.batch.stores import Folder

    draw = np.random.default_rng(0)
    coarse = Image.fromarray(draw.integers(0, 256, (256, 256, 3), dtype=np.uint8)).resize((2048, 2048))
    smooth = np.asarray(coarse.filter(ImageFilter.GaussianBlur(8)), dtype=float)
    image = Image.fromarray((smooth + draw.normal(0, 2, smooth.shape)).clip(0, 255).astype(np.uint8))
    begin = time.process_time()
    content = pictures.encoded(image, {}, "x")
    compress = time.process_time() - begin
    begin = time.perf_counter()
    Folder(folder).write("a.png", content)
    return {"bytes": len(content), "compress_seconds": compress, "write_seconds": time.perf_counter() - begin}


CASES: dict[str, Callable[..., dict[str, Any]]] = {
    case.__name__: case for case in (plain_loop, batch_run, resume, memory, scheduler, picture)
}


def in_process(case: str, *values: Any, threads: int = 1) -> dict[str, Any]:
    """A case in a process of its own."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-m", "benchmarks.batch", "--case", case, folder, json.dumps(values)]
        done = subprocess.run(words, capture_output=True, text=True, env=environment)
        shutil.rmtree(folder, ignore_errors=True)
        Path(folder).mkdir()
    if done.returncode:
        raise RuntimeError(f"{case}{values} failed:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(case, values, json.dumps(found), file=sys.stderr, flush=True)
    return found


def measure(quick: bool) -> dict[str, Any]:
    count, steps, batch = (48, 2, 4) if quick else (256, STEPS, None)
    loop = in_process("plain_loop", count, steps, 1)
    one = in_process("batch_run", count, steps, 1, "local", batch)
    two = in_process("batch_run", count, steps, 2, "local", batch)
    ray = in_process("batch_run", count, steps, 2, "ray", batch)
    both = in_process("plain_loop", count, steps, 2, threads=2)
    rate = loop["images_per_second"]
    return {
        "jobs": count,
        "steps": steps,
        "loop_one_thread": loop,
        "loop_two_threads": both,
        "one_worker": one | {"against_loop": one["images_per_second"] / rate},
        "two_workers": two | {"against_loop": two["images_per_second"] / rate},
        "two_ray_workers": ray | {"against_loop": ray["images_per_second"] / rate},
        "encoder_runs_saved": 1 - one["encoder_runs"] / loop["encoder_runs"],
        "resume": in_process("resume", FINISHED),
        "memory": in_process("memory", 200 if quick else 2000),
        "scheduler": in_process("scheduler", SCHEDULED // (10 if quick else 1)),
        "picture_2048": in_process("picture"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end",
        "versions": {name: version(name) for name in ("torch", "diffusers", "ray")}
        | {"python": platform.python_version()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few jobs; writes nothing")
    parser.add_argument("--case", nargs=3, metavar=("NAME", "FOLDER", "VALUES"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case:
        name, folder, values = given.case
        print(json.dumps(CASES[name](Path(folder), *json.loads(values))))
        return
    found = measure(given.quick)
    text = json.dumps(found, indent=1)
    print(text)
    if not given.quick:
        RESULTS.write_text(text + "\n")


if __name__ == "__main__":
    main()
