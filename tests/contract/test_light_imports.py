"""What is imported with padtone's interventions needs none of the extras."""

import subprocess
import sys

import pytest

EXTRAS = (
    "PIL",
    "typer",
    "rich",
    "scipy",
    "matplotlib",
    "torchmetrics",
    "psutil",
    "jinja2",
    "gradio",
    "fsspec",
    "ray",
)
INTERVENTIONS = (
    *("attention_to_padding", "encode", "idp", "idp_arms", "ite", "mask_padding", "replace_padding"),
    *("token_roles", "trim_padding", "known_families", "register_family", "sensitivity", "attention_by_size"),
    *("AttentionShares", "Family", "TextEncoder", "TokenRoles"),
)

_LOOK = """
import sys
import torch, diffusers, transformers, yaml, numpy, pydantic
from diffusers import DiffusionPipeline, UNet2DConditionModel
before = set(sys.modules)
import padtone
for name in {names}:
    getattr(padtone, name)
print(*sorted({{name.partition(".")[0] for name in set(sys.modules) - before}}))
"""


@pytest.mark.slow
def test_interventions_import_nothing_of_the_extras():
    """Against what the libraries that are required bring by themselves, such as diffusers Pillow."""
    look = subprocess.run(
        [sys.executable, "-c", _LOOK.format(names=INTERVENTIONS)], capture_output=True, text=True, check=True
    )
    brought = set(look.stdout.split())
    assert {"padtone", "picturelab"} <= brought
    assert brought.isdisjoint(EXTRAS)
    assert brought.isdisjoint({"fouriscale", "shapeworld", "picturelab_ui"})
