"""The command `fouriscale demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from picturelab.files import output_file
from picturelab.quiet import quieten

from .options import OUTPUTS


def demo(out: Annotated[Path, typer.Option(help="A file ending in .png.")] = OUTPUTS / "demo.png") -> None:
    """Direct sampling against FouriScale's fast mode with the embedded model, in one picture."""
    path = output_file(out, "demo")
    quieten()
    from ..reports.demo import demo as draw

    draw(path)
