"""Stable Diffusion checkpoints in one .safetensors file, loaded without network.

`components/` holds what such a file leaves out: the settings of each family's parts, and CLIP's tokenizer.
"""

from __future__ import annotations

import json
from pathlib import Path

import diffusers
import torch
from transformers import CLIPTokenizer

from picturelab import weights
from picturelab.failures import reason
from picturelab.model_folder import check_complete
from picturelab.quiet import silence

COMPONENTS = Path(__file__).parent / "components"
_SD2 = ("sd21", "sd21-768")  # alike in every key and shape

# What each family's padding token is; the second tokenizer is SDXL's OpenCLIP one.
_PADDING = {
    "sd15": {"tokenizer": "<|endoftext|>"},
    "sd21": {"tokenizer": "!"},
    "sd21-768": {"tokenizer": "!"},
    "sdxl": {"tokenizer": "<|endoftext|>", "tokenizer_2": "!"},
}

# Checkpoint keys that tell the families apart.
_UNET_INPUT = "model.diffusion_model.input_blocks.0.0.weight"
_CROSS_ATTENTION = "model.diffusion_model.input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight"
_SDXL_TEXT = "conditioner.embedders.1.model.text_projection"
_VAE = "first_stage_model.decoder.conv_in.weight"
_OTHER_OBJECTIVE = {"edm_mean": "Playground 2.5", "v_pred": "an SDXL model with v-prediction"}


def load(path: Path, dtype: torch.dtype, preset: str | None = None) -> diffusers.DiffusionPipeline:
    """A pipeline from a checkpoint in Stable Diffusion's original layout.

    Args:
        path: the .safetensors file.
        dtype: of the weights.
        preset: "sd21" or "sd21-768" where a Stable Diffusion 2 file does not tell; otherwise not needed.

    Raises:
        ValueError: the file is damaged, incomplete, or of another family.
    """
    family = recognise(path, preset)
    folder = COMPONENTS / family
    index = json.loads((folder / "model_index.json").read_text())
    pipeline_class = getattr(diffusers, index["_class_name"])
    try:
        with silence():
            pipe = pipeline_class.from_single_file(
                str(path), config=str(folder), dtype=dtype, local_files_only=True, **tokenizers(family)
            )
    except NotImplementedError:  # torch, on moving a parameter that no tensor has filled
        raise ValueError(f"{path} is incomplete: tensors of its UNet or VAE are missing") from None
    except Exception as error:
        raise ValueError(f"{path} cannot be loaded ({reason(error)})") from error
    check_complete(pipe, str(path))
    return pipe


def tokenizers(family: str) -> dict[str, CLIPTokenizer]:
    """The family's tokenizers by component name, from the one vocabulary that they share."""
    return {
        name: CLIPTokenizer.from_pretrained(
            COMPONENTS / "tokenizer", local_files_only=True, pad_token=padding, model_max_length=77
        )
        for name, padding in _PADDING[family].items()
    }


def recognise(path: Path, preset: str | None = None) -> str:
    """The checkpoint's family, "sd15", "sd21", "sd21-768" or "sdxl", from its header alone.

    Raises:
        ValueError: the file is damaged or of another family, or it is a Stable Diffusion 2 checkpoint
            and neither its name nor `preset` tells which.
    """
    shapes = weights.shapes(path)
    family = _family(shapes)
    if family is None:
        raise ValueError(
            f"{path} is {weights.kind_of(shapes)}, no full Stable Diffusion 1, 2 or XL checkpoint (UNet, VAE and text "
            "encoder in the original layout, four latent channels); convert it to a diffusers folder first"
        )
    for key, name in _OTHER_OBJECTIVE.items():
        if key in shapes:
            raise ValueError(
                f"{path} is {name}, which one file alone cannot set up; give its diffusers folder"
            )
    if family != "sd2":
        return family
    if preset in _SD2:
        return str(preset)
    names = [name for name, mark in zip(_SD2, ("512", "768"), strict=True) if mark in path.name]
    if len(names) != 1:
        raise ValueError(
            f"{path} is a Stable Diffusion 2 checkpoint and does not say for which size: give the preset sd21 "
            "(512 pixels) or sd21-768 (768 pixels, v-prediction)"
        )
    return names[0]


def _family(shapes: weights.Shapes) -> str | None:
    if (
        _VAE not in shapes or shapes.get(_UNET_INPUT, (0, 0))[1] != 4
    ):  # 9 are inpainting's, 8 InstructPix2Pix's
        return None
    if _SDXL_TEXT in shapes:
        return "sdxl"
    width = shapes.get(_CROSS_ATTENTION, (0,))[-1]
    if width == 768 and "cond_stage_model.transformer.text_model.final_layer_norm.weight" in shapes:
        return "sd15"
    if width == 1024 and "cond_stage_model.model.ln_final.weight" in shapes:
        return "sd2"
    return None
