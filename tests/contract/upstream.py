"""Everything of torch, diffusers and peft that this package leans on and that they do not promise to keep.

`test_upstream.py` checks each entry, so a release that moves one says so before anything else fails.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import diffusers
import torch
from diffusers.models import attention_processor, embeddings
from diffusers.models.downsampling import Downsample2D
from torch import nn

from fouriscale.hooks import pipelines


@dataclass(frozen=True)
class Lean:
    """One thing leaned on: what it is, which module needs it, and whether it is still there."""

    what: str
    needed_by: str
    holds: Callable[[], bool]


def _parameters(function: Callable) -> list[str]:
    return list(inspect.signature(function).parameters)


def _pipelines() -> list[type]:
    return [diffusers.StableDiffusionPipeline, diffusers.StableDiffusionXLPipeline]


def _calls_conv_forward() -> bool:
    conv = nn.Conv2d(1, 1, 3)
    vars(conv)["_conv_forward"] = lambda x, weight, bias: x  # on the instance, as the patch does
    x = torch.zeros(1, 1, 4, 4)
    return conv(x) is x


def _repeated_padding() -> list[int]:
    return list(nn.Conv2d(1, 1, 3, padding=2, padding_mode="circular")._reversed_padding_repeated_twice)


def _sees_the_caller() -> bool:
    # Decorators such as torch.no_grad put frames between, but keep the name and the `self`.
    return all(
        kind.__call__.__wrapped__.__code__.co_varnames[0] == "self"  # type: ignore[attr-defined]
        and kind.__call__.__wrapped__.__code__.co_name == "__call__"  # type: ignore[attr-defined]
        for kind in _pipelines()
    )


def _pictures_come_first(transformer: type) -> bool:
    forward = inspect.getsource(inspect.unwrap(transformer.forward))  # type: ignore[attr-defined]
    embedding = inspect.getsource(transformer._prepare_sequence)  # type: ignore[attr-defined]
    pictures, captions = (forward.find(f"{ids}, {ids[:-8]}_pad_mask") for ids in ("x_pos_ids", "cap_pos_ids"))
    return "self.rope_embedder(" in embedding and 0 < pictures < captions


def _padded_before() -> tuple[int, ...]:
    down = Downsample2D(1, use_conv=True, padding=0)
    seen: list[torch.Tensor] = []
    down.conv.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    down(torch.ones(1, 1, 4, 4))
    (padded,) = seen
    assert not padded[..., -1].any()
    assert not padded[..., -1, :].any()
    return tuple(padded.shape[-2:])


LEANS = (
    Lean(
        "torch.nn.Conv2d.forward calls self._conv_forward(input, weight, bias)",
        "hooks/attachment.py",
        lambda: (
            _parameters(nn.Conv2d._conv_forward) == ["self", "input", "weight", "bias"]
            and _calls_conv_forward()
        ),
    ),
    Lean(
        "torch.nn.Conv2d._reversed_padding_repeated_twice",
        "maths/convolve.py",
        lambda: _repeated_padding() == [2] * 4,
    ),
    Lean(
        "torch.nn.Module._compiled_call_impl is set by Module.compile",
        "hooks/modules.py",
        lambda: nn.Module._compiled_call_impl is None,
    ),
    Lean(
        "torch.compile wraps a module with _orig_mod",
        "hooks/pipelines.py",
        lambda: "_orig_mod" in vars(torch.compile(nn.Identity(), backend="eager"))["_modules"],
    ),
    Lean(
        "UNet2DConditionModel.forward begins with sample, timestep, encoder_hidden_states",
        "hooks/attachment.py",
        lambda: (
            _parameters(diffusers.UNet2DConditionModel.forward)[1:4]
            == ["sample", "timestep", "encoder_hidden_states"]
        ),
    ),
    Lean(
        "pipelines tell do_classifier_free_guidance and keep _guidance_scale",
        "hooks/pipelines.py",
        lambda: all(
            isinstance(kind.do_classifier_free_guidance, property)  # type: ignore[attr-defined]
            and "_guidance_scale" in inspect.getsource(kind.__call__)
            for kind in _pipelines()
        ),
    ),
    Lean(
        "a pipeline runs in a frame named __call__ whose self it is", "hooks/pipelines.py", _sees_the_caller
    ),
    Lean(
        "ModularPipeline's guider has is_conditional and _input_predictions",
        "hooks/pipelines.py",
        lambda: (
            isinstance(diffusers.ClassifierFreeGuidance.is_conditional, property)
            and diffusers.ClassifierFreeGuidance._input_predictions == ["pred_cond", "pred_uncond"]
            and isinstance(diffusers.ModularPipeline, type)
        ),
    ),
    Lean(
        "the pipelines' base classes stand in modules of these names",
        "hooks/pipelines.py",
        lambda: all(
            kind.__module__ == module and kind.__name__ == name
            for kind, (module, name) in (
                (diffusers.DiffusionPipeline, pipelines._PIPELINE),
                (diffusers.ModularPipeline, pipelines._MODULAR),
            )
        ),
    ),
    Lean(
        "Attention has to_q, to_k and is_cross_attention",
        "hooks/modules.py",
        lambda: (
            not attention_processor.Attention(8).is_cross_attention
            and isinstance(attention_processor.Attention(8).to_q, nn.Module)
            and isinstance(attention_processor.Attention(8).to_k, nn.Module)
        ),
    ),
    Lean(
        "Attention.forward takes hidden_states, encoder_hidden_states, attention_mask",
        "hooks/attention.py",
        lambda: (
            _parameters(attention_processor.Attention.forward)[1:4]
            == ["hidden_states", "encoder_hidden_states", "attention_mask"]
        ),
    ),
    Lean(
        "the processor of fused projections is called Fused...",
        "hooks/modules.py",
        lambda: hasattr(attention_processor, "FusedAttnProcessor2_0"),
    ),
    Lean(
        "IP-Adapter's masks come as cross_attention_kwargs['ip_adapter_masks']",
        "hooks/rows.py",
        lambda: "ip_adapter_masks" in _parameters(attention_processor.IPAdapterAttnProcessor2_0.__call__),
    ),
    Lean(
        "a UNet with adapters has peft_config",
        "hooks/modules.py",
        lambda: "peft_config" in inspect.getsource(diffusers.loaders.peft),
    ),
    Lean(
        "PatchEmbed.forward asks self.cropped_pos_embed(height, width) for the table's part",
        "hooks/position_table.py",
        lambda: (
            "self.cropped_pos_embed(height, width)" in inspect.getsource(embeddings.PatchEmbed.forward)
            and _parameters(embeddings.PatchEmbed.cropped_pos_embed) == ["self", "height", "width"]
        ),
    ),
    Lean(
        "Z-Image's transformer asks self.rope_embedder for the pictures' positions first, and then for the captions'",
        "hooks/embedder.py",
        lambda: _pictures_come_first(diffusers.ZImageTransformer2DModel),
    ),
    Lean(
        "pipelines ask a scheduler's set_timesteps for a shift by the name of mu",
        "hooks/shift.py",
        lambda: "mu" in _parameters(diffusers.FlowMatchEulerDiscreteScheduler.set_timesteps),
    ),
    Lean(
        "pipelines keep _progress_bar_config",
        "sampling/inputs.py",
        lambda: (
            "self._progress_bar_config"
            in inspect.getsource(diffusers.DiffusionPipeline.set_progress_bar_config)
        ),
    ),
    Lean(
        "Downsample2D without padding adds one row below and one column at the right before its convolution",
        "hooks/modules.py",
        lambda: _padded_before() == (5, 5),
    ),
    Lean(
        "AutoencoderKL and FLUX.2's call tiled_decode and _tiled_encode of themselves, whose tiles these sizes decide",
        "hooks/wrapping.py",
        lambda: all(
            "self.tiled_decode(z" in inspect.getsource(kind._decode)
            and "tiled_encode(x" in inspect.getsource(kind._encode)
            and all(
                f"self.{name} =" in inspect.getsource(kind)
                for name in ("tile_latent_min_size", "tile_overlap_factor")
            )
            for kind in (diffusers.AutoencoderKL, diffusers.AutoencoderKLFlux2)
        ),
    ),
    Lean(
        "several ControlNets are held as nets, several T2I-Adapters as adapters",
        "hooks/wrapping.py",
        lambda: (
            "self.nets" in inspect.getsource(diffusers.MultiControlNetModel)
            and "self.adapters" in inspect.getsource(diffusers.MultiAdapter)
        ),
    ),
)
