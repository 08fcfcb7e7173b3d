"""Paths in a jobs file, relative to it or to the current folder."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from fouriscale.sampling.recipe import read
from picturelab.batch.order import BatchOrder
from picturelab.batch.paths import JobPaths
from picturelab.batch.run import run
from picturelab.remarks import Remark


@pytest.fixture
def paths(tmp_path, monkeypatch):
    """Of a jobs file in `list`, from the folder above it; each file holds where it lies."""
    for name in ("list/a.png", "list/style@v2.safetensors", "list/look.safetensors", "list/my.yaml", "b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    for name in ("list/net", "list/model", "list/owner/name"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return JobPaths(Path("list"))


@pytest.mark.parametrize(
    ("key", "value", "place"),
    [
        ("image", "a.png", "list/a.png"),
        ("mask", "a.png", "list/a.png"),
        ("image", "b.png", "b.png"),  # in the current folder only, as before
        ("image", "c.png", "c.png"),
        ("image", "", ""),
        ("model", "model", "list/model"),
        ("model", "owner/name", "list/owner/name"),
        ("model", "shapeworld/unet", "shapeworld/unet"),
        ("preset", "my.yaml", "list/my.yaml"),
        ("preset", "none", "none"),
        ("lora", "look.safetensors", "list/look.safetensors"),
        ("lora", "look.safetensors@0.5", "list/look.safetensors@0.5"),
        ("lora", "style@v2.safetensors", "list/style@v2.safetensors"),
        (
            "lora",
            ["look.safetensors@-1", "other.safetensors"],
            ["list/look.safetensors@-1.0", "other.safetensors"],
        ),
        ("control", "net=a.png", "list/net=list/a.png@1.0"),
        ("control", "net=a.png@0.7", "list/net=list/a.png@0.7"),
        ("control", "owner/net=./a.png@0.7", "owner/net=list/a.png@0.7"),
        ("control", "owner/net=b.png@0.7", "owner/net=b.png@0.7"),
        ("control", "nonsense", "nonsense"),
        ("control", "my=net=a.png@0.7", "my=net=list/a.png@0.7"),
        ("image", 3, 3),
        ("prompt", "a.png", "a.png"),
    ],
)
def test_what_lies_beside_the_jobs_file_comes_first(paths, key, value, place):
    assert paths.with_places({key: value}) == {key: place}


def test_absolute_paths_stay(paths, tmp_path):
    row = {
        "image": str(tmp_path / "b.png"),
        "mask": "/nowhere/a.png",
        "model": str(tmp_path / "list" / "model"),
    }
    assert paths.with_places(row) == row


def test_a_file_in_both_folders_is_said(paths, tmp_path):
    (tmp_path / "a.png").write_text("another")
    with pytest.warns(
        Remark, match=r"a.png is taken from the jobs file's folder, not from the current one: list/a"
    ):
        assert paths.with_places({"image": "a.png"}) == {"image": "list/a.png"}
    assert paths.with_places({"image": "a.png"}) == {"image": "list/a.png"}, "said once"


def test_what_was_found_stays(paths, tmp_path):
    assert paths.with_places({"image": "b.png"}) == {"image": "b.png"}
    (tmp_path / "list" / "b.png").write_text("later")
    assert paths.with_places({"image": "b.png"}) == {"image": "b.png"}


def test_a_batch_from_elsewhere(tmp_path, tiny_model, monkeypatch):
    torch.set_num_threads(1)
    folder = tmp_path / "list"
    folder.mkdir()
    Image.new("RGB", (64, 64), "red").save(folder / "start.png")
    (folder / "model").symlink_to(tiny_model)
    job = {"prompt": "a", "image": "start.png", "strength": 1, "steps": 1, "size": "64x64", "model": "model"}
    (folder / "jobs.jsonl").write_text(json.dumps(job))
    monkeypatch.chdir(tmp_path)
    result = run(BatchOrder(jobs=folder / "jobs.jsonl", out="out", device="cpu", threads=1))
    assert result.done == 1
    assert read(tmp_path / "out" / "1.png")["inputs"]["image"]["path"] == str(folder / "start.png")
