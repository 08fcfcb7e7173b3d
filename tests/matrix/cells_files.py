"""Models from one file in Stable Diffusion's original layout."""

import json
import tempfile
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from safetensors.torch import save_file

from fouriscale.loading.single_file import COMPONENTS
from tests.matrix.cell import Setting, cell
from tests.tiny import checkpoints
from tests.tiny import unet_pipelines as models
from tests.tiny.unet_pipelines import call

_PRESETS = {"SD": "sd15", "XL": "sdxl"}
_SMALL = {768: 32, 2048: 32, 2816: 64}  # widths of the text and of SDXL's added conditions


def _shrunk(side):
    """A side of a published tensor, a fortieth as large: 320 channels become 8."""
    return _SMALL.get(side) or (side if side <= 4 else side // 40)


def write_unet(preset, path):
    """The published UNet's every tensor under its original name, small and random."""
    generator = torch.Generator().manual_seed(1)
    tensors = {}
    for name, shape in checkpoints.unet(preset):
        small = [_shrunk(side) for side in shape]
        made = torch.randn(small, generator=generator) / max(1, torch.Size(small[1:]).numel()) ** 0.5
        tensors[f"model.diffusion_model.{name}"] = made + 1 if name.endswith("norm.weight") else made
    save_file(tensors, path)


def write_configs(preset, folder):
    source = COMPONENTS / preset
    for name in ("model_index.json", "scheduler/scheduler_config.json", "vae/config.json"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text((source / name).read_text())
    config = json.loads((source / "unet/config.json").read_text())
    config["block_out_channels"] = [_shrunk(side) for side in config["block_out_channels"]]
    config["cross_attention_dim"] = 32
    config["norm_num_groups"] = 4
    config["attention_head_dim"] = 2
    if preset == "sdxl":
        config |= {"addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 64}
    (folder / "unet").mkdir()
    (folder / "unet/config.json").write_text(json.dumps(config))


@cell("Pipelines", "from_single_file, the published UNet's layout")
def single_file(family):
    preset, given = _PRESETS[family], models.parts(family)
    kind = StableDiffusionXLPipeline if family == "XL" else StableDiffusionPipeline
    with tempfile.TemporaryDirectory() as folder:
        write_unet(preset, f"{folder}/model.safetensors")
        write_configs(preset, Path(folder))
        pipe = kind.from_single_file(
            f"{folder}/model.safetensors",
            config=folder,
            local_files_only=True,
            **{k: v for k, v in given.items() if k not in ("unet", "scheduler")},
        )
    pipe.set_progress_bar_config(disable=True)
    return Setting(pipe, lambda: pipe(**call()).images)
