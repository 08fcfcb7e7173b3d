"""The greatest seed of each tab: torch's own, and one less where the next seed is needed too."""

import pytest

from picturelab.bounds import BOUNDS
from picturelab_ui.high_resolution import order as high_resolution
from picturelab_ui.host import Host
from picturelab_ui.padding_tokens import order as padding_tokens
from picturelab_ui.shapeworld import order as shapeworld
from picturelab_ui.workshop import Workshop

MOST = int(BOUNDS["seed"].most)
PADDING = {"prompt": "a red circle", "model": "shapeworld/unet", "steps": 1, "arms": ["full"]}
SCENE = {"number": 1, "objects": "either", "size": "128 x 128", "steps": 1}


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    workshop = Workshop(Host(output=tmp_path_factory.mktemp("output")))
    yield workshop
    workshop.runner.close()


@pytest.mark.parametrize(
    ("most", "problems"),
    [
        (MOST, lambda workshop, seed: shapeworld.problems(workshop, SCENE | {"seed": seed})),
        (MOST - 1, lambda workshop, seed: padding_tokens.problems(workshop, PADDING | {"seed": seed}, [])),
        (
            MOST,
            lambda workshop, seed: high_resolution.problems(
                workshop, high_resolution.start(workshop) | {"seed": seed}
            ),
        ),
    ],
    ids=["Shapeworld", "Padding tokens", "High resolution"],
)
def test_the_greatest_seed_is_taken_and_one_more_is_refused(workshop, most, problems):
    assert problems(workshop, most) == {}
    assert problems(workshop, most + 1) == {"seed": f"seed={most + 1}: must be from 0 to {most}"}
    assert problems(workshop, -1) == {"seed": f"seed=-1: must be from 0 to {most}"}
