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

Number = float | torch.Tensor

# YaRN's ramps as DyPE's code has them: how often the pairs turn within the training length at which a ramp begins and
# ends. Pairs that turn less often take the slower alternative in full.
_NTK_TO_INTERPOLATION = (1.25, 0.75)
_STOCK_TO_SCALED = (16.0, 2.0)
_NOISE_EXPONENT = 2.0  # lambda_s and lambda_t of DyPE


def stock_frequencies(channels: int, theta: float, device: torch.device | None = None) -> torch.Tensor:
    """The model's own, (channels / 2,), float64 where the device has it."""
    dtype = torch.float32 if device is not None and device.type == "mps" else torch.float64
    return theta ** (-torch.arange(0, channels, 2, dtype=dtype, device=device) / channels)


def interpolated(stock: torch.Tensor, scale: Number) -> torch.Tensor:
    """All pairs slowed alike: the picture lies within the training length."""
    return stock / scale


def ntk_aware(stock: torch.Tensor, scale: Number) -> torch.Tensor:
    """The slowest pair as interpolated, the fastest as it was, between them evenly in the logarithm.

    As theta scale^(channels / (channels - 2)) in theta's place; an axis of one pair has no slower one, and is
    interpolated.
    """
    pairs = len(stock)
    if pairs == 1:
        return interpolated(stock, scale)
    places = torch.arange(pairs, dtype=stock.dtype, device=stock.device) / (pairs - 1)
    return stock / scale**places


def yarn(stock: torch.Tensor, scale: Number, training_length: float, kappa: Number = 1.0) -> torch.Tensor:
    """By parts: pairs that hardly turn within the training length are interpolated, fast ones stay as they are.

    Args:
        training_length: tokens.
        kappa: factor on the ramps' limits, 1 for YaRN; DyPE's falls with the noise, so that ever slower pairs stay.
    """
    pairs = len(stock)
    places = torch.arange(pairs, dtype=stock.dtype, device=stock.device)
    turns = stock * (training_length / (2 * math.pi))  # within the training length, of each pair
    # One pair is so many times as slow as the one before.
    step = (stock[0] / stock[1]).log() if pairs > 1 else stock.new_tensor(1.0)

    def share(limits: tuple[float, float]) -> torch.Tensor:
        """How much of the slower alternative each pair takes, 0 for fast pairs to 1 for slow ones."""
        fast, slow = (
            (turns[0] / (kappa * limit)).log() / step for limit in limits
        )  # which pair turns so often
        # Clipped alike, or the ramp would turn over once its beginning has passed the last pair.
        first, last = fast.floor().clamp(0, pairs), slow.ceil().clamp(0, pairs)
        return ((places - first) / (last - first).clamp(min=1e-3)).clamp(0, 1)

    ntk, slowed = ntk_aware(stock, scale), interpolated(stock, scale)
    scaled = ntk + share(_NTK_TO_INTERPOLATION) * (slowed - ntk)
    return stock + share(_STOCK_TO_SCALED) * (scaled - stock)


def frequencies(
    rule: str, stock: torch.Tensor, scale: float, training_length: float, noise: Number | None = None
) -> torch.Tensor:
    """An axis's frequencies, (channels / 2,); the stock ones where `scale` is 1.

    Args:
        rule: one of `choices.POSITION_RULES`.
        stock: the model's own.
        noise: the share of noise, from 1 to 0, that a dynamic rule follows, perhaps a tensor of one number, whose value
            nobody waits for. None: the rule as it is at every step.
    """
    if scale == 1:
        return stock
    if rule == "yarn":
        kappa = 1.0 if noise is None else noise**_NOISE_EXPONENT
        return yarn(stock, scale, training_length, kappa)
    strength = 1.0 if noise is None else _NOISE_EXPONENT * noise**_NOISE_EXPONENT
    by_scale = {"interpolate": interpolated, "ntk": ntk_aware}[rule]
    return by_scale(stock, scale**strength)


def whole_turns(given: torch.Tensor, length: int) -> torch.Tensor:
    """Frequencies rounded to whole turns within so many tokens, so that the last token's neighbour is the first."""
    turns = (given * length / (2 * math.pi)).round()
    return 2 * math.pi * turns / length


def temperature(kind: str, scale: float, tokens: int, training_tokens: int) -> float:
    """What cos and sin are multiplied by; attention's logits then are by its square.

    Attention over more tokens than in training is flatter. Only image tokens are multiplied, so only what two of them
    have to say to each other gets sharper.

    Args:
        kind: one of `choices.TEMPERATURES`.
        tokens, training_tokens: of text and image together.
    """
    if kind == "none" or scale == 1:
        return 1.0
    if kind == "yarn":
        return 1 + 0.1 * math.log(scale)
    return (math.log(tokens) / math.log(training_tokens)) ** 0.25


def linear_shift(tokens: int, few: int, many: int, least: float, most: float) -> float:
    """The shift (mu) of a schedule for so many image tokens: a line through (few, least) and (many, most).

    Source: Esser et al., arXiv 2403.03206, section 5.3.2, for why it grows; the line is FLUX's.
    """
    slope = (most - least) / (many - few)
    return tokens * slope + least - slope * few
