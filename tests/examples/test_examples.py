"""The pictures of README's and the documentation's own commands: the checker finds every one right."""

import re
import shlex

import pytest
from PIL import Image

from fouriscale.cli import main
from fouriscale.cli.demo import next_commands
from fouriscale.sampling.recipe import read
from shapeworld import Object, Scene, check
from tests.docs.pages import ROOT

PAGES = ("README.md", "docs/command-line.md")
_CAPTION = re.compile(r"a (large|small) (\w+) (\w+) on a (\w+) background")


def commands():
    """Every `fouriscale generate` line with the shipped model, once, without what says where to and in which format."""
    text = "\n".join((ROOT / page).read_text() for page in PAGES)
    lines = [*re.findall(r"^fouriscale (generate .*)$", text, re.MULTILINE)]
    lines += [line.partition(" ")[2] for line in next_commands() if " generate " in line]
    words = [shlex.split(line, comments=True) for line in lines if "--model" not in line]
    for line in words:
        for option in {"--out", "--format", "--quality"}.intersection(line):
            del line[line.index(option) : line.index(option) + 2]
    return list(dict.fromkeys(tuple(line) for line in words if "--compare" not in line))


def scene(caption):
    """A scene with this caption; where its object lies, the caption does not say."""
    size, colour, shape, background = _CAPTION.fullmatch(caption).groups()
    return Scene((Object(shape, colour, 0.5, 0.5, 0.25 if size == "large" else 0.15, size),), background)


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_its_picture_is_right(words, tmp_path):
    with pytest.raises(SystemExit) as stopped:
        main([*words, "--out", str(tmp_path / "image.png")])
    assert not stopped.value.code
    asked = scene(read(tmp_path / "image.png")["prompt"])
    report = check(Image.open(tmp_path / "image.png"), asked)
    assert report.correct
    assert not report.repeated


def test_every_page_has_examples():
    assert len(commands()) >= 3
