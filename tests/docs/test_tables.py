"""Tables and figures of the documentation are the code's and the benchmarks'."""

import json
import re

import yaml

from benchmarks import shipped
from benchmarks.audit import read, to_markdown
from benchmarks.quality import RESULTS
from fouriscale.config import MODES, FouriScaleConfig
from padtone.audit.prompts import studies_folder
from padtone.audit.studies import load_study
from padtone.maths.verdict import FEWEST_PROMPTS
from picturelab.models import fingerprint
from shapeworld import WEIGHTS, model_names
from tests.docs.pages import ROOT
from tests.each_family import table as family_table

AUDIT = (ROOT / "docs" / "audit.md").read_text()
SHAPEWORLD = (ROOT / "docs" / "shapeworld.md").read_text()
SETTINGS = (ROOT / "docs" / "settings.md").read_text()
PADTONE = (ROOT / "docs" / "padtone.md").read_text()


def test_the_full_audits():
    reports = read()
    pictures = {
        name: len(report["settings"]["prompts_used"]) * report["settings"]["seeds"]
        for name, report in reports.items()
    }
    assert pictures == dict.fromkeys(model_names(), 128)
    for row in to_markdown(reports).splitlines():
        assert row in AUDIT
    audited = {name: report["settings"]["revision"] for name, report in reports.items()}
    assert audited == {name: fingerprint(WEIGHTS / name) for name in model_names()}, "other weights by now"


def test_how_often_the_shipped_models_are_right():
    found = json.loads((RESULTS / "shipped.json").read_text())
    for row in shipped.to_markdown(found["rows"]).splitlines()[:-2]:
        assert row in SHAPEWORLD
    weights = {name: fingerprint(WEIGHTS / name) for name in model_names()}
    assert found["about"]["weights"] == weights, "other weights by now"


def test_the_papers_figures():
    assert f"fewer than {FEWEST_PROMPTS} prompts" in AUDIT
    for name, title in (
        ("sd2", "SD 2"),
        ("sdxl", "SDXL"),
        ("sd3", "SD 3"),
        ("flux", "FLUX.1-schnell"),
        ("ldm", "LDM"),
    ):
        paper = load_study(name).paper
        row = [f"{paper[f'ite {arm} to_prompt']:.2f}"[1:] for arm in ("full", "prompt", "padding", "clean")]
        assert f"| {title} | {' | '.join(row)} |" in AUDIT
    for kind in yaml.safe_load((studies_folder() / "prompts.yaml").read_text()):
        assert kind in " ".join(AUDIT.split())


def test_the_modes_and_settings():
    _, modes, settings, *_ = re.split(r"^## (?:Modes|The settings)$", SETTINGS, flags=re.MULTILINE)
    rows = [
        [cell.strip() for cell in row.split("|")[1:-1]] for row in modes.splitlines() if row.startswith("| `")
    ]
    columns = ("grid", "third_branch", "attention", "late_attention", "convolution")
    assert [row[0].strip("`") for row in rows[1:]] == list(MODES)
    for (_, _, grid, branch, attention, convolution), mode in zip(rows[1:], MODES.values(), strict=True):
        kinds = {attention.strip("`")}
        assert grid.strip("`") == mode["grid"]
        assert branch == ("yes" if mode["third_branch"] else "no")
        assert {mode["attention"], mode["late_attention"]} == kinds
        assert convolution.strip("`") == ("" if mode["grid"] == "deep" else mode["convolution"])
        assert set(columns) == set(mode)
    named = re.findall(r"^\|([^|]+)\|", settings.partition("\nA file")[0], re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(named))) == set(FouriScaleConfig.model_fields)


def test_the_families_of_padtone():
    """As their entries promise; tests/each_family says whether they keep it."""
    assert family_table.table_of(PADTONE) == family_table.render({})
