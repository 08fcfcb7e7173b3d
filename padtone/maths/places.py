"""How alike two prompts' rows are, token by token behind the prompt. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn.functional import normalize

EOS, PADDING = "eos", "padding"


def rows_behind(values: torch.Tensor, roles: Sequence[str]) -> dict[str, torch.Tensor]:
    """The last end token's row, and those of the padding in the text's order.

    Args:
        values: (rows, width).
        roles: one a row.

    Returns:
        {"eos": (1, width), "padding": (padding rows, width)}; without those that the text has not.
    """
    places = {role: [i for i, own in enumerate(roles) if own == role] for role in (EOS, PADDING)}
    places[EOS] = places[EOS][-1:]
    return {role: values[rows] for role, rows in places.items() if rows}


def likeness_of_others(texts: Sequence[torch.Tensor]) -> torch.Tensor:
    """Mean cosine of each text's row with the other texts' rows at the same place, as far as all of them go.

    Two rows of zeros are alike, 1; a row of zeros and another are not, 0.

    Args:
        texts: two or more, (rows, width) each.

    Returns:
        (texts, places)

    Raises:
        ValueError: fewer than two texts.
    """
    if len(texts) < 2:
        raise ValueError(f"likeness to other texts takes two or more, got {len(texts)}")
    places = min(len(text) for text in texts)
    rows = torch.stack([text[:places].float() for text in texts])  # (texts, places, width)
    unit = normalize(rows, dim=-1).double()
    alike = torch.einsum("tpw,upw->tup", unit, unit)
    nothing = (rows == 0).all(-1).double()
    alike = alike + torch.einsum("tp,up->tup", nothing, nothing)
    itself = torch.diagonal(alike, dim1=0, dim2=1).T
    return (alike.sum(1) - itself) / (len(texts) - 1)
