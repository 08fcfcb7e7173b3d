"""Small pipelines of the true architecture for tests: the golden cases' random UNets in stock pipelines."""

import json
from pathlib import Path

from diffusers import (
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors import safe_open

from tests.tiny.stable_diffusion import autoencoder, scheduler

DATA = Path(__file__).parent / "data"


def load_case(name):
    with safe_open(DATA / f"{name}.safetensors", "pt") as file:
        case = json.loads(file.metadata()["case"])
        tensors = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118 (a safetensors file is no mapping)
    unet = UNet2DConditionModel(**case["unet"]).eval()
    unet.load_state_dict({k.removeprefix("unet."): v for k, v in tensors.items() if k.startswith("unet.")})
    return case, tensors, unet


def build_pipe(case, unet):
    parts = dict(vae=autoencoder(), text_encoder=None, tokenizer=None, unet=unet, scheduler=scheduler())
    if case["kind"] == "xl":
        pipe = StableDiffusionXLPipeline(
            **parts, text_encoder_2=None, tokenizer_2=None, add_watermarker=False
        )
    else:
        pipe = StableDiffusionPipeline(
            **parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False
        )
    pipe.set_progress_bar_config(disable=True)
    return pipe
