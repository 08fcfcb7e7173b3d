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
import fouriscale, shapeworld
fouriscale.apply_fouriscale(shapeworld.load_pipeline("unet"), mode="fast")
"""


@pytest.fixture(scope="module")
def look():
    """A fresh Python that imports the interventions, and then loads a shipped model."""
    script = _LOOK.format(names=INTERVENTIONS)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)


@pytest.mark.slow
def test_interventions_import_nothing_of_the_extras(look):
    """Against what the libraries that are required bring by themselves, such as diffusers Pillow."""
    brought = set(look.stdout.split())
    assert {"padtone", "picturelab"} <= brought
    assert brought.isdisjoint(EXTRAS)
    assert brought.isdisjoint({"fouriscale", "shapeworld", "picturelab_ui"})


@pytest.mark.slow
def test_nothing_is_printed(look):
    """No bar and no note of diffusers or transformers, such as that torchvision is not installed."""
    assert look.stderr == ""
    assert look.stdout.count("\n") == 1
