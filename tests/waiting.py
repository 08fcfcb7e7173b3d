"""Waiting for what another process or thread does, without a guess at how long it takes."""

import time


def until(true, seconds=300):
    """Wait until `true()` is; fails if that does not happen in `seconds`, far more than it could take."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
