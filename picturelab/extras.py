"""What an installation may leave out, and the one sentence that says how to get it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from importlib.util import find_spec

DISTRIBUTION = "fouriscale-padtone"
_WORLD = "fouriscale-padtone-shapeworld"


# What public names need that the core does not bring, and the extra that does.
_EXTRAS = {"matplotlib": "audit", "scipy": "audit", "torchmetrics": "audit"}


def extra_of(package: str | None) -> str | None:
    """The extra that brings a package, by its import name; None where none of ours does."""
    return _EXTRAS.get(package or "")


def brings(extra: str) -> str:
    """The end of a sentence about something that an extra of ours brings."""
    return f"pip install '{DISTRIBUTION}[{extra}]' brings it"


def brings_world() -> str:
    """The same of the toy world and its models, which are a distribution of their own."""
    return f"the distribution {_WORLD} brings it: pip install ./shapeworld in a checkout of this repository"


def require(what: str, extra: str, *packages: str) -> None:
    """Refuse work that needs packages which are not installed.

    Args:
        what: who needs them, the beginning of the sentence, such as "padtone audit".
        extra: the extra that brings them.
        packages: their import names.

    Raises:
        ValueError: some are missing.
    """
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise ValueError(f"{what} needs {', '.join(missing)}: {brings(extra)}")


def exit_without_cli(command: str) -> None:
    """End a command that lacks the extra `cli`: one sentence on stderr and exit code 2."""
    try:
        # All that no required package brings, and those that one brings today.
        require(command, "cli", "accelerate", "jinja2", "PIL", "psutil", "rich", "typer")
    except ValueError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)


@contextlib.contextmanager
def quiet_interrupts() -> Iterator[None]:
    """Ctrl-C within ends a command without a traceback, exit code 130, before its own manners are imported too."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(130)
