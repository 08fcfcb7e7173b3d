"""One job in twenty is poison; the others are made, and the report names each that is not."""

import pytest
import torch

import shapeworld
from picturelab.batch.progress import progress
from picturelab.batch.stores import open_store
from tests.faults.harness import entries, files, finish, jobs, write_jobs


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The shipped model, but the word "cyan" has an embedding of NaN."""
    pipe = shapeworld.load_pipeline()
    folder = tmp_path_factory.mktemp("poison") / "model"
    with torch.no_grad():
        table = pipe.text_encoder.get_input_embeddings().weight
        table[pipe.tokenizer("cyan").input_ids[1]] = torch.nan
    pipe.save_pretrained(folder)
    return folder


def test_the_other_95_percent_are_made(model, tmp_path):
    (tmp_path / "edges.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    rows = jobs(80)
    rows[5] |= dict(id="bad-size", size="65x64")
    rows[26] |= dict(id="huge", size="999992x999992")
    rows[47] |= dict(id="nan", prompt="a cyan circle on a white background")
    rows[73] |= dict(id="unreadable", control=f"some/controlnet={tmp_path / 'edges.png'}")
    del rows[47]["keep"]
    path = write_jobs(tmp_path / "jobs.jsonl", rows)
    common = (path, "--out", tmp_path / "out", "--model", model)
    assert finish(*common, log=tmp_path / "log") == 2
    told = (tmp_path / "log").read_text()
    assert "3 of 80 jobs" in told
    assert "line 6: width 65, height 64 does not fit" in told
    assert "line 27: height is 999992: must be a whole number from 8 to 32768; width is 999992: " in told
    assert "line 74: " in told
    assert not (tmp_path / "out").exists()
    assert finish(*common, "--skip-bad") == 1
    made = {name for name, entry in entries(tmp_path / "out").items() if entry["status"] == "done"}
    assert made == {row["id"] for row in rows} - {"bad-size", "huge", "nan", "unreadable"}
    assert {name.removesuffix(".png") for name in files(tmp_path / "out")} == made
    report = "\n".join(progress(open_store(str(tmp_path / "out"))).sentences())
    assert "76 of 77 done, 1 failed, 0 left, 3 bad in the jobs file" in report
    for name, reason in (
        ("bad-size", "line 6: width 65"),
        ("huge", "line 27: height is 999992: must be a whole number from 8 to 32768"),
        ("nan", "the text encoder makes NaN of the prompt 'a cyan circle"),
        ("unreadable", "line 74: "),
    ):
        assert f"  {name}: {reason}" in report
