"""What goes into a picture besides the prompt."""

import pytest

from fouriscale.sampling.inputs import Inputs
from picturelab import extras
from picturelab.notation import Weighted


def test_a_lora_without_peft_names_the_extra(monkeypatch, tmp_path):
    file = tmp_path / "style.safetensors"
    file.touch()
    assert Inputs(loras=(Weighted(str(file)),)).loras[0].scale == 1.0
    usual = extras.find_spec
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "peft" else usual(name))
    with pytest.raises(ValueError, match=r"^a LoRA needs peft: pip install .*\[lora\]' brings it$"):
        Inputs(loras=(Weighted(str(file)),))
    assert Inputs().size is None
