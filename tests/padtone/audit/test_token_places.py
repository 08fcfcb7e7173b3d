"""What an encoder writes at each token behind the prompt, in models built for it."""

import pytest

from padtone.audit.token_places import token_places
from tests.tiny import painters


@pytest.mark.parametrize(("name", "alike"), [("zero padding", True), ("copying encoder", False)])
def test_padding_that_says_nothing_is_alike(name, alike, monkeypatch):
    monkeypatch.setattr("padtone.families.registry._REGISTERED", dict(painters.FAMILIES))
    (found,) = token_places(painters.build(name), painters.PROMPTS, {}).values()
    assert found["prompts"] == len(painters.PROMPTS)
    assert len(found["padding"]) == painters.LENGTH - 4, "three words and the end token"
    assert all((place["mean"] == pytest.approx(1, abs=1e-5)) == alike for place in found["padding"])
