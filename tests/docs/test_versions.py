"""README, CONTRIBUTING and both distributions name the Python that everything is tested with."""

import re
import tomllib

import pytest

from tests.docs.pages import ROOT

TESTED = re.search(r"^PYTHON \?= python([\d.]+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_pages_name_it_and_no_other(page):
    assert set(re.findall(r"Python (\d[\d.]*\d)", (ROOT / page).read_text())) == {TESTED}


@pytest.mark.parametrize("folder", [".", "shapeworld"])
def test_distributions_are_classified_by_it(folder):
    project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={TESTED}"
    prefix = "Programming Language :: Python :: "
    named = {entry.removeprefix(prefix) for entry in project["classifiers"] if entry.startswith(prefix)}
    assert named == {TESTED}
