"""The command line: every command of `fouriscale`, in the order of its help. Three of them both instruments share."""

from __future__ import annotations

from typing import Annotated

import typer

from picturelab.cli.batch import batch, status, verify
from picturelab.cli.run import print_version

from .borders import borders
from .demo import demo
from .explain import explain
from .generate import generate
from .page import page
from .presets import presets
from .remake import remake, show
from .validate import validate

# Whatever imports torch is imported inside the commands, so that --help answers at once.
app = typer.Typer(
    help="Sample a pretrained UNet or transformer beyond its training size with FouriScale.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Sample a pretrained UNet or transformer beyond its training size with FouriScale."""


for command in (
    generate,
    show,
    remake,
    presets,
    explain,
    demo,
    validate,
    borders,
    page,
    batch,
    status,
    verify,
):
    app.command()(command)
