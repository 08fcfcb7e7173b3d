import pytest

from picturelab.batch.instruments import instrument
from picturelab.batch.jobs import Job


@pytest.mark.parametrize(
    ("job", "home"),
    [
        (Job(id="1", prompt="a"), "fouriscale.sampling.batch"),
        (Job(id="1", prompt="a", keep="padding"), "padtone.runs.batch"),
    ],
)
def test_every_job_finds_its_instrument_by_entry_point(job, home):
    found = instrument(job.instrument)
    assert type(found).__module__ == home
    found.check(job)
    assert found.chunk == job.instrument


def test_an_instrument_that_is_not_installed():
    with pytest.raises(ValueError, match="there is no instrument 'theremin' here"):
        instrument("theremin")
