"""What is attached to one UNet: rows in, what each layer does, rows out; and all of it off again.

A pre-hook on the UNet finds out whose call begins, and by whose settings; it appends the guidance branch's rows, and
a hook drops them again. Listed convolutions get a dilated `_conv_forward`, hooks on the self-attentions' query and
key projections give the guidance branch those of the conditional rows, and hooks around the self-attentions lessen
what each token sees where a config asks for it. Where pictures wrap, every convolution has such a `_conv_forward`.
torch's own hooks and `_conv_forward` survive model offload, which re-installs accelerate's hooks after every image.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Hashable
from contextlib import ExitStack
from typing import Any, NoReturn

import torch
from diffusers import UNet2DConditionModel
from torch import nn

from picturelab.hooks.checkpointing import CheckpointFollower
from picturelab.remarks import remark

from ..maths.filters import FilterCache
from . import attention, compiled, convolution, deep, modules
from .applied import ATTRIBUTE, Applied
from .call import COPYING, Call, Running
from .entries import Entries
from .pipelines import Caller, OwnLoop, bare_unet, caller_of, outside
from .rows import pick_rows
from .splitting import SplitForward

_SPARSE: dict[str, Callable] = {
    "polyphase": attention.attach_polyphase,
    "downsampled keys": attention.attach_downsampled_keys,
}


def _refuse_copies(*_: Any) -> NoReturn:
    raise TypeError(f"FouriScale is applied to this UNet: {COPYING}")


def _holds_wrapper(pipe: Any) -> bool:
    unet = getattr(pipe, "unet", None)
    return bare_unet(unet) is not unet


class Attachment(Entries[Applied]):
    """FouriScale on one UNet, with settings for each of the pipelines that it was applied to.

    Attributes:
        unet: which one.
    """

    def __init__(self, unet: UNet2DConditionModel):
        super().__init__()
        self.unet = unet
        self._running, self._filters = Running(), FilterCache()
        self._split = SplitForward(unet, self._running)
        self._checkpoints = CheckpointFollower(self._running.carry)
        self._layers: dict[Hashable, ExitStack] = {}  # what is attached to each layer
        self._undo = ExitStack()
        self._wrapped = False  # whether it is called, or perhaps called, through torch.compile's wrapper
        self._unserved: Any = None  # the latest pipeline of which it was said that it has no settings

    def __reduce_ex__(self, _: Any) -> NoReturn:
        _refuse_copies()

    def _attach(self) -> None:
        if not self.entries:
            self._detach_layers()
            self._split.detach()
            self._undo.close()
        elif getattr(self.unet, ATTRIBUTE, None) is not self:
            self._attach_to_unet()
        if self.entries:
            self._adapters = modules.adapters(self.unet)
            self._attach_layers()
        self._forget_compiled()

    def _attach_to_unet(self) -> None:
        with ExitStack() as undo:
            for name, value in ((ATTRIBUTE, self), ("__reduce_ex__", _refuse_copies)):
                setattr(self.unet, name, value)
                undo.callback(delattr, self.unet, name)
            undo.callback(self.unet.register_forward_pre_hook(self._before_unet, with_kwargs=True).remove)
            after = self.unet.register_forward_hook(self._after_unet, prepend=True, always_call=True)
            undo.callback(after.remove)
            undo.callback(self._checkpoints.leave)
            self._undo = undo.pop_all()

    def _attach_layers(self) -> None:
        wanted = self._wanted()
        for key in [key for key in self._layers if key not in wanted]:
            self._layers.pop(key).close()
        for key, attach in wanted.items():
            if key not in self._layers:
                with ExitStack() as undo:
                    attach(undo)
                    self._layers[key] = undo.pop_all()
        if any(entry.config and entry.config.split_rows for entry in self.entries):
            self._split.attach()
        else:
            self._split.detach()

    def _wanted(self) -> dict[Hashable, Callable[[ExitStack], None]]:
        """What the settings together need, layer by layer; each takes where to note how it is undone."""
        running = self._running
        self._attentions = modules.self_attentions(self.unet)
        modules.refuse_fused(self._attentions)
        wanted: dict[Hashable, Callable[[ExitStack], None]] = {}
        ends = modules.padded_outside(self.unet)
        for entry in self.entries:
            listed = {name: one.conv for name, one in entry.convolutions.items()}
            for name, conv in (listed | entry.wrapped).items():
                attach = functools.partial(
                    convolution.attach, running, name, conv, padded_outside=conv in ends
                )
                wanted[name, conv] = attach
            config = entry.config
            if config is None:
                continue
            if config.deep:
                first = entry.levels.grid
                wanted["grid", first] = functools.partial(deep.attach, running, self.unet, first)
            for module, level in self._attentions.items():
                for projection in (module.to_q, module.to_k) if config.chosen("third_branch") else ():
                    lend = functools.partial(attention.lend_query_and_key, running, projection)
                    wanted[projection] = lend
                for kind in entry.sparse if level is not None else ():
                    wanted[kind, module] = functools.partial(_SPARSE[kind], running, module, level)
        return wanted

    def _detach_layers(self) -> None:
        while self._layers:
            self._layers.popitem()[1].close()

    def _follow_adapters(self) -> None:
        """A LoRA loaded or unloaded since has replaced layers: attach to those that are there now."""
        now = modules.adapters(self.unet)
        if now.keys() == self._adapters.keys() and all(now[k] is self._adapters[k] for k in now):
            return
        if compiled.is_compiled(self.unet):
            raise ValueError(
                f"the compiled UNet's adapters changed from {sorted(self._adapters)} to {sorted(now)} since "
                "FouriScale was applied: call apply_fouriscale again"
            )
        with self._lock:
            self._detach_layers()
            for entry in self.entries:
                entry.find_layers()
            self._attach_layers()
            self._adapters = now

    def _forget_compiled(self) -> None:
        """Compiled code does not look for new hooks, so what was compiled with others has to go."""
        # A wrapper by torch.compile is unknown to the UNet: a pipeline holds it, and a loop of one's own may.
        pipes = [entry.pipe for entry in self.entries]
        self._wrapped |= any(isinstance(pipe, OwnLoop) or _holds_wrapper(pipe) for pipe in pipes)
        if self._wrapped or compiled.is_compiled(self.unet):
            compiled.forget(self.unet)

    @torch.compiler.disable
    def _before_unet(self, _: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict] | None:
        caller = caller_of(self.unet)
        sample = args[0] if args else kwargs["sample"]
        timestep = args[1] if len(args) > 1 else kwargs["timestep"]
        outer = self._running.call if caller.nested else None
        self._running.begin(Call(outer=outer))  # whatever fails below, it ends in `_after_unet`
        self._follow_adapters()
        call = dataclasses.replace(self._call(caller, sample, timestep), outer=outer)
        if call.split and not self._split.in_place:  # something else has taken it off
            self._split.attach()  # for the next call
            call = dataclasses.replace(call, split=False)
        self._running.begin(call)
        self._checkpoints.follow(self.unet)
        plan = call.plan
        if plan is None:
            return None
        modules.refuse_fused(self._attentions)
        grid = call.values["grid"] if call.values else None
        resized = None
        if grid is not None:
            resized = args, kwargs = deep.resample_residuals(self.unet, grid, args, kwargs)
        if call.split or not plan.guidance_rows:
            return resized
        count = plan.guidance_rows
        return pick_rows((args, kwargs), plan.rows, lambda rows: torch.cat([rows, rows[-count:]]))

    def _call(self, caller: Caller, sample: torch.Tensor, timestep: torch.Tensor | float) -> Call:
        """What the call that begins is to do."""
        entries = self.entries
        if caller.pipe is None:
            entry = next((e for e in reversed(entries) if isinstance(e.pipe, OwnLoop)), None)
            if entry is not None:
                return entry.call(entry.pipe, sample, timestep, self._filters)
            if self._beyond_training(sample):
                raise outside(entries[-1].pipe)
            return entries[-1].plain_call(entries[-1].pipe, sample)
        followed = self.followed(caller.pipe)
        if followed:
            return followed[0].call(caller.pipe, sample, timestep, self._filters, caller.directly)
        if self._beyond_training(sample) and self._unserved is not caller.pipe:
            self._unserved = caller.pipe
            remark(
                f"this {type(caller.pipe).__name__} samples without FouriScale, which is applied to another pipeline "
                "with the same UNet: call apply_fouriscale on this one too if it should"
            )
        return Call()

    def _beyond_training(self, sample: torch.Tensor) -> bool:
        entry = next((entry for entry in reversed(self.entries) if entry.config), None)
        if entry is None or entry.config is None:
            return False
        height, width = (side * entry.pipe.vae_scale_factor for side in sample.shape[-2:])
        return entry.config.fit(height, width).dilation != 1

    @torch.compiler.disable
    def _after_unet(self, _: nn.Module, __: tuple, output: Any) -> Any:
        """Turn [unconditional, conditional, guidance branch] into [unconditional, guidance branch]."""
        call = self._running.call
        self._running.end()
        plan = call.plan if call else None
        if plan is None or output is None:  # None where the UNet has failed
            return None
        if not plan.guidance_rows and plan.guidance_factor == 1:
            return None
        sample = output[0]
        conditional = sample[plan.rows :] if plan.guidance_rows else sample
        if plan.guided:
            unconditional, conditional = sample[: plan.rows // 2], conditional[-(plan.rows // 2) :]
            if plan.guidance_factor != 1:
                conditional = unconditional + plan.guidance_factor * (conditional - unconditional)
            conditional = torch.cat([unconditional, conditional])
        return (conditional, *output[1:]) if isinstance(output, tuple) else type(output)(sample=conditional)
