import pytest

from fouriscale_padtone.batch.instruments import instrument
from fouriscale_padtone.batch.jobs import Job


@pytest.mark.parametrize("job", [Job(id="1", prompt="a"), Job(id="1", prompt="a", keep="padding")])
def test_every_job_finds_its_instrument_by_entry_point(job):
    found = instrument(job.instrument)
    assert type(found).__module__ == f"{job.instrument}.batch"
    found.check(job)
    assert found.chunk == job.instrument


def test_an_instrument_that_is_not_installed():
    with pytest.raises(ValueError, match="there is no instrument 'theremin' here"):
        instrument("theremin")
