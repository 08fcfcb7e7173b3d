"""Where attention goes: probabilities of some queries, and shares of them by what the keys are. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class AttentionShares:
    """Shares of attention mass, averaged over image queries.

    Attributes:
        groups: what the last axis means: the five roles, then "image". In joint attention "image" is
            everything that is not text (AuraFlow's registers too); in cross-attention it is 0.
        layers: one tensor a layer, (steps, heads, groups), each row summing to 1. Layers may differ
            in their number of heads.
        queries: image tokens that were looked at, per layer.
        keys: how many keys each group has, (groups,) per layer.
    """

    groups: tuple[str, ...]
    layers: tuple[torch.Tensor, ...]
    queries: tuple[int, ...]
    keys: tuple[torch.Tensor, ...]

    def table(self) -> torch.Tensor:
        """(layers, groups): the mean over steps and heads."""
        return torch.stack([layer.mean(dim=(0, 1)) for layer in self.layers])

    def share(self, group: str) -> float:
        """One group's mean share over layers, heads and steps.

        Raises:
            ValueError: no such group.
        """
        return float(self.table()[:, self._index(group)].mean())

    def even(self, group: str) -> float:
        """The share that a group would have if every key were attended to alike: its part of the keys.

        Raises:
            ValueError: no such group.
        """
        parts = torch.stack([keys / keys.sum() for keys in self.keys])
        return float(parts[:, self._index(group)].mean())

    def _index(self, group: str) -> int:
        if group not in self.groups:
            raise ValueError(f"group is {group!r}; it can be {', '.join(self.groups)}")
        return self.groups.index(group)


def attention_probabilities(
    query: torch.Tensor,
    key: torch.Tensor,
    picked: torch.Tensor,
    bias: torch.Tensor | None,
    scale: float | None,
) -> torch.Tensor:
    """softmax(Q K^T scale + bias) for some queries, in float32.

    Args:
        query: (heads, queries, width). key: (heads or a divisor of it, keys, width).
        picked: positions of queries, (n,).
        bias: (heads or 1, queries or 1, keys), added to the scores; None: nothing.
        scale: None: 1 / sqrt(width).

    Returns:
        (heads, n, keys), rows summing to 1.
    """
    if key.shape[0] != query.shape[0]:  # grouped queries share their keys
        key = key.repeat_interleave(query.shape[0] // key.shape[0], dim=0)
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    scores = query[:, picked].float() @ key.float().transpose(-1, -2) * scale
    if bias is not None:
        scores = scores + (bias if bias.shape[1] == 1 else bias[:, picked])
    return scores.softmax(dim=-1)


def one_member(call: dict, member: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Queries, keys and bias of one member of the batch; a yes-or-no mask becomes a bias.

    Args:
        call: arguments of scaled dot-product attention; `query` and `key` are (batch, heads, tokens, width).

    Returns:
        (heads, tokens, width) twice, and the bias, (heads or 1, queries or 1, keys) or None.
    """
    mask = call.get("attn_mask")
    if mask is not None:
        while mask.ndim < 4:
            mask = mask[None]
        mask = mask[member if mask.shape[0] > 1 else 0]
        if mask.dtype == torch.bool:
            mask = torch.zeros(mask.shape, device=mask.device).masked_fill(~mask, float("-inf"))
        mask = mask.float()
    return call["query"][member], call["key"][member], mask
