"""What is attached to one UNet: rows in, what each layer does, rows out; and all of it off again.

Five attachments, made and undone together: a pre-hook on the UNet appends the guidance branch's rows, a
hook on it drops them again, listed convolutions get a dilated `_conv_forward`, hooks on the self-attentions'
query and key projections give the guidance branch those of the conditional rows, and hooks around the
self-attentions lessen what each token sees where the config asks for it. torch's own hooks and `_conv_forward`
survive model offload, which re-installs accelerate's hooks after every image.
"""

from __future__ import annotations

import dataclasses
import threading
from contextlib import ExitStack
from typing import Any, NoReturn

import torch
from diffusers import UNet2DConditionModel
from torch import nn

from ..config import FouriScaleConfig
from ..maths.filters import FilterCache
from ..maths.plan import Plan, Sparsity
from . import modules
from .attention import DownsampledKeys, GuidanceProjection, PolyphaseAttention
from .convolution import SpreadConvolution
from .modules import CONV_FORWARD
from .pipelines import (
    Sampler,
    bare_unet,
    refuse_early_guidance,
    refuse_other_batches,
    rows_of,
    running_pipeline,
)
from .place import find_place, plan_for, sparsity_for
from .rows import pick_rows

ATTRIBUTE = "_fouriscale"  # where the UNet keeps its attachment
_SPARSE: dict[str, type[PolyphaseAttention | DownsampledKeys]] = {
    "polyphase": PolyphaseAttention,
    "downsampled keys": DownsampledKeys,
}


class _Call(threading.local):
    """What the UNet call in flight does; each thread has its own."""

    plan: Plan | None = None
    sparsity: Sparsity | None = None
    unconditional: torch.Tensor | None = None  # the estimate, where it has been made by a call of its own
    inner: bool = False  # whether this is that call

    def __init__(self) -> None:
        self.filters = FilterCache()


class Attachment:
    """FouriScale on one UNet.

    Attributes:
        pipe, unet, config: what it was made for.
    """

    def __init__(self, pipe: Sampler, unet: UNet2DConditionModel, config: FouriScaleConfig):
        self.pipe, self.unet, self.config = pipe, unet, config
        self._call = _Call()
        self._undo, self._undo_layers = ExitStack(), ExitStack()
        kinds = {config.chosen(name) for name in ("attention", "late_attention")}
        self._sparse = [_SPARSE[kind] for kind in sorted(kinds - {"full"})]
        refuse_other_batches(pipe)
        refuse_early_guidance(pipe, config.early_guidance)
        self._find_layers()

    @property
    def plan(self) -> Plan | None:
        """What the UNet's latest call in this thread does; None leaves the UNet as it is."""
        return self._call.plan

    @property
    def sparsity(self) -> Sparsity | None:
        """Which tokens see which in the UNet's latest call in this thread; None: all see all."""
        return self._call.sparsity

    @property
    def filters(self) -> FilterCache:
        """Those of this thread's calls."""
        return self._call.filters

    @property
    def dilation(self) -> float:
        """The dilation of the UNet's latest call in this thread; 1.0 where it was left as it is."""
        return self.plan.dilation if self.plan else 1.0

    def __deepcopy__(self, _: dict) -> NoReturn:
        raise TypeError("FouriScale is applied to this UNet: call remove_fouriscale before copying it")

    def attach(self) -> None:
        with ExitStack() as undo:  # undoes a half-made attachment if anything below raises
            setattr(self.unet, ATTRIBUTE, self)
            undo.callback(delattr, self.unet, ATTRIBUTE)
            undo.callback(self._detach_layers)
            self._attach_layers()
            undo.callback(self.unet.register_forward_pre_hook(self._before_unet, with_kwargs=True).remove)
            undo.callback(self.unet.register_forward_hook(self._after_unet).remove)
            self._undo = undo.pop_all()
        self._forget_compiled()

    def detach(self) -> None:
        self._undo.close()
        self._forget_compiled()

    def _find_layers(self) -> None:
        self._adapters = modules.adapters(self.unet)
        self._convolutions = modules.listed_convolutions(self.unet, self.config, SpreadConvolution)
        self._attentions = modules.self_attentions(self.unet)
        self._places = {
            (convolution.level, convolution.conv.stride[0])
            for convolution in self._convolutions
            if convolution.filtered and convolution.level is not None
        }
        modules.refuse_fused(self._attentions)

    def _attach_layers(self) -> None:
        with ExitStack() as undo:
            for convolution in self._convolutions:
                conv = convolution.conv
                setattr(conv, CONV_FORWARD, SpreadConvolution(self, conv, convolution.filtered))
                undo.callback(delattr, conv, CONV_FORWARD)
            for attention, level in self._attentions.items():
                for projection in (attention.to_q, attention.to_k):
                    undo.callback(projection.register_forward_hook(GuidanceProjection(self)).remove)
                if level is not None:
                    for kind in self._sparse:
                        kind(self, level).attach(attention, undo)
            self._undo_layers = undo.pop_all()

    def _detach_layers(self) -> None:
        self._undo_layers.close()

    def _follow_adapters(self) -> None:
        """A LoRA loaded or unloaded since has replaced layers: attach to those that are there now."""
        now = modules.adapters(self.unet)
        if now.keys() == self._adapters.keys() and all(now[k] is self._adapters[k] for k in now):
            return
        if modules.is_compiled(self.unet):
            raise ValueError(
                f"the compiled UNet's adapters changed from {sorted(self._adapters)} to {sorted(now)} since "
                "FouriScale was applied: call apply_fouriscale again"
            )
        self._detach_layers()
        self._find_layers()
        self._attach_layers()

    def _forget_compiled(self) -> None:
        """Compiled code does not look for new hooks, so what was compiled without them has to go."""
        held = getattr(self.pipe, "unet", None)
        if modules.is_compiled(self.unet) or bare_unet(held) is not held:
            torch.compiler.reset()

    @torch.compiler.disable
    def _before_unet(self, _: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict] | None:
        call = self._call
        if call.inner:
            return None
        call.plan = call.sparsity = call.unconditional = None
        self._follow_adapters()
        sample = args[0] if args else kwargs["sample"]
        timestep = args[1] if len(args) > 1 else kwargs["timestep"]
        self._decide(sample, timestep)
        plan = call.plan
        if plan and plan.guided and self.config.split_rows:
            args, kwargs = self._without_unconditional(plan, args, kwargs)
        plan = call.plan
        if plan and plan.guidance_rows:
            count = plan.guidance_rows
            return pick_rows((args, kwargs), plan.rows, lambda rows: torch.cat([rows, rows[-count:]]))
        return (args, kwargs) if call.unconditional is not None else None

    def _decide(self, sample: torch.Tensor, timestep: torch.Tensor | float) -> None:
        """Set what the call that begins is to do."""
        pipe = running_pipeline(self.unet, self.pipe)
        place = find_place(pipe, self.config, sample, timestep)
        if place is None:
            return
        self._call.sparsity = sparsity_for(place, self.config)
        if not place.active:
            return
        modules.refuse_fused(self._attentions)
        refuse_early_guidance(pipe, self.config.early_guidance)
        plan = self._call.plan = plan_for(place, self.config, rows_of(pipe, sample))
        run = place.schedule, place.latent_size, sample.device, sample.dtype
        self._call.filters.prepare(plan, run, self._places, sample.device, sample.dtype)

    def _without_unconditional(self, plan: Plan, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict]:
        """Make the unconditional estimate by a call of its own; what is left to do is the conditional rows."""
        call, half = self._call, plan.rows // 2
        first_args, first_kwargs = pick_rows((args, kwargs), plan.rows, lambda rows: rows[:half])
        call.plan, call.inner = dataclasses.replace(plan, rows=half, guided=False, guidance_rows=0), True
        try:
            call.unconditional = self.unet(*first_args, **first_kwargs)[0]
        finally:
            call.inner = False
        call.plan = dataclasses.replace(plan, rows=half, guided=False)
        return pick_rows((args, kwargs), plan.rows, lambda rows: rows[half:])

    @torch.compiler.disable
    def _after_unet(self, _: nn.Module, __: tuple, output: Any) -> Any:
        """Turn [unconditional, conditional, guidance branch] into [unconditional, guidance branch]."""
        call, plan = self._call, self.plan
        if plan is None or call.inner:
            return None
        sample, unconditional = output[0], call.unconditional
        conditional = sample[plan.rows :] if plan.guidance_rows else sample
        if plan.guided:
            unconditional, conditional = sample[: plan.rows // 2], conditional[-(plan.rows // 2) :]
        if unconditional is not None:
            if plan.guidance_factor != 1:
                conditional = unconditional + plan.guidance_factor * (conditional - unconditional)
            conditional = torch.cat([unconditional, conditional])
        call.unconditional = None
        return (conditional, *output[1:]) if isinstance(output, tuple) else type(output)(sample=conditional)
