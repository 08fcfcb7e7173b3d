"""Padding's share of attention at one size of the picture, and where it is largest. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from .attention import AttentionShares
from .roles import ROLES, TokenRoles, row_roles

_ROW = "padding row "
ADDED = -1  # in place of a row: padding that the denoiser adds, such as Z-Image's


@dataclass(frozen=True)
class AttentionAtSize:
    """Where the image tokens' attention goes at one size.

    Attributes:
        height, width: pixels.
        shares: by role, as `attention_to_padding` gives them.
        layers: the names of the denoiser's attention modules, in running order.
        rows: the text's rows of padding; `ADDED` for what the denoiser adds by itself.
        padding: (layers, steps, rows), the share of each of these rows, mean over heads.
    """

    height: int
    width: int
    shares: AttentionShares
    layers: tuple[str, ...]
    rows: tuple[int, ...]
    padding: torch.Tensor

    def by_layer(self) -> torch.Tensor:
        """(layers,): the share of all padding, mean over steps."""
        return self.padding.sum(dim=-1).mean(dim=1)

    def by_step(self) -> torch.Tensor:
        """(steps,): the share of all padding, mean over layers."""
        return self.padding.sum(dim=-1).mean(dim=0)

    def by_row(self) -> torch.Tensor:
        """(rows,): the share of each row of padding, mean over layers and steps."""
        return self.padding.mean(dim=(0, 1))

    def sinks(self, count: int = 3) -> dict[str, list[tuple[int, float]]]:
        """What takes most of the attention to padding: layers and steps (from 0), rows, each with its share."""
        places = {
            "layers": (range(len(self.layers)), self.by_layer()),
            "steps": (range(self.padding.shape[1]), self.by_step()),
            "rows": (self.rows, self.by_row()),
        }
        return {
            name: sorted(zip(labels, shares.tolist(), strict=True), key=lambda place: -place[1])[:count]
            for name, (labels, shares) in places.items()
        }

    def to_dict(self) -> dict[str, Any]:
        """As plain values, ready for JSON."""
        return {
            "height": self.height,
            "width": self.width,
            "shares": {group: self.shares.share(group) for group in self.shares.groups},
            "even": {group: self.shares.even(group) for group in self.shares.groups},
            "layers": dict(zip(self.layers, self.by_layer().tolist(), strict=True)),
            "steps": self.by_step().tolist(),
            "rows": dict(zip(map(row_name, self.rows), self.by_row().tolist(), strict=True)),
            "sinks": {
                name: [[row_name(place) if name == "rows" else place, share] for place, share in places]
                for name, places in self.sinks().items()
            },
        }


def row_name(row: int) -> str:
    """A row of padding, for people."""
    return "added by the denoiser" if row == ADDED else str(row)


def groups_of_rows(entries: Sequence[TokenRoles], length: int) -> list[str]:
    """A row's role, but a name of its own for each row of padding; rows that no encoder filled are padding."""
    roles = row_roles(entries, length)
    return [f"{_ROW}{i}" if role in ("padding", "") else role for i, role in enumerate(roles)]


def at_size(height: int, width: int, shares: AttentionShares, layers: Sequence[str]) -> AttentionAtSize:
    """What was seen row by row, by role and by row of padding.

    Args:
        shares: by the groups of `groups_of_rows`.
        layers: the attention modules' names.
    """
    rows = {
        i: int(group.removeprefix(_ROW)) for i, group in enumerate(shares.groups) if group.startswith(_ROW)
    }
    added = shares.groups.index("padding")
    if any(keys[added] for keys in shares.keys):
        rows[added] = ADDED
    places = list(rows)
    padding = torch.stack([layer.mean(dim=1)[:, places] for layer in shares.layers])
    return AttentionAtSize(height, width, _by_role(shares), tuple(layers), tuple(rows.values()), padding)


def _by_role(shares: AttentionShares) -> AttentionShares:
    groups = (*ROLES, "image")
    to = torch.tensor([groups.index("padding" if g.startswith(_ROW) else g) for g in shares.groups])
    layers = tuple(
        torch.zeros(*layer.shape[:2], len(groups)).index_add_(2, to, layer) for layer in shares.layers
    )
    keys = tuple(torch.zeros(len(groups), dtype=k.dtype).index_add_(0, to, k) for k in shares.keys)
    return AttentionShares(groups, layers, shares.queries, keys)
