"""What a release says of itself in several files, and the site's table of contents."""

import re
import tomllib

import yaml

from tests.docs.pages import PAGES, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_changelog_begins_with_this_version_and_goes_back():
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    versions = [heading.split()[0] for heading in headings]
    assert versions[0] == PROJECT["version"]
    numbers = [tuple(map(int, version.split("."))) for version in versions]
    assert numbers == sorted(set(numbers), reverse=True)
    for heading in headings:
        assert re.fullmatch(r"\d+\.\d+\.\d+( \((unreleased|\d{4}-\d\d-\d\d)\))?", heading)


def test_the_citation_is_of_this_version_and_of_the_papers():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (citation["version"], citation["license"]) == (PROJECT["version"], PROJECT["license"])
    readme = " ".join((ROOT / "README.md").read_text().split())
    for paper in citation["references"]:
        assert f"*{paper['title']}*" in readme
        assert paper["identifiers"][0]["value"].replace(":", " ") in readme


def test_every_page_is_in_the_sites_table_of_contents():
    nav = yaml.safe_load((ROOT / "website" / "mkdocs.yml").read_text())["nav"]
    listed = set(re.findall(r"[\w/-]+\.md", str(nav)))
    assert {page.removeprefix("docs/") for page in PAGES if page.startswith("docs/")} <= listed
    assert {"index.md", "contributing.md", "changelog.md", "security.md", "h100.md"} <= listed
