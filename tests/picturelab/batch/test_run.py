"""Batches of a small model, from the jobs file to the pictures."""

import hashlib
import json
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from fouriscale import FouriScaleConfig
from fouriscale.loading.pipeline import load_pipeline
from fouriscale.sampling.batch import FouriScaleInstrument as Scaled
from fouriscale.sampling.generate import generate
from fouriscale.sampling.generate import remake as remake_scaled
from fouriscale.sampling.recipe import Recipe, read
from padtone.recipe import read_recipe
from padtone.runs.batch import Arm
from padtone.runs.batch import remake as remake_arm
from picturelab.batch import worker as workers
from picturelab.batch.encodings import EncodingCache
from picturelab.batch.progress import progress
from picturelab.batch.sheet import write_sheet
from picturelab.batch.stores import open_store
from picturelab.batch.verify import check_files
from tests.picturelab.batch_rows import manifest, pictures, row
from tests.waiting import until

MIXED = [
    row(1),
    row(2, size="128x64"),
    row(3, preset="none", negative_prompt="green"),
    row(4),
    row(5, config={"stop": 0.9}, size="192x136"),
    row(6, keep="padding", guidance=3),
    row(7, keep="full", guidance=3),
]


@pytest.fixture(scope="module")
def pipe(tiny_model):
    pipe = load_pipeline(str(tiny_model), device="cpu")
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def pixels(path):
    return np.asarray(Image.open(path), dtype=int)


@pytest.mark.slow
def test_every_job_becomes_a_picture_that_can_be_made_again(make, pipe, tmp_path):
    result = make(MIXED, tmp_path / "out", batch=2)
    assert (result.total, result.done, result.failed, result.made, result.complete) == (7, 7, 0, 7, True)
    for entry in manifest(tmp_path / "out"):
        content = (tmp_path / "out" / entry["file"]).read_bytes()
        assert entry["status"] == "done"
        assert (entry["sha256"], entry["bytes"]) == (hashlib.sha256(content).hexdigest(), len(content))
        assert entry["seconds"] > 0
        assert entry["peak_memory"] > 2**20
    for name in "12345":
        recipe = Recipe.parse(read(tmp_path / "out" / f"{name}.png"))
        assert (np.asarray(remake_scaled(pipe, recipe)) == pixels(tmp_path / "out" / f"{name}.png")).all()
    assert read(tmp_path / "out" / "3.png")["config"] is None
    assert read(tmp_path / "out" / "5.png")["config"]["stop"] == 0.9
    for name in "67":
        arm = Arm.parse(read_recipe(tmp_path / "out" / f"{name}.png"))
        assert (np.asarray(remake_arm(pipe, arm)) == pixels(tmp_path / "out" / f"{name}.png")).all()
    assert (pixels(tmp_path / "out" / "6.png") != pixels(tmp_path / "out" / "7.png")).any()
    assert not (tmp_path / "out" / ".encodings").exists()


def test_a_group_of_one_is_what_generate_makes(make, pipe, tmp_path, tiny_model):
    make([row(3)], tmp_path / "out")
    (alone,) = generate(
        pipe,
        row(3)["prompt"],
        height=64,
        width=64,
        seed=3,
        steps=1,
        config=FouriScaleConfig.preset("shapeworld"),
    )
    assert (np.asarray(alone.image) == pixels(tmp_path / "out" / "1.png")).all()


@pytest.mark.slow
@pytest.mark.parametrize("overtaken", [False, True])
def test_a_resumed_run_equals_an_undisturbed_one(make, tmp_path, monkeypatch, overtaken):
    """What is made again is decided by the jobs that the manifest names, not by the number of its lines.

    Groups of 4, 4 and 2 are in one worker's hands at the same time, and each is noted when its last picture is
    written. So the last group may stand before the second: here it surely does where `overtaken`, since
    job 5 is written only after job 10 is noted.
    """
    rows = [row(i) for i in range(10)]
    make(rows, tmp_path / "whole", batch=4)
    if overtaken:
        write = workers.Worker._write

        def late(self, job, picture):
            if job.id == "5":
                until(lambda: "10" in open_store(str(tmp_path / "cut")).record().entries)
            return write(self, job, picture)

        monkeypatch.setattr(workers.Worker, "_write", late)
    make(rows, tmp_path / "cut", batch=4)
    monkeypatch.undo()
    lines = {entry["id"]: json.dumps(entry) + "\n" for entry in manifest(tmp_path / "cut")}
    assert not overtaken or [*lines].index("10") < [*lines].index("5")
    kept = [line for name, line in lines.items() if int(name) <= 6]
    (tmp_path / "cut" / "manifest.jsonl").write_text("".join(kept) + lines["7"][:20])
    for name in ("7", "10"):
        (tmp_path / "cut" / f"{name}.png").unlink()
    (tmp_path / "cut" / "9.png").write_bytes(b"half a picture")
    result = make(rows, tmp_path / "cut", batch=4)
    assert (result.done, result.made) == (10, 4)
    assert pictures(tmp_path / "cut") == pictures(tmp_path / "whole")
    assert make(rows, tmp_path / "cut", batch=4).made == 0


@pytest.mark.slow
def test_a_prompt_is_encoded_once(make, tmp_path, monkeypatch):
    rows = [
        row(i, prompt=f"a {('red', 'blue', 'green')[i % 3]} circle on a white background") for i in range(12)
    ]
    first = make(rows, tmp_path / "a", batch=2, cache=tmp_path / "cache")
    assert first.encoded == 3
    second = make(rows, tmp_path / "b", batch=2, cache=tmp_path / "cache")
    assert second.encoded == 0
    assert pictures(tmp_path / "a") == pictures(tmp_path / "b")


def test_the_encoding_cache_tells_models_prompts_and_arms_apart(make, tmp_path):
    names = set()
    cache = tmp_path / "cache"
    for i, job in enumerate(
        [row(1), row(1, prompt="a"), row(1, keep="full"), row(1, keep="clean"), row(1, guidance=2)]
    ):
        make([job], tmp_path / str(i), cache=cache)
        assert len(set(cache.iterdir()) - names) == 1
        names = set(cache.iterdir())


@pytest.mark.slow
def test_too_large_a_batch_is_halved_and_the_run_goes_on(make, tmp_path, monkeypatch):
    paint, seen = Scaled.paint, []

    def small(self, pipe, jobs, encodings):
        seen.append(len(jobs))
        if len(jobs) > 2:
            raise RuntimeError(
                "[enforce fail] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
            )
        return paint(self, pipe, jobs, encodings)

    rows = [row(i) for i in range(13)]
    make(rows, tmp_path / "whole", batch=6)
    monkeypatch.setattr(Scaled, "paint", small)
    result = make(rows, tmp_path / "halved", batch=6)
    assert (result.done, result.failed) == (13, 0)
    assert seen[:4] == [6, 3, 2, 2]
    assert seen.count(6) <= workers.DEPTH, "units already in hand may try once more, later ones don't"
    for name in pictures(tmp_path / "whole"):
        apart = np.abs(pixels(tmp_path / "whole" / name) - pixels(tmp_path / "halved" / name))
        assert apart.max() <= 1
        assert read(tmp_path / "halved" / name)["batch_size"] <= 2
    assert {entry.get("fits") for entry in manifest(tmp_path / "halved") if entry["group"] < 2} == {2}


def test_one_job_that_fails_alone_fails_alone(make, tmp_path, monkeypatch):
    paint = Scaled.paint

    def fragile(self, pipe, jobs, encodings):
        if any(job.seed == 2 for job in jobs):
            raise RuntimeError("seed 2 is cursed.\nat length")
        return paint(self, pipe, jobs, encodings)

    monkeypatch.setattr(Scaled, "paint", fragile)
    result = make([row(i) for i in range(4)], tmp_path / "out")
    assert (result.done, result.failed) == (3, 1)
    (failed,) = [entry for entry in manifest(tmp_path / "out") if entry["status"] == "failed"]
    assert (failed["id"], failed["error"]) == ("3", "seed 2 is cursed")
    monkeypatch.setattr(Scaled, "paint", paint)
    rows = [row(i) for i in range(4)]
    assert make(rows, tmp_path / "out").made == 0
    assert make(rows, tmp_path / "out", retry=True).made == 1


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
def test_nan_is_no_picture(make, tmp_path, monkeypatch):
    encode = Scaled.encode

    def broken(self, pipe, job):
        text = encode(self, pipe, job)
        if job.seed == 1:
            text["prompt_embeds"][0, 0, 0] = torch.nan
        if job.seed == 2:  # finite, and too much for the UNet
            text["prompt_embeds"] *= 1e38
        return text

    monkeypatch.setattr(Scaled, "encode", broken)
    result = make([row(i, prompt=f"a {i}") for i in range(4)], tmp_path / "out")
    errors = {e["id"]: e["error"] for e in manifest(tmp_path / "out") if e["status"] == "failed"}
    assert result.done == 2
    assert errors["2"] == "the text encoder makes NaN of the prompt 'a 1', so there is nothing to sample"
    assert errors["3"].startswith("sampling ended in NaN")


def test_a_model_that_cannot_be_loaded_fails_its_jobs_only(make, tmp_path, tiny_model):
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "model_index.json").write_text((tiny_model / "model_index.json").read_text())
    result = make([row(1), row(2, model=str(damaged)), row(3)], tmp_path / "out")
    assert (result.done, result.failed) == (2, 1)
    (failed,) = [entry for entry in manifest(tmp_path / "out") if entry["status"] == "failed"]
    assert "cannot be loaded" in failed["error"]


def test_wrong_jobs_are_told_at_once_and_can_be_skipped(make, tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    rows = [
        row(1),
        row(2, size="65x64"),
        row(3, model="no/such/model"),
        row(4, image=str(tmp_path / "text.png")),
        row(5, keep="paddding"),
        row(6, config={"colour": 1}),
        row(7, preset="nothing"),
    ]
    with pytest.raises(ValueError, match="6 of 7 jobs") as caught:
        make(rows, tmp_path / "out")
    told = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in told[1:7]] == [f"  line {i}" for i in range(2, 8)]
    assert not (tmp_path / "out").exists()
    result = make(rows, tmp_path / "out", skip_bad=True)
    assert (result.total, result.done, result.bad) == (1, 1, 6)
    assert progress(open_store(str(tmp_path / "out"))).bad == 6


def test_a_huge_size_fails_alone(make, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "fouriscale.sampling.fitting.psutil",
        SimpleNamespace(virtual_memory=lambda: SimpleNamespace(total=2**30)),
    )
    result = make([row(1), row(2, size="32768x32768")], tmp_path / "out")
    assert (result.done, result.failed) == (1, 1)
    (failed,) = [entry for entry in manifest(tmp_path / "out") if entry["status"] == "failed"]
    assert "width 32768, height 32768 needs" in failed["error"]


def test_other_jobs_or_settings_are_refused(make, tmp_path):
    make([row(1)], tmp_path / "out")
    with pytest.raises(ValueError, match="a run of other jobs"):
        make([row(2)], tmp_path / "out")
    with pytest.raises(ValueError, match="threads 1 instead of 2"):
        make([row(1)], tmp_path / "out", threads=2)


@pytest.mark.slow
def test_an_object_store_holds_the_same_pictures(make, tmp_path):
    rows, address = [row(i) for i in range(5)], f"memory://{tmp_path.name}"
    make(rows, tmp_path / "folder", batch=2)
    assert make(rows, address, batch=2).made == 5
    store = open_store(address)
    assert {name: store.read(name) for name in store.sizes() if name.endswith(".png")} == pictures(
        tmp_path / "folder"
    )
    assert len(store._list("manifest")) == 3, "one part a group"
    store._files.rm(f"{store._root}/3.png")
    assert make(rows, address, batch=2).made == 1
    assert check_files(store).good == 5
    with pytest.raises(ValueError, match="takes one local worker"):
        make(rows, address, workers=2)


def test_status_verify_and_sheet(make, tmp_path):
    make([row(i) for i in range(5)], tmp_path / "out", batch=2)
    store = open_store(str(tmp_path / "out"))
    assert next(progress(store).sentences()) == "5 of 5 done, 0 failed, 0 left; complete"
    assert write_sheet(store) == 5
    with Image.open(tmp_path / "out" / "sheet.png") as sheet:
        assert sheet.size == (5 * 134 + 6, 128 + 16 + 12)
        assert len(sheet.convert("RGB").getcolors(10**6)) > 50
    (tmp_path / "out" / "1.png").unlink()
    flipped = bytearray((tmp_path / "out" / "2.png").read_bytes())
    flipped[-20] ^= 1
    (tmp_path / "out" / "2.png").write_bytes(flipped)
    (tmp_path / "out" / "x.png").write_bytes(b"")
    found = check_files(store)
    assert (found.good, [e.id for e in found.missing], [e.id for e in found.changed]) == (3, ["1"], ["2"])
    assert found.strangers == ("x.png",)


def test_stop_before_sampling_makes_nothing(tmp_path, tiny_model, jobs_file):
    from picturelab.batch.dispatch import Unit
    from picturelab.batch.jobs import parse

    settings = workers.WorkerSettings(
        device="cpu",
        dtype="float32",
        threads=1,
        store=str(tmp_path / "out"),
        encodings=str(tmp_path / "cache"),
    )
    stop = threading.Event()
    stop.set()
    worker = workers.Worker(settings)
    unit = Unit(0, 0, (parse(row(1) | {"model": str(tiny_model)}, 1),), frozenset({0}))
    assert worker.finish(unit, worker.begin(unit, stop), stop).entries == ()
    worker.close()


def test_the_store_that_breaks_stops_the_run(make, tmp_path, monkeypatch):
    from picturelab.batch.stores import Folder

    write = Folder.write

    def full(self, name, content):
        if name == "3.png":
            raise OSError(28, "No space left on device")
        write(self, name, content)

    monkeypatch.setattr(Folder, "write", full)
    result = make([row(i) for i in range(12)], tmp_path / "out", batch=2)
    assert result.broken == f"{tmp_path / 'out'} cannot be written (No space left on device)"
    assert not result.complete
    monkeypatch.setattr(Folder, "write", write)
    assert make([row(i) for i in range(12)], tmp_path / "out", batch=2).complete


def test_encodings_on_disk_that_are_damaged_are_made_again(make, tmp_path):
    make([row(1)], tmp_path / "a", cache=tmp_path / "cache")
    (path,) = (tmp_path / "cache").iterdir()
    path.write_bytes(b"damaged")
    assert make([row(1)], tmp_path / "b", cache=tmp_path / "cache").encoded == 1
    assert pictures(tmp_path / "a") == pictures(tmp_path / "b")
    assert EncodingCache(tmp_path / "cache").folder.exists()
