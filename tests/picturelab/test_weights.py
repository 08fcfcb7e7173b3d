"""What a .safetensors file is, told from the names of its tensors or from its first bytes."""

import json
import struct

import pytest

from picturelab.weights import LORA, kind_of, shapes

UNET = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
KOHYA = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
NAMES = {  # one tensor's name of a file of each kind
    f"{KOHYA}.lora_down.weight": LORA,
    f"unet.{UNET}.lora_A.weight": LORA,
    f"unet.{UNET}.lora.down.weight": LORA,
    "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_q_lora.down.weight": LORA,
    "text_encoder.text_model.encoder.layers.0.mlp.fc1.lora_linear_layer.down.weight": LORA,
    "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_up.weight": LORA,
    f"{KOHYA}.hada_w1_a": "a LoHa",
    f"{KOHYA}.lokr_w1": "a LoKr",
    f"{KOHYA}.oft_blocks": "an OFT",
    f"{KOHYA}.dora_scale": "a DoRA in kohya's layout, which diffusers applies without its magnitudes",
    f"{KOHYA}.diff": "a LyCORIS file of full weights",
    "lora_controlnet": "a Control-LoRA",
    "transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight": "a LoRA of a diffusion transformer",
    "lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": "a LoRA of a diffusion transformer",
    "lora_transformer_single_transformer_blocks_0_attn_to_k.lora_down.weight": "a LoRA of a diffusion transformer",
    "transformer.transformer_blocks.0.attn.to_q.lora_A.weight": "a LoRA of a diffusion transformer",
    "ip_adapter.1.to_k_ip.weight": "an IP-Adapter",
    "task_embedding": "a ControlNet Union",
    "controlnet_down_blocks.0.weight": "a ControlNet",
    "control_model.input_hint_block.0.weight": "a ControlNet",
    "double_blocks.0.img_attn.qkv.weight": "a FLUX model",
    "model.diffusion_model.double_blocks.0.img_attn.qkv.weight": "a FLUX model",
    "model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight": "a diffusion transformer",
    "transformer_blocks.0.attn.to_q.weight": "a diffusion transformer",
    "model.diffusion_model.input_blocks.0.0.weight": "a checkpoint",
    f"{UNET}.weight": "a UNet",
    "encoder.conv_in.weight": "a VAE",
    "first_stage_model.decoder.conv_in.weight": "a VAE",
    "text_model.embeddings.token_embedding.weight": "a text encoder",
    "emb_params": "a textual inversion embedding",
    "<cat-toy>": "a textual inversion embedding",
    "something.else": "of a kind that is not known here (it begins with 'something.else')",
}


@pytest.mark.parametrize("name", NAMES)
def test_kinds(name):
    assert kind_of({name: (2, 3, 1, 1)}).startswith(NAMES[name])


def test_what_decides_stands_anywhere_in_the_file():
    plain = {f"{KOHYA}.lora_down.weight": (2, 8), f"{KOHYA}.lora_up.weight": (8, 2), f"{KOHYA}.alpha": ()}
    assert kind_of(plain) == LORA
    assert kind_of(plain | {f"{KOHYA}.dora_scale": (8, 1)}).startswith("a DoRA")
    vae = {"encoder.conv_in.weight": (8, 3, 3, 3), "decoder.up_blocks.0.resnets.0.conv1.weight": (8, 8, 3, 3)}
    assert kind_of(vae) == "a VAE"
    assert kind_of({"my-word": (1, 768)}) == "a textual inversion embedding"


def safetensors(entries, length=None):
    header = json.dumps(entries).encode()
    return struct.pack("<Q", len(header) if length is None else length) + header


ENTRY = {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
NO_WEIGHTS = {
    "empty": (b"", r"is not a readable safetensors file \(it is empty\)"),
    "no tensors": (safetensors({}), "holds no tensors"),
    "garbage": (b"\xff" * 7 + b"\x7f{}", "is not a readable safetensors file, or only the beginning of one"),
    "half": (safetensors(ENTRY) + b"\0" * 4, "is not a readable safetensors file, or only the beginning"),
    "pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        "is a Git LFS pointer, not the file itself",
    ),
    "page": (b"\n<!DOCTYPE html><html>", "is a web page or XML: download the file itself"),
    "zip": (b"PK\x03\x04" + b"\0" * 40, "is a pickled file under another name"),
    "pickle": (b"\x80\x02}q\0." + b"\0" * 40, "is a pickled file under another name"),
    "gguf": (b"GGUF\3\0\0\0" + b"\0" * 40, "is a GGUF file"),
    "text": (b"hello\n", "is not a readable safetensors file"),
}


@pytest.mark.parametrize("name", NO_WEIGHTS)
def test_what_is_no_safetensors(tmp_path, name):
    content, sentence = NO_WEIGHTS[name]
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=rf"a\.safetensors {sentence}") as caught:
        shapes(tmp_path / "a.safetensors")
    assert "\n" not in str(caught.value)


def test_shapes(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(safetensors(ENTRY) + b"\0" * 8)
    assert shapes(tmp_path / "a.safetensors") == {"a": (2,)}
