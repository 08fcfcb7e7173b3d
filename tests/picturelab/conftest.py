"""What the tests of batches share: jobs files, and a run that says how it ended."""

import json
from pathlib import Path

import pytest

from picturelab.batch.order import BatchOrder
from picturelab.batch.run import run


@pytest.fixture
def jobs_file(tmp_path):
    """Writes rows as JSONL."""

    def write(rows, name="jobs.jsonl"):
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return write


@pytest.fixture
def make(jobs_file, tiny_model):
    """Runs rows with the tiny model on one thread; gives the result."""

    def made(rows, out, **settings):
        order = dict(model=str(tiny_model), device="cpu", threads=1) | settings
        return run(
            BatchOrder(jobs=rows if isinstance(rows, Path) else jobs_file(rows), out=str(out), **order)
        )

    return made
