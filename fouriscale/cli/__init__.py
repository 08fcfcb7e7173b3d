"""The command `fouriscale`."""

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line. Bad input is one sentence on stderr and exit code 2."""
    from picturelab.cli.run import run

    from .commands import app

    run(app, arguments)
