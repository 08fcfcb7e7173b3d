"""The pictures of docs/padtone.md, made by the very code and commands that it shows.

    make pictures            # or: python -m benchmarks.pictures

runs its section "Use" in order in an empty folder and puts what that has written into docs/, with 256 colours. To be
done again whenever the shipped weights have changed; look at the pictures and at what docs/padtone.md says of them.
"""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import tempfile
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from picturelab.recipes import save

ROOT = Path(__file__).parents[1]
SECTION = "Use"
PICTURES = ("roles", "ite", "idp", "plain", "masked", "trimmed", "replaced")
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A fenced block of a Markdown page: the language it is marked with, its text, the line of its fence."""

    language: str
    text: str
    line: int


def blocks(page: str) -> list[Block]:
    """All of a page's blocks, in order."""
    return [
        Block(match[1], match[2], page.count("\n", 0, match.start()) + 1) for match in _BLOCK.finditer(page)
    ]


def section(page: str, title: str) -> str:
    """A section of a Markdown page, up to the next one of its level."""
    return page.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def run_examples(text: str) -> None:
    """Run a text's Python blocks and its `padtone` command lines in order, in the current folder.

    Raises:
        RuntimeError: a command fails.
    """
    from padtone.cli import main

    names: dict = {}
    for block in blocks(text):
        if block.language == "python":
            exec(block.text, names)
            continue
        for line in block.text.splitlines():
            try:
                main(shlex.split(line, comments=True)[1:])
            except SystemExit as end:
                if end.code:
                    raise RuntimeError(f"{line!r} ends with exit code {end.code}") from None


def main() -> None:
    page = (ROOT / "docs" / "padtone.md").read_text()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        run_examples(section(page, SECTION))
        for name in PICTURES:
            with Image.open(f"{name}.png") as picture:
                recipe = picture.info.get("padtone")
                few = picture.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE)
            save(few, ROOT / "docs" / f"{name}.png", json.loads(recipe) if recipe else None, "padtone")
    print(f"wrote {', '.join(f'docs/{name}.png' for name in PICTURES)}")


if __name__ == "__main__":
    main()
