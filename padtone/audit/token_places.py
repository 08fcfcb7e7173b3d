"""What the encoder writes at each token behind the prompt: how alike two prompts' rows are. No picture is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from picturelab.pipeline import Pipeline

from ..families.registry import family_of
from ..interventions.sensitivity import Reader
from ..maths.metrics import bootstrap
from ..maths.places import EOS, PADDING, likeness_of_others, rows_behind

_MOST = 24  # prompts, an encoder call each


def token_places(
    pipe: Pipeline, prompts: Sequence[str], call: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """{encoder: {"eos": likeness to the other prompts' rows or None, "padding": one a token, "prompts"}}.

    Each likeness is a mean over prompts with its interval: 1 is the same row for all prompts, which tells nothing.

    Args:
        prompts: two or more.
        call: the pipeline's arguments.
    """
    reader = Reader(pipe, family_of(pipe), dict(call))
    found: dict[str, dict[str, list[torch.Tensor]]] = {}
    for prompt in prompts[:_MOST]:
        for rows in reader(prompt):
            own = found.setdefault(rows.name, {})
            for role, values in rows_behind(rows.values, rows.roles).items():
                own.setdefault(role, []).append(values)
    return {name: _of_encoder(texts) for name, texts in found.items() if len(texts.get(PADDING, ())) > 1}


def _of_encoder(texts: Mapping[str, list[torch.Tensor]]) -> dict[str, Any]:
    eos = _intervals(texts[EOS]) if len(texts.get(EOS, ())) > 1 else [None]
    return {"eos": eos[0], "padding": _intervals(texts[PADDING]), "prompts": len(texts[PADDING])}


def _intervals(texts: Sequence[torch.Tensor]) -> list[dict[str, float]]:
    """One a place."""
    return [bootstrap(values.tolist()).to_dict() for values in likeness_of_others(texts).T]
