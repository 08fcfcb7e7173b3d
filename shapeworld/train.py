"""Train a shapeworld model: `python -m shapeworld.train configs/training/unet.yaml`.

On several cores, one process a core is faster than one process with several threads:
`torchrun --nproc-per-node 2 -m shapeworld.train ...`.
A killed run goes on from its last checkpoint when the same command is given again.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

_NEEDED = ("accelerate", "pydantic", "rich", "typer", "yaml")  # of the extra `train`


def main() -> None:
    """Run the command line; exit code 2 and one sentence on stderr where the extra is missing."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        print(
            f"Error: training needs {', '.join(missing)}: "
            "pip install './shapeworld[train]' in a checkout of this repository brings it",
            file=sys.stderr,
        )
        sys.exit(2)
    import typer

    from .training import command

    typer.run(command.main)


if __name__ == "__main__":
    main()
