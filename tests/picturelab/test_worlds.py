"""Worlds are found by their entry points."""

from types import SimpleNamespace

import pytest

from picturelab import worlds


@pytest.fixture
def installed(monkeypatch):
    """Has these worlds installed and no other."""

    def install(**objects):
        points = [
            SimpleNamespace(name=name, load=lambda world=world: world) for name, world in objects.items()
        ]
        monkeypatch.setattr(
            worlds.metadata, "entry_points", lambda group: points if group == worlds.GROUP else []
        )
        worlds.worlds.cache_clear()

    yield install
    worlds.worlds.cache_clear()


def test_a_model_of_an_installed_world(installed):
    marbles = object()
    installed(marbles=marbles)
    assert worlds.split("marbles/unet") == (marbles, "unet")
    assert worlds.world("marbles") is marbles
    assert worlds.split("owner/name") is None
    assert worlds.split("marbles") is None


def test_without_the_usual_world_it_says_what_brings_it(installed):
    installed()
    with pytest.raises(
        ValueError, match=r"^the model 'shapeworld/unet' is not installed; .*pip install .* brings it"
    ):
        worlds.split("shapeworld/unet")
    with pytest.raises(
        ValueError, match=r"^the world 'shapeworld' is not installed; .*pip install .* brings it"
    ):
        worlds.world()
