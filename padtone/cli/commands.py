"""The command line: padtone audit, advise, roles, sensitivity, attention ...; each in a file of its own."""

from __future__ import annotations

from typing import Annotated

import typer

from picturelab.cli.run import print_version

from .advise import advise
from .attention import attention
from .audit import audit
from .idp import idp
from .ite import ite
from .remake import remake
from .replace import replace
from .roles import roles
from .sensitivity import sensitivity

app = typer.Typer(
    help="See, swap, mask and trim the padding tokens of text-to-image models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

for command in (audit, advise, roles, sensitivity, attention, ite, idp, replace, remake):
    app.command()(command)


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """See, swap, mask and trim the padding tokens of text-to-image models."""
