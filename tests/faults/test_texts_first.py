"""Two workers that encode before they paint share what they encode."""

from picturelab.batch.order import BatchOrder
from picturelab.batch.run import run
from tests.faults.harness import files, jobs, write_jobs


def test_two_workers_share_what_they_encode(tmp_path):
    rows = [{key: value for key, value in row.items() if key != "keep"} for row in jobs(12)]
    path = write_jobs(tmp_path / "jobs.jsonl", rows)
    order = dict(jobs=path, device="cpu", threads=1, batch=2)
    one = run(BatchOrder(out=str(tmp_path / "one"), **order))
    two = run(BatchOrder(out=str(tmp_path / "two"), workers=2, **order))
    assert (one.done, one.encoded) == (12, 4)
    assert (two.done, two.encoded) == (12, 4)
    assert files(tmp_path / "one") == files(tmp_path / "two")
