"""`python -m benchmarks.speed`."""

import typer

from .command import main

if __name__ == "__main__":
    typer.run(main)
