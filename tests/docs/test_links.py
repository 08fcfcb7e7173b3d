"""Links, pictures and file names of the documentation lead somewhere, and README stays short."""

import re
from pathlib import Path

import pytest

from benchmarks.pictures import blocks
from tests.docs.pages import PAGES, ROOT

SOURCES = [
    path
    for room in (
        "fouriscale",
        "padtone",
        "picturelab",
        "picturelab_ui",
        "shapeworld",
        "benchmarks",
        "tests",
        "configs",
    )
    for kind in ("*.py", "*.yaml", "*.j2")
    for path in sorted((ROOT / room).rglob(kind))
] + [ROOT / "app.py", ROOT / "Makefile", ROOT / "pyproject.toml"]


def anchors(path: Path) -> set[str]:
    """The headings of a page as links name them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"(?ms)^```.*?^```$", "", path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def leads_somewhere(target: Path, anchor: str) -> bool:
    return target.exists() and (not anchor or anchor in anchors(target))


@pytest.mark.parametrize("page", PAGES)
def test_links_and_pictures(page):
    text = re.sub(r"(?ms)^```.*?^```$", "", (ROOT / page).read_text())
    for link in re.findall(r"(?<=\]\()[^)\s]+|(?<=src=\")[^\"]+", text):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert leads_somewhere(target, anchor), link


def test_code_names_pages_that_are_there():
    links = {
        (path, link)
        for path in SOURCES
        for link in re.findall(r"\bdocs/[\w-]+\.md(?:#[\w-]+)?", path.read_text())
    }
    assert len(links) > 10
    for path, link in links:
        page, _, anchor = link.partition("#")
        assert leads_somewhere(ROOT / page, anchor), f"{path}: {link}"


def test_readme_is_short_and_says_at_once_how_to_install():
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 150
    assert any(line.startswith("pip install") for line in lines[:25])
    pages = {f"docs/{path.name}" for path in ROOT.glob("docs/*.md")}
    assert pages <= set(re.findall(r"\]\(([^)\s#]+)", "\n".join(lines))), "README links every page"


@pytest.mark.parametrize("page", ["docs/how-it-works.md", "CONTRIBUTING.md"])
def test_file_names(page):
    names = re.findall(r"`([\w./-]+/[\w./-]*)`", (ROOT / page).read_text())
    assert len(names) > 10
    assert [name for name in names if not (ROOT / name).exists()] == []


def test_files_in_the_picture():
    picture = (ROOT / "docs" / "how-it-works.svg").read_text()
    names = re.findall(r'class="file"[^>]*>([^<]*)<', picture)
    files = [name for group in names for name in re.findall(r"\w+/\w+\.py", group)]
    assert len(files) > 5
    for name in files:
        assert [room for room in ("fouriscale", "padtone") if (ROOT / room / name).is_file()], name


def test_the_tree_of_rooms_is_the_repository():
    (tree,) = [
        block.text for block in blocks((ROOT / "CONTRIBUTING.md").read_text()) if block.language == "text"
    ]
    rooms: dict[str, set[str]] = {}
    for line in tree.splitlines():
        indent, names = re.match(r"( *)((?:\w+/ ?)+)", line).groups()
        for name in names.replace(" ", "").strip("/").split("/"):
            if not indent:
                house = name
                rooms[house] = set()
            else:
                rooms[house].add(name)
    for house in rooms:
        assert (ROOT / house).is_dir(), house
    for house in ("fouriscale", "padtone", "picturelab"):
        there = {path.parent.name for path in (ROOT / house).glob("*/__init__.py")}
        assert rooms[house] == there
    for room in rooms["tests"]:
        assert (ROOT / "tests" / room).is_dir(), room
