"""What docs/audit.md says is what the code does."""

import re
from pathlib import Path

import yaml

from benchmarks.audit import read, to_markdown
from padtone.audit.prompts import studies_folder
from padtone.audit.studies import load_study
from padtone.maths.verdict import FEWEST_PROMPTS
from picturelab.models import fingerprint
from shapeworld import WEIGHTS, model_names
from tests.tiny import painters

ROOT = Path(__file__).parents[2]
PAGE, README = (ROOT / "docs" / "audit.md").read_text(), (ROOT / "README.md").read_text()


def test_example_runs(tmp_path, monkeypatch):
    monkeypatch.setattr("padtone.families.registry._REGISTERED", dict(painters.FAMILIES))
    monkeypatch.setattr("padtone.audit.clip.Clip.load", lambda name: painters.clip())
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict = {}
    exec(block, names)
    assert names["audit"](painters.build("no register"), painters.PROMPTS, "tiny") == ("ignored", 16)
    assert (tmp_path / "report" / "report.html").is_file()


def test_readme_has_the_full_audits():
    reports = read()
    assert {
        name: len(r["settings"]["prompts_used"]) * r["settings"]["seeds"] for name, r in reports.items()
    } == (dict.fromkeys(model_names(), 128))
    for row in to_markdown(reports).splitlines():
        assert row in README
    audited = {name: report["settings"]["revision"] for name, report in reports.items()}
    assert audited == {name: fingerprint(WEIGHTS / name) for name in model_names()}, "other weights by now"


def test_tables_are_the_codes():
    assert f"fewer than {FEWEST_PROMPTS} prompts" in PAGE
    for name, title in (
        ("sd2", "SD 2"),
        ("sdxl", "SDXL"),
        ("sd3", "SD 3"),
        ("flux", "FLUX.1-schnell"),
        ("ldm", "LDM"),
    ):
        paper = load_study(name).paper
        row = [f"{paper[f'ite {arm} to_prompt']:.2f}"[1:] for arm in ("full", "prompt", "padding", "clean")]
        assert f"| {title} | {' | '.join(row)} |" in PAGE
    for kind in yaml.safe_load((studies_folder() / "prompts.yaml").read_text()):
        assert kind in " ".join(PAGE.split())
