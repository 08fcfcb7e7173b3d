"""What a batch notices of a world that changes: between two runs, and while one goes on."""

import json
import os
import re
import shutil

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from fouriscale.config import MODES
from fouriscale.sampling.batch import FouriScaleInstrument
from fouriscale.sampling.recipe import read
from picturelab.batch.contents import ContentChangedError, changed, check_contents, content
from picturelab.batch.stores import Folder, read_plan_note
from tests.picturelab.batch_rows import manifest, pictures, row


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def model(tiny_model, tmp_path):
    return shutil.copytree(tiny_model, tmp_path / "model")


def picture(path, colour):
    Image.new("RGB", (64, 64), colour).save(path)
    return str(path)


def other_weights(model):
    file = model / "unet" / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    save_file(weights | {"conv_out.weight": -weights["conv_out.weight"]}, file)


def test_content_is_of_every_byte_that_is_loaded(model):
    before = content(str(model))
    (model / "README.md").write_text("not loaded")
    os.utime(model / "model_index.json")
    assert content(str(model)) == before
    scheduler = model / "scheduler" / "scheduler_config.json"
    scheduler.write_text(scheduler.read_text() + "\n")
    assert content(str(model)) != before
    assert content("shapeworld/unet") == content("shapeworld/unet") != before
    assert content("some/model") is None, "the hub's, which is not in the cache"


def test_what_has_changed_is_named(tmp_path):
    one, other = (picture(tmp_path / f"{colour}.png", colour) for colour in ("red", "blue"))
    contents = {name: content(name) for name in (one, other)}
    check_contents(contents)
    picture(tmp_path / "red.png", "green")
    with pytest.raises(
        ContentChangedError, match=r"^[^,]*red.png has changed since the batch was checked: put back"
    ):
        check_contents(contents)
    (tmp_path / "red.png").unlink()
    with pytest.raises(ContentChangedError, match=r"red.png has changed"):
        check_contents(contents)


def test_a_file_may_move_but_two_may_not_change_places():
    before = {"a.png": "1", "b.png": "2"}
    assert changed(before, before) is None
    assert changed(before, {"x/a.png": "1", "x/b.png": "2"}) is None
    assert changed(before, {"a.png": "2", "b.png": "1"}).startswith("a.png, b.png have changed")
    assert changed(before, {"x/a.png": "1", "x/b.png": "3"}).startswith("x/b.png has changed")
    assert changed(before, before | {"some/model": "commit 1"}) is None, "it was not in the cache"


def test_weights_replaced_between_two_runs(make, tmp_path, model):
    rows = [row(i) for i in range(3)]
    make(rows, tmp_path / "out", model=str(model))
    (tmp_path / "out" / "2.png").unlink()
    before = pictures(tmp_path / "out")
    other_weights(model)
    with pytest.raises(
        ValueError, match=re.escape(f"{model} (weights or settings) has changed since the folder")
    ):
        make(rows, tmp_path / "out", model=str(model))
    assert pictures(tmp_path / "out") == before


def test_a_mode_that_has_come_to_mean_something_else(make, tmp_path, monkeypatch):
    rows = [row(i, size="192x136", config={"mode": "fast"}) for i in range(2)]
    rows += [row(3, size="192x136", config={"mode": "paper"}), row(4, preset="none")]
    with monkeypatch.context() as before:
        before.setitem(MODES, "fast", MODES["layerwise"])
        make(rows, tmp_path / "out", batch=1)
    whole = pictures(tmp_path / "out")
    assert make(rows, tmp_path / "out", batch=1).complete  # nothing is left to make
    for name in ("3.png", "4.png"):  # what these mean has not changed, but the others stand beside them
        (tmp_path / "out" / name).unlink()
    with pytest.raises(
        ValueError,
        match=r"^the folder holds pictures made with grid 'full' instead of 'deep', which the same jobs mean now, "
        r"such as [12]\.png: make the batch in another folder$",
    ):
        make(rows, tmp_path / "out", batch=1)
    assert pictures(tmp_path / "out").keys() == {"1.png", "2.png"}
    unchanged = rows[2:]
    make(unchanged, tmp_path / "other", batch=1)
    (tmp_path / "other" / "2.png").unlink()
    assert make(unchanged, tmp_path / "other", batch=1).complete
    assert set(pictures(tmp_path / "other").values()) == {whole["3.png"], whole["4.png"]}


def test_what_only_failed_jobs_name_may_be_mended(make, tmp_path, model):
    (model / "unet" / "diffusion_pytorch_model.safetensors").rename(tmp_path / "aside")
    rows = [row(1), row(2, model=str(model))]
    assert make(rows, tmp_path / "out").failed == 1
    (tmp_path / "aside").rename(model / "unet" / "diffusion_pytorch_model.safetensors")
    result = make(rows, tmp_path / "out", retry=True)
    assert (result.done, result.failed) == (2, 0)


def test_an_input_replaced_between_two_runs_and_while_one_goes_on(make, tmp_path, monkeypatch):
    start = picture(tmp_path / "start.png", "red")
    rows = [row(i, image=start, strength=1, steps=1) for i in range(3)]
    paint, before = FouriScaleInstrument.paint, []

    def replaced(self, pipe, jobs, encodings):
        painted = paint(self, pipe, jobs, encodings)
        if before:  # whichever is the second
            picture(tmp_path / "start.png", "blue")
        before.append(jobs[0].id)
        return painted

    monkeypatch.setattr(FouriScaleInstrument, "paint", replaced)
    result = make(rows, tmp_path / "out", batch=1)
    sentence = (
        f"{start} has changed since the batch was checked: put back what was there, or make the batch in"
    )
    assert result.broken.startswith(sentence)
    # Perhaps not even the first: it is looked at again before it is noted.
    assert {entry["id"] for entry in manifest(tmp_path / "out")} <= {before[0]}
    monkeypatch.undo()
    if result.made:
        with pytest.raises(ValueError, match=re.escape(f"{start} has changed since the folder was begun")):
            make(rows, tmp_path / "out", batch=1)
    picture(tmp_path / "start.png", "red")
    assert make(rows, tmp_path / "out", batch=1).complete


@pytest.mark.parametrize("where", ["between", "during"])
def test_the_jobs_file_itself(make, tmp_path, jobs_file, monkeypatch, where):
    rows = [row(i) for i in range(4)]
    path = jobs_file(rows)
    other = path.read_text().replace("circle", "square")
    if where == "during":
        paint = FouriScaleInstrument.paint

        def rewritten(self, pipe, jobs, encodings):
            with path.open("r+") as file:
                file.write(other)
            return paint(self, pipe, jobs, encodings)

        monkeypatch.setattr(FouriScaleInstrument, "paint", rewritten)
    make(path, tmp_path / "out", batch=1)
    assert {read(file)["prompt"] for file in (tmp_path / "out").glob("*.png")} == {rows[0]["prompt"]}
    path.write_text(other)
    with pytest.raises(
        ValueError, match=r"a run of other jobs: the jobs file, or a list that it names, has changed"
    ):
        make(path, tmp_path / "out", batch=1)
    with pytest.raises(
        ValueError, match=r"or of the same in other groups or files \(--batch, --model, --skip-bad,"
    ):
        make(rows, tmp_path / "out", batch=2)


@pytest.mark.parametrize(
    "text", ["", '{"plan": "1', "[" * 100_000, "[]", '{"plan": "1"}', '{"plan": 1, "total": 2}']
)
def test_damaged_notes_of_a_plan_count_as_lost(tmp_path, text):
    (tmp_path / "plan.json").write_text(text)
    assert read_plan_note(Folder(tmp_path)) is None


@pytest.mark.parametrize("damage", ["lost", "cut"])
def test_a_lost_plan_is_made_anew(make, tmp_path, damage):
    rows = [row(i, prompt=f"a {i}") for i in range(3)]
    make(rows, tmp_path / "out", batch=2, dtype="float32", threads=1)
    plan = tmp_path / "out" / "plan.json"
    before, whole = pictures(tmp_path / "out"), json.loads(plan.read_text())
    plan.unlink() if damage == "lost" else os.truncate(plan, 50)
    (tmp_path / "out" / "2.png").unlink()
    with pytest.warns(UserWarning, match=r"plan.json is lost or damaged; it is made anew"):
        assert make(rows, tmp_path / "out", batch=2, threads=None).made == 1
    assert pictures(tmp_path / "out") == before
    assert json.loads(plan.read_text()) | {"jobs": ""} == whole | {"jobs": ""}


def test_a_lost_plan_of_large_pictures_is_made_anew(make, tmp_path, monkeypatch):
    make([row(1)], tmp_path / "out")
    (tmp_path / "out" / "plan.json").unlink()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # as for 16384x16384, which our bounds allow
    with pytest.warns(UserWarning, match="plan.json is lost or damaged; it is made anew"):
        assert make([row(1)], tmp_path / "out").done == 1


def test_a_lost_plan_does_not_let_other_jobs_in(make, tmp_path):
    make([row(1), row(2)], tmp_path / "out")
    for other in ([row(1)], [row(1), row(3)], [row(1, prompt="a"), row(2)]):
        (tmp_path / "out" / "plan.json").unlink(missing_ok=True)
        with (
            pytest.warns(UserWarning, match="plan.json is lost or damaged"),
            pytest.raises(
                ValueError, match=r"has lost its plan.json and holds a run of other jobs: the picture of '"
            ),
        ):
            make(other, tmp_path / "out")
    with (
        pytest.warns(UserWarning, match="plan.json is lost or damaged"),
        pytest.raises(ValueError, match="begun with threads 1 instead of 2"),
    ):
        make([row(1), row(2)], tmp_path / "out", threads=2)


def test_a_folder_of_which_nothing_came_keeps_no_settings(make, tmp_path, monkeypatch):
    def broken(self, pipe, jobs, encodings):
        raise RuntimeError("no such luck")

    monkeypatch.setattr(FouriScaleInstrument, "paint", broken)
    assert make([row(1)], tmp_path / "out", threads=2).failed == 1
    monkeypatch.undo()
    assert make([row(1)], tmp_path / "out", threads=1, retry=True).done == 1
    assert json.loads((tmp_path / "out" / "plan.json").read_text())["threads"] == 1


def test_two_files_of_the_cache_changed_places(make, tmp_path):
    rows = [row(1, prompt=f"a {colour} circle") for colour in ("red", "blue")]
    make(rows, tmp_path / "a", cache=tmp_path / "cache")
    one, other = sorted(path for path in (tmp_path / "cache").iterdir() if "shared" not in path.name)
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    assert make(rows, tmp_path / "b", cache=tmp_path / "cache").encoded == 2
    assert pictures(tmp_path / "a") == pictures(tmp_path / "b")


def test_a_folder_at_a_pictures_place_is_told_before_anything_is_sampled(make, tmp_path):
    rows = [row(1), row(2)]
    make(rows, tmp_path / "out")
    (tmp_path / "out" / "2.png").unlink()
    (tmp_path / "out" / "2.png").mkdir()
    (tmp_path / "out" / "mine.png").mkdir()
    with pytest.raises(
        ValueError, match=r"out/2.png is a folder, and a picture is to be written there: move it"
    ):
        make(rows, tmp_path / "out")
    (tmp_path / "out" / "2.png").rmdir()
    (tmp_path / "out" / "2.png").symlink_to("nowhere")
    assert make(rows, tmp_path / "out").made == 1
    assert not (tmp_path / "out" / "2.png").is_symlink()


def test_a_full_disk_before_anything_is_sampled(make, tmp_path, monkeypatch):
    def full(self, name, content):
        raise OSError(28, "No space left on device")

    bad = [row(1), row(2, size="7x7")]
    with monkeypatch.context() as patch:
        patch.setattr(Folder, "append", full)
        with pytest.raises(ValueError, match=r"out cannot be written \(No space left on device\)"):
            make(bad, tmp_path / "out", skip_bad=True)
        patch.setattr(Folder, "write", full)
        with pytest.raises(ValueError, match=r"out cannot be written \(No space left on device\)"):
            make([row(1)], tmp_path / "out")
    assert make(bad, tmp_path / "out", skip_bad=True).done == 1


def test_a_damaged_manifest_costs_what_it_says_of(make, tmp_path):
    rows = [row(i) for i in range(4)]
    make(rows, tmp_path / "out")
    before = pictures(tmp_path / "out")
    path = tmp_path / "out" / "manifest.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(
        lines[0] + b"\xff\xfe{\n" + b"\0" * 100 + lines[1] + b"[" * 9999 + b"\n" + lines[2] + lines[3][:9]
    )
    assert make(rows, tmp_path / "out").made == 2
    assert pictures(tmp_path / "out") == before
