"""What goes into a picture besides the prompt."""

import pytest
import torch
from safetensors.torch import save_file

from fouriscale.sampling.inputs import Inputs
from picturelab import extras
from picturelab.notation import Weighted


def test_a_lora_without_peft_names_the_extra(monkeypatch, tmp_path):
    file = tmp_path / "style.safetensors"
    save_file({"lora_unet_mid_block.lora_down.weight": torch.zeros(2, 4)}, file)
    assert Inputs(loras=(Weighted(str(file)),)).loras[0].scale == 1.0
    usual = extras.find_spec
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "peft" else usual(name))
    with pytest.raises(ValueError, match=r"^a LoRA needs peft: pip install .*\[lora\]' brings it$"):
        Inputs(loras=(Weighted(str(file)),))
    assert Inputs().size is None
