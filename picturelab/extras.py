"""What an installation may leave out, and the one sentence that says how to get it."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

DISTRIBUTION = "fouriscale-padtone"
WORLD = "fouriscale-padtone-shapeworld"
_WORLD_FOLDER = "shapeworld"  # of a checkout, where that distribution lies
_URL = "URL"  # what stands for the repository's address where nobody has told it


# What public names need that the core does not bring, and the extra that does.
_EXTRAS = {"matplotlib": "audit", "scipy": "audit", "torchmetrics": "audit"}


def extra_of(package: str | None) -> str | None:
    """The extra that brings a package, by its import name; None where none of ours does."""
    return _EXTRAS.get(package or "")


def brings(extra: str) -> str:
    """The end of a sentence about something that an extra of ours brings."""
    return _brings(install_command(extra))


def brings_world() -> str:
    """The same of the toy world and its models, which are a distribution of their own."""
    return _brings(install_command(world=True))


def install_command(extra: str = "", *, world: bool = False) -> str:
    """The command that installs an extra, or the toy world, from where this project came from.

    That is a checkout, a git repository or a wheel's file, as pip has noted it; no package index has the project.

    Args:
        extra: its name.
        world: whether it is for the toy world's distribution.
    """
    options, requirement = _requirement(f"[{extra}]" if extra else "", world)
    return " ".join([_pip(), "install", *options, shlex.quote(requirement)])


def _requirement(extra: str, world: bool) -> tuple[list[str], str]:
    """pip's options, and what it is asked to install."""
    name, part = (WORLD, f"#subdirectory={_WORLD_FOLDER}") if world else (DISTRIBUTION, "")
    origin = _origin()
    path = Path(unquote(urlsplit(origin.get("url", "")).path)) if "vcs_info" not in origin else Path()
    if (path / "pyproject.toml").is_file() and path.is_absolute():
        folder = Path(os.path.relpath(path)) if path.is_relative_to(Path.cwd()) else path
        constraints = ["-c", shlex.quote(str(folder / "constraints.txt"))]
        target = os.path.join(os.curdir, folder, _WORLD_FOLDER) if world else str(folder)
        return constraints if (path / "constraints.txt").is_file() else [], f"{target}{extra}"
    if path.suffix == ".whl" and path.is_file() and not world:
        return [], f"{path}{extra}"
    url = origin["url"] if "vcs_info" in origin else _URL
    return [], f"{name}{extra} @ git+{url}{part}"


def _origin() -> dict[str, str]:
    """Where pip has installed this project from; empty where it has not noted that."""
    with contextlib.suppress(metadata.PackageNotFoundError):
        return dict(json.loads(metadata.distribution(DISTRIBUTION).read_text("direct_url.json") or "{}"))
    return {}


def _pip() -> str:
    """The word that calls this Python's pip."""
    found = shutil.which("pip")
    beside = found is not None and Path(found).parent == Path(sys.executable).parent
    return "pip" if beside else f"{shlex.quote(sys.executable)} -m pip"


def _brings(command: str) -> str:
    about = f", with this repository's address for {_URL}" if f"git+{_URL}" in command else ""
    return f"{command} brings it{about}"


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
