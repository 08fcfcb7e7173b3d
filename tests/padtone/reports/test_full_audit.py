"""The link from an audit of few prompts to the one of many."""

import json

import pytest

from benchmarks.audit import RESULTS, read
from padtone.reports.full_audit import FULL_AUDITS, FULL_PROMPTS, KEPT, full_audit
from tests.docs.pages import ROOT

OURS = {"settings": {"model": "shapeworld/unet", "revision": "sha256:1", "prompts_used": [0, 1]}}
PAGE = KEPT / "unet" / "report.html"


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with an audit of three prompts; the current folder lies elsewhere."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    page = tmp_path / "checkout" / PAGE
    page.parent.mkdir(parents=True)
    page.write_text("<p>")
    settings = {"revision": "sha256:1", "prompts_used": [0, 1, 2]}
    page.with_suffix(".json").write_text(json.dumps({"verdict": "ignored", "settings": settings}))
    return tmp_path / "checkout"


def test_it_is_seen_from_the_folder(checkout, tmp_path):
    found = full_audit(OURS, tmp_path / "mine", checkout)
    assert found.address(tmp_path / "mine" / "report") == f"../../checkout/{PAGE.as_posix()}"
    assert (found.prompts, found.verdict) == (3, "ignored")
    assert found.sentence.endswith(f"of 3 prompts (ignored): {checkout / PAGE}")


def test_an_installed_package_looks_above_the_report_and_the_current_folder(checkout, tmp_path, monkeypatch):
    assert full_audit(OURS, checkout / "runs" / "report", None).page == checkout / PAGE
    monkeypatch.chdir(checkout / "benchmarks")
    assert full_audit(OURS, tmp_path / "report", None).page == checkout / PAGE


def test_where_it_is_in_the_repository(checkout, tmp_path):
    found = full_audit(OURS, tmp_path / "report", None)
    assert found.address(tmp_path) is None
    assert "of 64 prompts, is benchmarks/results/audit/unet/report.html in the repository." in found.sentence


@pytest.mark.parametrize(
    "change",
    [
        {"model": "some/unet"},
        {"model": "shapeworld/none"},
        {"revision": "2"},
        {"prompts_used": [0, 1, 2]},
        {"prompts_used": list(range(64))},
    ],
)
def test_another_model_or_no_more_prompts(checkout, tmp_path, change):
    assert full_audit({"settings": OURS["settings"] | change}, tmp_path, checkout) is None


def test_a_damaged_one_is_none(checkout, tmp_path):
    (checkout / PAGE).with_suffix(".json").write_text("{")
    assert full_audit(OURS, tmp_path, checkout) is None


def test_the_repository_has_them():
    prompts = {name: len(report["settings"]["prompts_used"]) for name, report in read().items()}
    assert prompts == dict.fromkeys(FULL_AUDITS, FULL_PROMPTS)
    assert RESULTS == ROOT / KEPT
