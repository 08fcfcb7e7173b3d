"""What PadTone costs: ITE per arm, IDP per image, masking against trimming, and how exact they are.

Run from the repository's root with `python -m benchmarks.padtone` (`--quick` for a short look).
Two pipelines of true architecture with random weights: Stable Diffusion's in small (the shapeworld
UNet, 24 tokens) and FLUX.1's (512 tokens of T5). Weights do not matter for time. Each figure is the
shortest processor time of several interleaved runs, so that a busy neighbour does not decide the ratio.
Beside the plain image stands a plain batch of as many images: what a batch itself costs more or less than so
many images one by one, on this machine, is not padtone's doing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any

import diffusers
import torch
from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel

import padtone
from padtone.interventions.ite import generators
from shapeworld.models import build_tokenizer, build_vae
from tests.tiny.shapeworld_pipeline import untrained_pipeline

from .text_tokens import SHAPES

PROMPT = "a large red circle on a blue background"
ARMS = ("full", "prompt", "padding", "clean")
RESULTS = Path(__file__).parent / "results" / "padtone.json"


def sd_pipeline() -> tuple[Any, dict]:
    return untrained_pipeline(), {"height": 128, "width": 128, "guidance_scale": 4.0}


def flux_pipeline() -> tuple[Any, dict]:
    tokenizer = build_tokenizer()
    clip = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=1,
        num_attention_heads=4,
        max_position_embeddings=tokenizer.model_max_length,
        eos_token_id=tokenizer.eos_token_id,
    )
    t5 = T5Config(vocab_size=len(tokenizer), d_model=128, d_kv=32, d_ff=256, num_layers=1, num_heads=4)
    small = SHAPES["small"] | {"in_channels": 16, "guidance_embeds": False}
    transformer = diffusers.FluxTransformer2DModel(**small)
    pipe = diffusers.FluxPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
        vae=build_vae(),
        text_encoder=CLIPTextModel(clip),
        tokenizer=tokenizer,
        text_encoder_2=T5EncoderModel(t5),
        tokenizer_2=tokenizer,
        transformer=transformer,
    )
    return pipe, {"height": 128, "width": 128, "max_sequence_length": 512}


def shortest(cases: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Processor seconds of each case, the shortest of `repeats` runs that take turns."""
    seconds = dict.fromkeys(cases, float("inf"))
    for turn in range(repeats + 1):
        for name, case in cases.items():
            start = time.process_time()
            case()
            if turn:  # the first turn only warms up
                seconds[name] = min(seconds[name], time.process_time() - start)
    return seconds


def measure(build: Callable[[], tuple[Any, dict]], steps: int, repeats: int) -> dict[str, float]:
    """Ratios to the plain image, seconds of it, and the largest difference of trimming from masking."""
    torch.manual_seed(0)
    pipe, call = build()
    pipe.set_progress_bar_config(disable=True)
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval()
    call |= {"num_inference_steps": steps, "output_type": "latent"}

    def plain(block: Any = None, count: int = 1) -> torch.Tensor:
        with block or nullcontext():
            return pipe(prompt=[PROMPT] * count, generator=generators(0, count), **call).images

    seconds = shortest(
        {
            "plain": plain,
            "ite": lambda: padtone.ite(pipe, PROMPT, [0], ARMS, **call),
            "idp": lambda: padtone.idp(pipe, PROMPT, [0], "padding", **call),
            "idp_arms": lambda: padtone.idp_arms(pipe, PROMPT, [0], ARMS, **call),
            "batch of arms": lambda: plain(count=len(ARMS)),
            "batch of arms and donor": lambda: plain(count=len(ARMS) + 1),
            "masked": lambda: plain(padtone.mask_padding(pipe)),
            "trimmed": lambda: plain(padtone.trim_padding(pipe)),
            "attention": lambda: padtone.attention_to_padding(pipe, PROMPT, **call),
        },
        repeats,
    )
    one = seconds["plain"]
    masked, trimmed = plain(padtone.mask_padding(pipe)), plain(padtone.trim_padding(pipe))
    return {
        "plain_seconds": one,
        "ite_per_arm": seconds["ite"] / one / len(ARMS),
        "ite_to_plain_batch": seconds["ite"] / seconds["batch of arms"],
        "idp": seconds["idp"] / one,
        "idp_arms": seconds["idp_arms"] / one,
        "idp_arms_to_plain_batch": seconds["idp_arms"] / seconds["batch of arms and donor"],
        "masked": seconds["masked"] / one,
        "trimmed": seconds["trimmed"] / one,
        "attention_to_padding": seconds["attention"] / one,
        "trim_minus_mask": float((masked - trimmed).abs().max() / masked.abs().max()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer steps and runs; writes no results")
    quick = parser.parse_args().quick
    steps, repeats = (3, 2) if quick else (4, 5)
    found = {name: measure(build, steps, repeats) for name, build in PIPELINES.items()}
    for name, figures in found.items():
        print(name)
        for key, value in figures.items():
            print(f"  {key:<28} {value:.3g}")
    if not quick:
        where = {
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads used",
            "versions": {package: version(package) for package in ("torch", "diffusers", "transformers")},
            "steps": steps,
            "repeats": repeats,
        }
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(json.dumps({"where": where, "figures": found}, indent=2) + "\n")
        print(f"wrote {RESULTS}")


PIPELINES = {"stable diffusion": sd_pipeline, "flux": flux_pipeline}

if __name__ == "__main__":
    main()
