"""Recipes and jobs files that the commands of commit 8704025 wrote still work.

`data/recipes` holds pictures of `fouriscale generate`, `padtone ite`, `idp` and `audit`; `data/jobs` holds jobs
files, each with the folder of its finished batch. All were made with the model shapeworld/unet on one thread of a
CPU, and none is ever made anew.
"""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fouriscale import FouriScaleConfig
from fouriscale.cli import main as fouriscale
from fouriscale.sampling import recipe as scaled
from padtone.cli import main as padtone
from padtone.recipe import read_recipe, save_with_recipe
from picturelab.batch.order import BatchOrder
from picturelab.batch.run import read_plan

DATA = Path(__file__).parent / "data"
# Of 255 a channel. On the processor that made them, pictures are equal bit for bit; others sum in another order,
# which moves latents by 1e-5 or so, and here and there a pixel to the next level.
LEVELS = 2
RECIPES = {
    "generate": (fouriscale, scaled.read),
    "paper": (fouriscale, scaled.read),
    "compare": (fouriscale, scaled.read),
    "ite": (padtone, read_recipe),
    "idp": (padtone, read_recipe),
    "audit": (padtone, read_recipe),
}
JOBS = {"lines.jsonl": "circle", "cells.csv": "plain", "grid.yaml": "c1-p1-s3"}


def expect_the_same_picture(path, old):
    with Image.open(path) as new, Image.open(old) as before:
        assert new.size == before.size
        assert np.abs(np.asarray(new, int) - np.asarray(before, int)).max() <= LEVELS


def expect_what_was_recorded(new, old):
    """Every entry of an old recipe stands in the new one as it was; versions are today's.

    Settings mean the same; what was left to the mode is written out today.
    """
    plain = [name for name in old if name not in ("versions", "config")]
    assert {name: new.get(name) for name in plain} == {name: old[name] for name in plain}
    if old.get("config") is not None:
        then, now = (FouriScaleConfig.from_dict(recipe["config"]) for recipe in (old, new))
        assert now.resolved() == then.resolved()


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_makes_its_picture_again(run_command, tmp_path, name):
    main, read = RECIPES[name]
    old = DATA / "recipes" / f"{name}.png"
    code, _, err = run_command(main, "remake", old, "--out", tmp_path / "again.png")
    assert code == 0, err
    assert "weights" not in err, "the shipped weights are those of then"
    expect_the_same_picture(tmp_path / "again.png", old)
    expect_what_was_recorded(read(tmp_path / "again.png"), read(old))


@pytest.mark.parametrize("name", ["paper", "ite"])
def test_a_recipe_of_other_versions_is_remade_with_a_warning(run_command, tmp_path, name):
    main, read = RECIPES[name]
    recipe = read(DATA / "recipes" / f"{name}.png")
    recipe["versions"] |= {"diffusers": "0.30.0"}
    with Image.open(DATA / "recipes" / f"{name}.png") as image:
        if main is padtone:
            save_with_recipe(image, tmp_path / "old.png", recipe)
        else:
            scaled.save(image, tmp_path / "old.png", recipe)
    code, _, err = run_command(main, "remake", tmp_path / "old.png", "--out", tmp_path / "again.png")
    assert code == 0, err
    assert "versions differ, so pixels may too: diffusers" in " ".join(err.split())
    expect_the_same_picture(tmp_path / "again.png", tmp_path / "old.png")


@pytest.fixture
def old_batch(tmp_path):
    """Copies a jobs file and its finished folder, which a run may write into."""

    def copy(name):
        file = Path(shutil.copy(DATA / "jobs" / name, tmp_path))
        return file, Path(
            shutil.copytree(DATA / "jobs" / f"{file.stem}-folder", tmp_path / f"{file.stem}-folder")
        )

    return copy


@pytest.mark.parametrize("name", JOBS)
def test_a_jobs_file_is_planned_as_it_was(name):
    file = DATA / "jobs" / name
    recorded = json.loads((DATA / "jobs" / f"{file.stem}-folder" / "plan.json").read_text())
    plan = read_plan(BatchOrder(jobs=file, out="out"))
    assert (plan.total, len(plan.groups)) == (recorded["total"], recorded["groups"])
    assert plan.digest() == recorded["plan"]


@pytest.mark.parametrize("name", JOBS)
def test_a_finished_folder_is_complete(run_command, old_batch, name):
    file, folder = old_batch(name)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    count = len(before) - 2  # all but the plan and the manifest are pictures
    code, out, err = run_command(fouriscale, "batch", file, "--out", folder, "--device", "cpu")
    assert code == 0, err
    assert out == f"{count} of {count} done, 0 failed: {folder}\n"
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name in before} == before
    assert run_command(fouriscale, "verify", folder)[0] == 0


@pytest.mark.parametrize("name", JOBS)
def test_a_picture_that_is_gone_is_made_again(run_command, old_batch, name):
    """And no other one, though the folder was begun with another version."""
    file, folder = old_batch(name)
    gone = f"{JOBS[name]}.png"
    old = DATA / "jobs" / folder.name / gone
    plan = json.loads((folder / "plan.json").read_text())
    plan["versions"]["diffusers"] = "0.30.0"
    (folder / "plan.json").write_text(json.dumps(plan))
    (folder / gone).unlink()
    lines = (folder / "manifest.jsonl").read_text().splitlines()
    code, _, err = run_command(fouriscale, "batch", file, "--out", folder, "--device", "cpu")
    assert code == 0, err
    assert "versions differ from those that the folder was begun with" in " ".join(err.split())
    after = (folder / "manifest.jsonl").read_text().splitlines()
    assert after[: len(lines)] == lines
    (entry,) = map(json.loads, after[len(lines) :])
    assert (entry["id"], entry["status"], entry["file"]) == (JOBS[name], "done", gone)
    assert entry["sha256"] == hashlib.sha256((folder / gone).read_bytes()).hexdigest()
    expect_the_same_picture(folder / gone, old)
    read = read_recipe if JOBS[name] == "arm" else scaled.read
    expect_what_was_recorded(read(folder / gone), read(old))
