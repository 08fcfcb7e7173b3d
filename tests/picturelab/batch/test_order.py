"""What a batch is asked for."""

import pickle

import pytest

from picturelab.batch.order import BatchOrder
from picturelab.batch.worker import WorkerSettings


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"batch": 0}, "batch=0: must be a whole number from 1 to 1024"),
        ({"workers": -1}, "workers=-1: must be a whole number from 1 to 1024"),
        ({"engine": "spark"}, "engine is 'spark'; it can be local or ray"),
        ({"address": "auto"}, "address is 'auto', which is for --engine ray"),
        (
            {"out": "memory://a", "workers": 2},
            "memory://a lies in the memory of this process, so it takes one",
        ),
    ],
)
def test_what_does_not_fit_is_refused(values, sentence):
    with pytest.raises(ValueError) as failure:  # noqa: PT011 (compared below)
        BatchOrder(**{"jobs": "jobs.jsonl", "out": "out"} | values)
    assert str(failure.value).startswith(sentence)


def test_workers_get_their_settings_whole():
    settings = WorkerSettings(device="cuda", dtype="float16", threads=2, store="out", encodings="cache")
    there = pickle.loads(pickle.dumps(settings.model_copy(update={"device": "cuda:1"})))
    assert there == WorkerSettings(
        device="cuda:1", dtype="float16", threads=2, store="out", encodings="cache"
    )
