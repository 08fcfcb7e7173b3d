"""Names of the pictures' files, written and read back."""

import pytest

from picturelab_ui.jobs.files import DIRECT, SCALED, method_of, pair, sampled_file, seed_of
from picturelab_ui.jobs.page_job import PageJob


@pytest.fixture
def files(tmp_path):
    """A job's files, {method: file}, of a prompt that looks like the rest of the name."""
    job = PageJob(lambda _: None, "", "")
    return {method: sampled_file(tmp_path, "8-direct", 31, job, method) for method in (SCALED, DIRECT)}


def test_a_name_tells_seed_and_method(files):
    assert {seed_of(file) for file in files.values()} == {"31"}
    assert {method: method_of(file) for method, file in files.items()} == {SCALED: SCALED, DIRECT: DIRECT}


def test_a_pair_is_found_from_either_file(files):
    scaled, direct = files[SCALED], files[DIRECT]
    assert pair(scaled) == (None, None)
    direct.touch()
    assert pair(scaled) == (None, direct)
    scaled.touch()
    assert pair(scaled) == pair(direct) == (scaled, direct)
