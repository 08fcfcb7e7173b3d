"""What `from fouriscale import apply_fouriscale` brings with it."""

import subprocess
import sys

import pytest

# What only the command line, the page, sampling and pipelines need.
NOT_NEEDED = (
    "typer", "rich", "psutil", "gradio", "matplotlib", "PIL.ImageDraw", "fsspec.implementations.local", "jinja2",
    "diffusers.pipelines.pipeline_utils", "diffusers.modular_pipelines.modular_pipeline",
    "picturelab.models", "picturelab.batch", "shapeworld",
)  # fmt: skip


def imported(statement, names):
    """Which of these modules are there after a statement in a fresh Python."""
    script = f"import sys; {statement}; print(*(n for n in {names!r} if n in sys.modules))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


@pytest.mark.slow
def test_the_core_brings_nothing_but_the_unet():
    unet = imported("from diffusers import UNet2DConditionModel", NOT_NEEDED)
    ours = imported("from fouriscale import FouriScaleConfig, apply_fouriscale", NOT_NEEDED)
    assert ours <= unet
    assert imported("from fouriscale import save", ("PIL.Image",)) == {"PIL.Image"}  # the test can fail
