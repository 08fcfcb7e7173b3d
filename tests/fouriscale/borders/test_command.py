"""`fouriscale borders` on a tiny random UNet: its report, how it goes on, and what it refuses."""

import functools
import json
import re

import pytest
import yaml
from PIL import Image

from fouriscale.borders import GROUPS
from fouriscale.borders import run as borders_run
from fouriscale.borders import settings as borders_settings
from fouriscale.cli import main
from tests.tiny import unet_pipelines as models


@pytest.fixture
def run(run_command):
    return functools.partial(run_command, main, "borders")


@pytest.fixture
def words(tmp_path, monkeypatch):
    """Options for a small model and small pictures, in the current folder, and few inputs."""
    monkeypatch.setattr(borders_settings, "_QUICK", (GROUPS, (0.5,)))
    monkeypatch.setattr(borders_run, "PROBES", GROUPS)
    blocks = dict(down_block_types=["DownBlock2D"] * 2, up_block_types=["UpBlock2D"] * 2)
    models.pipeline("SD", unet=models.unet("SD", **blocks)).save_pretrained(tmp_path / "model")
    (tmp_path / "own.yaml").write_text(
        yaml.safe_dump(models.CONFIG.replace(training_sizes=[[64, 64]]).to_dict())
    )
    (tmp_path / "pictures").mkdir()
    for i in range(GROUPS):
        models.picture(i % 3).rotate(40 * i).save(tmp_path / "pictures" / f"{i}.png")
    return (
        "--model",
        "model",
        "--preset",
        "own.yaml",
        "--pictures",
        "pictures",
        "--device",
        "cpu",
        "--out",
        "report",
    )


@pytest.mark.slow
def test_a_report_and_how_a_killed_run_goes_on(run, words, tmp_path):
    code, said, err = run(*words, "--quick")
    assert code == 0, err
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    first, second = report["sentences"]
    assert said.splitlines() == [first, second, "report/report.html"]
    assert "the fixed pattern that zero padding alone writes into the maps of model has" in first
    by_title = {way["title"]: way for way in report["ways"]}
    assert {"direct, 4x", "dilated, reflect, 2x", "deep grid, 2x", "wrapped, 1x"} <= set(by_title)
    assert by_title["wrapped, 1x"]["signal"]["high"] < 1e-6
    assert by_title["direct, 1x"]["signal"]["value"] > 1e-6
    assert list(by_title["direct, 1x"]["error"]["bands"]) == ["0", "1", "2 to 3"]
    assert by_title["direct, 4x"]["error"] is None
    page = (tmp_path / "report" / "report.html").read_text()
    assert "The latents are of the pictures in pictures, cut and resized" in page
    assert (
        len(re.findall("data:image/svg", page)) == 3 + 3 + 3 + 2 + 2
    )  # four sets of charts, two colour scales

    pieces = tmp_path / "report" / "pieces"
    gone, damaged = pieces / "position-deep-grid-2x-500.json", pieces / "error-direct-2x-500.json"
    gone.unlink()
    damaged.write_text('{"direct": 1}')
    before = {path: path.stat().st_mtime_ns for path in pieces.iterdir()}
    assert run(*words, "--quick")[0] == 0
    after = {path: path.stat().st_mtime_ns for path in pieces.iterdir()}
    assert {path for path in after if after[path] != before.get(path)} == {gone, damaged}
    assert json.loads((tmp_path / "report" / "report.json").read_text()) == report
    code, _, err = run(*words, "--quick", "--seed", "1")
    assert (code, "holds a report on borders begun with seed 0 instead of 1" in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("--model", "shapeworld/joint"),
            "model=shapeworld/joint: has a transformer, which has no convolutions",
        ),
        (("--model", "sdxl"), "'sdxl' is a preset"),
        (("--seed", "-1"), "seed=-1: must be a whole number from 0 to"),
        (("--dtype", "int8"), "unknown dtype 'int8'"),
        (("--pictures", "absent"), "pictures=absent: is no folder; give one that holds pictures"),
        (("--pictures", "."), "pictures=.: holds 1 pictures; give a folder with 8 or more"),
        (("--out", "one.png"), "one.png is a file; give an empty or a new folder"),
    ],
)
def test_bad_input_is_a_sentence(run, tmp_path, words, sentence):
    Image.new("RGB", (8, 8)).save(tmp_path / "one.png")
    given = words if "--out" in words else (*words, "--out", "report")
    code, _, err = run(*given)
    assert (code, sentence in err.replace("\n", " ")) == (2, True), err
    assert not (tmp_path / "report").exists()
