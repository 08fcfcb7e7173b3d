"""Rotary positions beyond the lengths of training: frequencies by rule, and how much sharper attention gets. Pure.

An axis has `channels` / 2 pairs of channels; pair j turns by frequency f_j = theta^(-2j / channels) a token, so it
has gone round once after 2 pi / f_j tokens. `scale` is how many times as long as in training the axis is, 1 or more.

Sources: interpolation, Chen et al., arXiv 2306.15595; NTK-aware and by parts, YaRN, Peng et al., arXiv 2309.00071,
sections 3.1 and 3.2; frequencies that follow the noise, DyPE, Issachar et al., arXiv 2510.20766; the proportional
temperature, Lumina-Next, Zhuo et al., arXiv 2406.18583.
"""

from __future__ import annotations

import math

import torch

RULES = ("interpolate", "ntk", "yarn")
TEMPERATURES = ("none", "yarn", "proportional")

# YaRN's ramps as DyPE's code has them: how often the pairs turn within the training length at which a ramp begins and
# ends. Pairs that turn less often take the slower alternative in full.
_NTK_TO_INTERPOLATION = (1.25, 0.75)
_STOCK_TO_SCALED = (16.0, 2.0)
_NOISE_EXPONENT = 2.0  # lambda_s and lambda_t of DyPE


def stock_frequencies(channels: int, theta: float) -> torch.Tensor:
    """The model's own, (channels / 2,), float64."""
    return theta ** (-torch.arange(0, channels, 2, dtype=torch.float64) / channels)


def interpolated(channels: int, theta: float, scale: float) -> torch.Tensor:
    """All pairs slowed alike, f / scale: the picture lies within the training length."""
    return stock_frequencies(channels, theta) / scale


def ntk_aware(channels: int, theta: float, scale: float) -> torch.Tensor:
    """The slowest pair as interpolated, the fastest as it was, between them evenly in the logarithm.

    theta becomes theta scale^(channels / (channels - 2)); an axis of one pair has no slower one, and is interpolated.
    """
    if channels == 2:
        return interpolated(channels, theta, scale)
    return stock_frequencies(channels, theta * scale ** (channels / (channels - 2)))


def yarn(
    channels: int, theta: float, scale: float, training_length: float, kappa: float = 1.0
) -> torch.Tensor:
    """By parts: pairs that hardly turn within the training length are interpolated, fast ones stay as they are.

    Args:
        training_length: tokens.
        kappa: factor on the ramps' limits, 1 for YaRN; DyPE's falls with the noise, so that ever slower pairs stay.
    """
    stock = stock_frequencies(channels, theta)
    if kappa <= 0:
        return stock

    def share(limits: tuple[float, float]) -> torch.Tensor:
        """How much of the slower alternative each pair takes, 0 for fast pairs to 1 for slow ones."""
        fast, slow = (_pair_that_turns(kappa * turns, channels, theta, training_length) for turns in limits)
        # Clipped alike, or the ramp would turn over once its beginning has passed the last pair.
        first, last = (
            min(max(math.floor(fast), 0), channels // 2),
            min(max(math.ceil(slow), 0), channels // 2),
        )
        pairs = torch.arange(channels // 2, dtype=torch.float64)
        return ((pairs - first) / max(last - first, 1e-3)).clamp(0, 1)

    ntk, slowed = (rule(channels, theta, scale) for rule in (ntk_aware, interpolated))
    scaled = ntk + share(_NTK_TO_INTERPOLATION) * (slowed - ntk)
    return stock + share(_STOCK_TO_SCALED) * (scaled - stock)


def frequencies(
    rule: str, channels: int, theta: float, scale: float, training_length: float, noise: float | None = None
) -> torch.Tensor:
    """An axis's frequencies, (channels / 2,), float64; the stock ones where `scale` is 1.

    Args:
        rule: one of `RULES`.
        noise: the share of noise, from 1 to 0, that a dynamic rule follows; None: the rule as it is at every step.
    """
    if scale == 1:
        return stock_frequencies(channels, theta)
    strength = 1.0 if noise is None else _NOISE_EXPONENT * noise**_NOISE_EXPONENT
    if rule == "yarn":
        kappa = 1.0 if noise is None else noise**_NOISE_EXPONENT
        return yarn(channels, theta, scale, training_length, kappa)
    by_scale = {"interpolate": interpolated, "ntk": ntk_aware}[rule]
    return by_scale(channels, theta, scale**strength)


def whole_turns(given: torch.Tensor, length: int) -> torch.Tensor:
    """Frequencies rounded to whole turns within so many tokens, so that the last token's neighbour is the first."""
    turns = (given * length / (2 * math.pi)).round()
    return 2 * math.pi * turns / length


def temperature(kind: str, scale: float, tokens: int, training_tokens: int) -> float:
    """What cos and sin are multiplied by; attention's logits then are by its square.

    Attention over more tokens than in training is flatter. Only image tokens are multiplied, so only what two of them
    have to say to each other gets sharper.

    Args:
        kind: one of `TEMPERATURES`.
        tokens, training_tokens: of text and image together.
    """
    if kind == "none" or scale == 1:
        return 1.0
    if kind == "yarn":
        return 1 + 0.1 * math.log(scale)
    return (math.log(tokens) / math.log(training_tokens)) ** 0.25


def _pair_that_turns(turns: float, channels: int, theta: float, length: float) -> float:
    """Which pair, as a real number, goes round so many times within a length."""
    return channels * math.log(length / (2 * math.pi * turns)) / (2 * math.log(theta))
