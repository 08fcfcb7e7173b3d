"""The pictures of README's section on padding tokens, made by the very code and commands that it shows.

    make pictures            # or: python -m benchmarks.pictures

runs them in order in an empty folder and puts what they have written into docs/, with 256 colours. To be
done again whenever the shipped weights have changed; look at the pictures and at what README says of them.
"""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from picturelab.recipes import save

ROOT = Path(__file__).parents[1]
SECTION = "Padding tokens"
PICTURES = ("roles", "ite", "idp", "plain", "masked", "trimmed", "replaced")
_BLOCK = re.compile(r"^```(python)?\n(.*?)^```", re.DOTALL | re.MULTILINE)


def section(page: str, title: str) -> str:
    """A section of a Markdown page, up to the next one of its level."""
    return page.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def run_examples(text: str, shorten: Callable[[str], str] = str) -> int:
    """Run a text's Python blocks and its `padtone` command lines in order, in the current folder.

    Args:
        text: Markdown.
        shorten: is applied to every block and command line, for a test's sake.

    Returns:
        How many blocks and command lines were run.

    Raises:
        RuntimeError: a command fails.
    """
    from padtone.cli import main

    names: dict = {}
    done = 0
    for language, block in _BLOCK.findall(text):
        if language:
            exec(shorten(block), names)
            done += 1
            continue
        for line in block.splitlines():
            words = shlex.split(shorten(line), comments=True)
            if words[:1] != ["padtone"]:
                continue
            try:
                main(words[1:])
            except SystemExit as stopped:
                if stopped.code:
                    raise RuntimeError(f"{line!r} ends with exit code {stopped.code}") from None
            done += 1
    return done


def main() -> None:
    page = (ROOT / "README.md").read_text()
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
