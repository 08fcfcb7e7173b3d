import pytest
FAILED = pytest.StashKey()
RAN = pytest.StashKey()
