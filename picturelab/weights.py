"""What a .safetensors file holds, told from its header: no weight is read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from safetensors import safe_open

from .failures import printable, reason

Shapes = dict[str, tuple[int, ...]]
"""Every tensor's name and shape."""

LORA = "a LoRA"

_PICKLE = "a pickled file under another name: pickled weights can run code and are not loaded"
# What other files begin with, and what they are.
_BEGINNINGS = {
    b"version https://git-lfs": "a Git LFS pointer, not the file itself: git lfs pull fetches that",
    b"<": "a web page or XML: download the file itself",
    b"PK\x03\x04": _PICKLE,
    b"\x80": _PICKLE,
    b"GGUF": "a GGUF file, which is not loaded",
}
# The first pattern that is in one of the names says what the file is.
_KINDS = {
    r"hada_w1": "a LoHa",
    r"lokr_w": "a LoKr",
    r"oft_(blocks|diag|r)": "an OFT",
    r"\.dora_scale$": "a DoRA in kohya's layout, which diffusers applies without its magnitudes",
    r"^lora_controlnet$": "a Control-LoRA",
    r"^(lora_)?transformer[._].*lora|(double|single|joint)_(transformer_)?blocks.*lora": (
        "a LoRA of a diffusion transformer, such as FLUX or Stable Diffusion 3"
    ),
    r"lora[._](a|b|up|down|linear_layer)\b|lora_linear_layer": LORA,
    r"\.(diff|diff_b|on_input)$": "a LyCORIS file of full weights",
    r"ip_adapter|image_proj": "an IP-Adapter",
    r"task_embedding|control_add_embedding": "a ControlNet Union",
    r"control_model|controlnet_|input_hint_block|^zero_convs": "a ControlNet",
    r"double_blocks": "a FLUX model",
    r"joint_blocks|transformer_blocks\.0\.attn\.": "a diffusion transformer, such as Stable Diffusion 3's",
    r"^model\.diffusion_model\.": "a checkpoint",
    r"(encoder|decoder)\.conv_in": "a VAE",
    r"(down|up)_blocks\.0\.(attentions|resnets)|^(input|output)_blocks": "a UNet",
    r"text_model|^encoder\.block|^transformer\.resblocks": "a text encoder",
    r"^(emb_params|clip_[gl]|<.*>|string_to_param.*)$": "a textual inversion embedding",
}


def shapes(path: Path) -> Shapes:
    """Every tensor's name and shape.

    Raises:
        ValueError: the file cannot be read as safetensors, or holds no tensor; the sentence says what it is.
    """
    try:
        with safe_open(path, framework="pt") as file:
            reader: Any = file
            entries = {key: tuple(reader.get_slice(key).get_shape()) for key in reader.keys()}  # noqa: SIM118 - no mapping
    except Exception as error:
        raise ValueError(_what_else(path, error)) from None
    if not entries:
        raise ValueError(f"{printable(str(path))} holds no tensors")
    return entries


def kind_of(entries: Shapes) -> str:
    """What tensors of such names make up, in words, such as `LORA` or "a VAE"."""
    for pattern, kind in _KINDS.items():
        if any(re.search(pattern, name, re.IGNORECASE) for name in entries):
            return kind
    if len(entries) <= 4 and all(len(shape) == 2 for shape in entries.values()):
        return "a textual inversion embedding"
    return f"of a kind that is not known here (it begins with {printable(next(iter(entries)))!r})"


def _what_else(path: Path, error: Exception) -> str:
    """What a file is that is no safetensors."""
    name = printable(str(path))
    try:
        with path.open("rb") as stream:
            beginning = stream.read(64).lstrip(b"\xef\xbb\xbf \r\n\t")
    except OSError as unreadable:
        return f"{name} cannot be read ({reason(unreadable)})"
    if not beginning:
        return f"{name} is not a readable safetensors file (it is empty)"
    for mark, kind in _BEGINNINGS.items():
        if beginning.startswith(mark):
            return f"{name} is {kind}"
    return f"{name} is not a readable safetensors file, or only the beginning of one ({reason(error)})"
