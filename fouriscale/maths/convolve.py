"""A convolution with its filter taps spread. Pure."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


def dilated(
    conv: nn.Conv2d, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, dilation: int
) -> torch.Tensor:
    """`conv`'s own convolution of x (B, C, height, width), dilated; the output keeps its usual size.

    Dilation by s is the kernel whose spectrum is the s x s repetition of the learned one, so a
    subsampled map sees what it saw in training (FouriScale, arXiv 2403.12963, Section 3.2).
    Stride, groups and padding mode are the layer's own; padding grows with the dilation.
    """
    spread = tuple(d * dilation for d in conv.dilation)
    if conv.padding_mode != "zeros":  # such as "circular", with which people make seamless tiles
        grown = [p * dilation for p in conv._reversed_padding_repeated_twice]
        x = F.pad(x, grown, mode=conv.padding_mode)
        return F.conv2d(x, weight, bias, conv.stride, 0, spread, conv.groups)
    if isinstance(conv.padding, str):  # "same" and "valid" adapt by themselves
        return F.conv2d(x, weight, bias, conv.stride, conv.padding, spread, conv.groups)
    padding = tuple(p * dilation for p in conv.padding)
    return F.conv2d(x, weight, bias, conv.stride, padding, spread, conv.groups)
