"""LoRA files for the tiny models, as trainers write them."""

import torch
from safetensors.torch import save_file

TEXT = "lora_te_text_model_encoder_layers_0_self_attn_"


def kohya(layer, inputs, outputs, rank=2):
    """A layer's tensors in kohya's layout; `layer` is its name with underscores, such as "lora_unet_..."."""
    return {
        f"{layer}.lora_down.weight": torch.full((rank, inputs), 0.1),
        f"{layer}.lora_up.weight": torch.full((outputs, rank), 0.1),
        f"{layer}.alpha": torch.tensor(float(rank)),
    }


def unet_layer(pipe):
    """The name of a layer that attends to the text, as diffusers has it, and its inputs and outputs."""
    name, layer = next((n, m) for n, m in pipe.unet.named_modules() if n.endswith("attn2.to_k"))
    return name, layer.in_features, layer.out_features


def of_unet(pipe):
    """A LoRA of that layer."""
    name, inputs, outputs = unet_layer(pipe)
    return kohya("lora_unet_" + name.replace(".", "_"), inputs, outputs)


def of_text_encoder(width):
    """A LoRA of a text encoder's first attention."""
    entries = {}
    for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
        entries |= kohya(TEXT + part, width, width)
    return entries


def write(path, entries):
    save_file(entries, path)
    return path
