"""The link from an audit of few prompts to the one of many."""

import json

import pytest

from padtone.reports.full_audit import full_audit

OURS = {"settings": {"model": "shapeworld/unet", "revision": "sha256:1", "prompts_used": [0, 1]}}


@pytest.fixture
def kept(tmp_path):
    """A folder with an audit of three prompts."""
    folder = tmp_path / "kept" / "unet"
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("<p>")
    settings = {"revision": "sha256:1", "prompts_used": [0, 1, 2]}
    (folder / "report.json").write_text(json.dumps({"verdict": "ignored", "settings": settings}))
    return tmp_path / "kept"


def test_it_is_seen_from_the_folder(kept, tmp_path):
    assert full_audit(OURS, tmp_path / "mine" / "report", kept) == {
        "address": "../../kept/unet/report.html",
        "prompts": 3,
        "verdict": "ignored",
    }


@pytest.mark.parametrize(
    "change",
    [{"model": "some/unet"}, {"model": "shapeworld/joint"}, {"revision": "2"}, {"prompts_used": [0, 1, 2]}],
)
def test_another_model_or_no_more_prompts(kept, tmp_path, change):
    assert full_audit({"settings": OURS["settings"] | change}, tmp_path, kept) is None


def test_a_damaged_one_is_none(kept, tmp_path):
    (kept / "unet" / "report.json").write_text("{")
    assert full_audit(OURS, tmp_path, kept) is None
