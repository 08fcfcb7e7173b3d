"""The README's examples for other pipelines, adapters, samplers and memory tools, run as they stand."""

import re
from pathlib import Path

import pytest
import torch
from diffusers import ControlNetModel, StableDiffusionPipeline
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from PIL import Image

import shapeworld
from fouriscale.hooks.patch import current_state

README = Path(__file__).parents[2] / "README.md"


def section(title):
    """The Python blocks under a heading, up to the next one."""
    text = README.read_text().split(f"### {title}\n")[1]
    text = re.split(r"^#", re.sub(r"(?ms)^```.*?^```", lambda m: m[0].replace("#", "\0"), text), flags=re.M)[
        0
    ]
    return [block.replace("\0", "#") for block in re.findall(r"(?ms)^```python\n(.*?)^```", text)]


@pytest.fixture
def files(tmp_path, monkeypatch):
    """What the examples read: a picture, a ControlNet, a LoRA."""
    Image.new("RGB", (128, 128), "navy").save(tmp_path / "start.png")
    unet = shapeworld.load_pipeline().unet
    ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(4, 4, 4)).save_pretrained(
        tmp_path / "controlnet"
    )
    torch.manual_seed(0)
    unet.add_adapter(LoraConfig(r=2, target_modules=["to_q", "conv1"], init_lora_weights=False))
    StableDiffusionPipeline.save_lora_weights(
        tmp_path, get_peft_model_state_dict(unet), weight_name="style.safetensors"
    )
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("files")
def test_the_examples_run():
    blocks = section("Wherever a UNet pipeline goes")
    assert len(blocks) == 8
    space, active = {}, []
    for number, block in enumerate(blocks):
        space.pop("image", None)
        exec(compile(block, f"README block {number}", "exec"), space)
        if "image" in space:
            active.append(space["image"].size)
        if number == 0:
            space["pipe"].set_progress_bar_config(disable=True)
            assert current_state(space["pipe"])
    assert active == [(256, 256)] * 5
    assert current_state(space["pipe"]) is None
    assert space["sizes"]["target_size"] == (1024, 1024)
