"""Comes first: what the package leans on in torch and diffusers without their promise."""

from pathlib import Path

import diffusers
import pytest
import torch
from torch import nn

import fouriscale
from tests.contract import upstream
from tests.contract.upstream import LEANS


@pytest.mark.parametrize("lean", LEANS, ids=lambda lean: lean.what.replace(" ", "_"))
def test_still_there(lean):
    try:
        holds = lean.holds()
    except Exception as error:
        holds, why = False, f" ({type(error).__name__}: {error})"
    else:
        why = ""
    assert holds, (
        f"moved in diffusers {diffusers.__version__} or torch {torch.__version__}: {lean.what}{why}; "
        f"{lean.needed_by} needs it"
    )


def test_the_check_notices(monkeypatch):
    monkeypatch.setattr(nn.Conv2d, "forward", lambda self, x: x + 1)
    assert not upstream.LEANS[0].holds()
    monkeypatch.delattr(diffusers.StableDiffusionPipeline, "do_classifier_free_guidance")
    failing = [lean.what for lean in LEANS if "do_classifier" in lean.what]
    with pytest.raises(AttributeError):
        next(lean for lean in LEANS if lean.what == failing[0]).holds()


def test_every_module_named_is_one_of_ours():
    package = Path(fouriscale.__file__).parent
    ours = {file.relative_to(package).as_posix() for file in package.rglob("*.py")}
    assert {lean.needed_by for lean in LEANS} <= ours
