"""Tiny random pipelines of each family's true architecture, built offline: a few thousand weights each."""

from __future__ import annotations

import functools
import warnings

import diffusers
import torch

from padtone.hooks.handing_over import pictures_of
from tests.tiny import cross_attention_pipelines as cross
from tests.tiny import flux_pipelines as flux
from tests.tiny import joint_attention_pipelines as joint
from tests.tiny import one_sequence_pipelines as one_sequence
from tests.tiny import two_stream_pipelines as two_streams

SIZE = {"height": 32, "width": 32}

BUILDERS = {
    builder.__name__: builder
    for builder in (
        cross.sd1,
        cross.sd2,
        cross.sdxl,
        joint.sd3,
        flux.flux,
        flux.flux_clip,
        flux.flux2,
        flux.flux2_klein,
        flux.chroma,
        cross.pixart_alpha,
        cross.pixart_sigma,
        cross.sana,
        joint.lumina2,
        joint.aura_flow,
        joint.qwen_image,
        joint.z_image,
        cross.hunyuan_dit,
        joint.cogview4,
    )
}

# Further families, which the tests of tests/each_family/ alone run on.
FURTHER = {
    builder.__name__: builder
    for builder in (
        two_streams.hunyuan_image,
        two_streams.hidream,
        two_streams.ovis,
        two_streams.longcat,
        two_streams.bria,
        one_sequence.prx,
        cross.kandinsky5,
        one_sequence.krea2,
        one_sequence.ernie,
    )
}
ALL = BUILDERS | FURTHER

# What a call needs besides prompt and size, to be small and to stay in the family's own setting.
CALL = {name: {"num_inference_steps": 2} for name in ALL} | {
    "sd3": {"num_inference_steps": 2, "max_sequence_length": 24},
    "flux": {"num_inference_steps": 2, "max_sequence_length": 24},
    "flux_clip": {"num_inference_steps": 2, "max_sequence_length": 72},
    "flux2": {"num_inference_steps": 2, "max_sequence_length": 64, "text_encoder_out_layers": (1, 2, 3)},
    "flux2_klein": {
        "num_inference_steps": 2,
        "max_sequence_length": 24,
        "text_encoder_out_layers": (1, 2, 3),
    },
    "chroma": {"num_inference_steps": 2, "max_sequence_length": 24},
    "pixart_alpha": {"num_inference_steps": 2, "max_sequence_length": 24, "use_resolution_binning": False},
    "pixart_sigma": {"num_inference_steps": 2, "max_sequence_length": 24, "use_resolution_binning": False},
    "sana": {"num_inference_steps": 2, "max_sequence_length": 24, "use_resolution_binning": False},
    "lumina2": {"num_inference_steps": 2, "max_sequence_length": 64},
    "aura_flow": {"num_inference_steps": 2, "max_sequence_length": 24},
    "z_image": {"num_inference_steps": 2, "max_sequence_length": 64},
    "hunyuan_dit": {"num_inference_steps": 2, "use_resolution_binning": False},
    "hidream": {"num_inference_steps": 2, "max_sequence_length": 24},
    "ovis": {"num_inference_steps": 2, "max_sequence_length": 24},
    "longcat": {"num_inference_steps": 2, "enable_prompt_rewrite": False},
    "bria": {"num_inference_steps": 2, "max_sequence_length": 24},
    "prx": {
        "num_inference_steps": 2,
        "tokenizer_max_length": 24,
        "use_resolution_binning": False,
        "guidance_scale": 1.0,
    },
    "kandinsky5": {"num_inference_steps": 2, "max_sequence_length": 64},
    "krea2": {"num_inference_steps": 2, "max_sequence_length": 24},
    "ernie": {"num_inference_steps": 2, "use_pe": False},
}


def run(pipe: diffusers.DiffusionPipeline, name: str, prompt: object, seeds: tuple = (0,), **more: object):
    """Images of a plain call of the pipeline as an array, (images, height, width, 3)."""
    noise = [torch.Generator().manual_seed(seed) for seed in seeds]
    images = pictures_of(pipe(prompt=prompt, generator=noise, output_type="np", **SIZE, **CALL[name] | more))
    return torch.as_tensor(images)


def text_options(name: str) -> dict:
    """The part of a family's call that shapes its text."""
    shapes = ("max_sequence_length", "text_encoder_out_layers", "tokenizer_max_length")
    return {k: v for k, v in CALL[name].items() if k in shapes}


@functools.cache
def pipeline(name: str) -> diffusers.DiffusionPipeline:
    """The tiny pipeline of a family, built once and shared."""
    return fresh(name)


def fresh(name: str) -> diffusers.DiffusionPipeline:
    """A tiny pipeline of one's own; seeded, so that it is the same in every run."""
    with torch.random.fork_rng(), warnings.catch_warnings():
        for own in ("`FluxPosEmbed` is deprecated", "`LoraLoaderMixin` is deprecated"):  # Chroma's and PRX's
            warnings.filterwarnings("ignore", own, FutureWarning)
        torch.manual_seed(0)
        pipe = ALL[name]()
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval().requires_grad_(False)
            spread(part)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def spread(module: torch.nn.Module) -> None:
    """Library initial weights are near zero in places; spread them, so that text visibly moves the output."""
    generator = torch.Generator().manual_seed(1)
    for name, weight in module.named_parameters():
        if weight.ndim >= 2:
            weight.copy_(torch.randn(weight.shape, generator=generator) * (1.0 / weight[0].numel() ** 0.5))
        elif "bias" in name:
            weight.copy_(torch.randn(weight.shape, generator=generator) * 0.02)
