"""The command `fouriscale`."""

from collections.abc import Sequence

from picturelab.extras import exit_without_cli, quiet_interrupts


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line. Bad input is one sentence on stderr and exit code 2."""
    exit_without_cli("fouriscale")
    with quiet_interrupts():  # what is imported here takes a while
        from picturelab.cli.run import run

        from .commands import app

        run(app, arguments)
