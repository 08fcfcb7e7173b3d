"""The command `fouriscale demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from picturelab.cli.run import called, say
from picturelab.files import output_file
from picturelab.quiet import quieten

from .options import EXAMPLE, OUTPUTS


def demo(out: Annotated[Path, typer.Option(help="A file ending in .png.")] = OUTPUTS / "demo.png") -> None:
    """Direct sampling against FouriScale's fast mode with the embedded model, in one picture."""
    path = output_file(out, "demo")
    quieten()
    from ..reports.demo import demo as draw

    draw(path)
    say("\n".join(["next:", *(f"  {command}" for command in next_commands())]))


def next_commands() -> list[str]:
    """What to try after the demo, as it can be typed here."""
    return [
        f'{called("fouriscale")} generate "{EXAMPLE}" --out {OUTPUTS / "first.png"}',
        f"{called('fouriscale')} page",
    ]
