"""FouriScale the slow way, as a yardstick: padded maps filtered by FFT, and each branch its own UNet call.

It shares nothing with the package but the config. Source: Huang et al., arXiv 2403.12963, and the
behaviour of the published code.
"""

import contextlib
import fnmatch
import math

import torch
from torch import nn
from torch.nn import functional as F

from tests.matrix.plain_deep import DeepStep


@contextlib.contextmanager
def plain_reference(pipe, config, guided=True):
    """The pipeline's UNet computes FouriScale's estimates for the length of a `with` block.

    `guided` may be a function, asked at every call.
    """
    unet, forward = pipe.unet, pipe.unet.forward
    calls = _Reference(pipe, config, guided if callable(guided) else lambda: guided, forward)
    unet.forward = calls
    try:
        yield calls
    finally:
        del unet.forward


class _Reference:
    def __init__(self, pipe, config, guided, forward):
        self.pipe, self.config, self.guided, self.forward = pipe, config, guided, forward
        self.active = []  # for every call, whether FouriScale was

    def __call__(self, sample, timestep, *args, **kwargs):
        timesteps = self.pipe.scheduler.timesteps.tolist()
        if self.config.deep:  # two calls at a timestep are one step
            timesteps = sorted({round(t, 2) for t in timesteps}, reverse=True)
        step = min(range(len(timesteps)), key=lambda i: abs(timesteps[i] - float(timestep)))
        kind = DeepStep if self.config.deep else _PaperStep
        doing = kind(
            self.pipe.unet,
            self.config,
            sample.shape[-2:],
            self.pipe.vae_scale_factor,
            step,
            len(timesteps),
        )
        self.active.append(doing.active)
        args, kwargs = doing.arguments(args, kwargs)
        rows = len(sample)
        lent = rows // 2 if self.guided() else rows
        seen = {}
        with doing.within(weak=False), self._keep(seen, lent):
            # The UNet takes T2I-Adapter's maps out of their list, so each call gets lists of its own.
            own_args, own_kwargs = _last_rows((args, kwargs), rows, rows)
            strong = self.forward(sample, timestep, *own_args, **own_kwargs)[0]
        if not (doing.active and self.config.chosen("third_branch")):
            return (strong,)
        args, kwargs = _last_rows((args, kwargs), rows, lent)
        with doing.within(weak=True), self._give(seen):
            weak = self.forward(sample[-lent:], timestep, *args, **kwargs)[0]
        return (torch.cat([strong[:-lent], weak]),)

    def _projections(self):
        for name, module in self.pipe.unet.named_modules():
            if name.endswith("attn1"):
                yield module.to_q
                yield module.to_k

    @contextlib.contextmanager
    def _keep(self, seen, lent):
        with contextlib.ExitStack() as undo:
            for layer in self._projections():
                hook = lambda m, _, out: seen.update({m: out[-lent:]})  # noqa: E731
                undo.callback(layer.register_forward_hook(hook).remove)
            yield

    @contextlib.contextmanager
    def _give(self, seen):
        with contextlib.ExitStack() as undo:
            for layer in self._projections():
                undo.callback(layer.register_forward_hook(lambda m, _, out: seen[m]).remove)
            yield


class _PaperStep:
    """What one step of a run does to a UNet's convolutions."""

    def __init__(self, unet, config, latent, scale, step, steps):
        base = tuple(side // scale for side in config.training_sizes[0])
        factor = max(math.ceil(side / part) for side, part in zip(latent, base, strict=True))
        start, stop = (math.floor(f * steps + 0.5) for f in (config.start, config.stop))
        self.unet, self.config = unet, config
        self.active = factor > 1 and step < stop
        d = float(factor)
        if step >= start:
            d = (factor - 1) * (stop - step) / (stop - start) + 1
        self.dilations = [math.ceil(d), math.ceil(max(d / config.weak_dilation_divisor, 1))]
        self.maps = _Maps(latent, base, factor, d, config.floor)

    def arguments(self, args, kwargs):
        return args, kwargs

    def within(self, weak):
        if not self.active:
            return contextlib.nullcontext()
        return _convolutions(self.unet, self.config, self.maps, self.dilations[weak], weak)


class _Maps:
    def __init__(self, latent, base, factor, d, floor):
        self.latent, self.base, self.factor, self.d, self.floor = latent, base, factor, d, floor

    def filtered(self, x, stride, weak):
        level = round(math.log2(self.latent[0] / x.shape[-2]))
        padded = [side // 2**level * self.factor for side in self.base]
        s = max(self.d / stride, 1.0)
        masks = [self._mask(n, s, weak) for n in padded]
        spectrum = torch.fft.fft2(x.double(), s=padded)
        kept = torch.fft.ifft2(spectrum * masks[0][:, None] * masks[1][None, :]).real
        return kept[..., : x.shape[-2], : x.shape[-1]].to(x.dtype)

    def _mask(self, n, s, weak):
        slope = int((s - 1) * n // (2 * s)) if weak else max(n // 8, 1)
        half = torch.ones(n // 2, dtype=torch.float64)
        if slope:
            k = torch.arange(n // 2, dtype=torch.float64)
            half = ((1 - self.floor) / slope * (n / (2 * s) + 1 - k) + 1).clamp(self.floor, 1)
        return torch.cat([half, half.flip(0)])


@contextlib.contextmanager
def _convolutions(unet, config, maps, dilation, weak):
    def under(name, patterns):
        parts = name.split(".")
        around = [".".join(parts[:i]) for i in range(1, len(parts) + 1)]
        return any(fnmatch.fnmatch(path, pattern) for path in around for pattern in patterns)

    def forward(conv, plain):
        def spread(x):
            if plain:
                x = maps.filtered(x, conv.stride[0], weak)
            padding = [p * dilation for p in conv.padding]
            return F.conv2d(x, conv.weight, conv.bias, conv.stride, padding, dilation, conv.groups)

        return spread

    with contextlib.ExitStack() as undo:
        for name, conv in unet.named_modules():
            if isinstance(conv, nn.Conv2d) and max(conv.kernel_size) > 1 and under(name, config.layers):
                conv.forward = forward(conv, not under(name, config.unfiltered))
                undo.callback(delattr, conv, "forward")
        yield


def _last_rows(value, rows, lent):
    if isinstance(value, torch.Tensor):
        return value[-lent:] if value.ndim and len(value) == rows else value
    if isinstance(value, (list, tuple)):
        return type(value)(_last_rows(v, rows, lent) for v in value)
    if isinstance(value, dict):
        return {k: v if k == "ip_adapter_masks" else _last_rows(v, rows, lent) for k, v in value.items()}
    return value
