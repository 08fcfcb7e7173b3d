"""The nodes for ComfyUI, the settings and the mathematics load where there is neither diffusers nor transformers."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# ComfyUI loads a folder of nodes by its path, under that as its name.
_SCRIPT = """
import importlib, importlib.util, pkgutil, sys
sys.modules |= dict.fromkeys(["diffusers", "transformers", "accelerate", "comfy"])
import fouriscale.maths
for room in pkgutil.iter_modules(fouriscale.maths.__path__, "fouriscale.maths."):
    importlib.import_module(room.name)
from fouriscale import FouriScaleConfig, PositionConfig, config_kinds, preset_names, presets
kinds = {"unet": FouriScaleConfig, "transformer": PositionConfig}
for denoiser, kind in kinds.items():
    assert [kind.preset(name) for name in preset_names(denoiser)]
folder = sys.argv[1]
spec = importlib.util.spec_from_file_location(folder, folder + "/__init__.py")
nodes = sys.modules[folder] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(nodes)
for node in nodes.NODE_CLASS_MAPPINGS.values():
    node.INPUT_TYPES()
try:
    fouriscale.apply_fouriscale
except ModuleNotFoundError as error:
    print(sorted(nodes.NODE_CLASS_MAPPINGS), error.name)
"""


@pytest.mark.slow
def test_nodes_settings_and_mathematics_load():
    """And `apply_fouriscale` does not, so they are away indeed."""
    script = [sys.executable, "-c", _SCRIPT, str(ROOT / "comfyui")]
    ran = subprocess.run(script, capture_output=True, text=True, cwd=ROOT)
    assert ran.stderr == ""
    assert ran.stdout == "['FouriScale', 'FouriScaleWrap'] diffusers\n"
