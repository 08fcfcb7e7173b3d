"""How much of the image's attention goes where, seen in the attention calls of a running denoiser."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from picturelab.pipeline import Pipeline

from ..families.family import Family
from ..families.registry import denoiser_of
from ..maths.attention import AttentionShares, attention_probabilities, one_member
from ..maths.roles import ROLES
from .attention import intercept_attention
from .denoiser import PlaceOfTexts, StepCounter, arguments_of, attention_modules, rows_of_text, text_of
from .in_flight import InFlight
from .running import StateOfRuns


@dataclass(frozen=True)
class _Call:
    """A call of the denoiser to look at: its arguments by name, the prompt's place in its batch, and its step."""

    arguments: dict
    member: int
    step: int


class AttentionWatch:
    """Collects the shares of one prompt's attention while the pipeline runs.

    Args:
        text: the prompt's encoding as the pipeline is given it; by it the denoiser's calls are recognised.
        groups: what each row of the text counts as: its role, or a name of its own.
        queries: most image tokens to look at.
    """

    def __init__(
        self, pipe: Pipeline, family: Family, text: Any, groups: Sequence[str], queries: int
    ) -> None:
        self.pipe, self.family, self.queries = pipe, family, queries
        # A row that no encoder filled (SD 3 without T5) holds zeros and counts as padding.
        of_rows = [group or "padding" for group in groups]
        self.groups = (*dict.fromkeys((*ROLES, *of_rows)), "image")
        self.of_rows = torch.tensor([self.groups.index(group) for group in of_rows])
        self.runs = StateOfRuns(pipe, lambda: (PlaceOfTexts(text), StepCounter(pipe)))
        self.in_flight: InFlight[_Call] = InFlight()
        self.shares: list[dict[int, torch.Tensor]] = []
        self.counts: list[int] = []
        self.keys: list[torch.Tensor] = []

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Inside the block, every call of the denoiser that the pipeline makes is looked at."""
        denoiser = denoiser_of(self.pipe, self.family)
        modules = attention_modules(denoiser, self.family)
        self.shares, self.counts = [{} for _ in modules], [0 for _ in modules]
        self.keys = [torch.zeros(len(self.groups)) for _ in modules]
        with ExitStack() as stack:
            stack.enter_context(self.in_flight.following(denoiser))
            enter = denoiser.register_forward_pre_hook(self._enter, with_kwargs=True, prepend=True)
            stack.callback(enter.remove)
            stack.enter_context(intercept_attention(modules, self._see))
            yield

    def result(self) -> AttentionShares:
        """What was seen."""
        layers = tuple(torch.stack([steps[i] for i in sorted(steps)]) for steps in self.shares)
        return AttentionShares(self.groups, layers, tuple(self.counts), tuple(self.keys))

    def _enter(self, module: torch.nn.Module, args: tuple, kwargs: dict) -> None:
        self.in_flight.begin(None)
        run = self.runs.here()
        member = None if run is None else run[0].of(text_of(module, self.family, args, kwargs))
        if run is None or member is None:
            return
        arguments = arguments_of(module, args, kwargs)
        run[1].see(arguments)
        self.in_flight.settle(_Call(arguments, member, run[1].step))

    def _see(self, layer: int, attention: dict) -> dict:
        call = self.in_flight.state
        rows = len(self.of_rows)
        # An image prompt adapter's `attn2` attends a second time, to its own rows: not text.
        text = self.family.joint or attention["key"].shape[-2] == rows
        if call is not None and text:
            query, key, bias = one_member(attention, call.member)  # (heads, tokens, width) twice
            groups = self._groups_of_keys(call, key.shape[1]).to(key.device)
            picked = self._picked_queries(call, query.shape[1], key.shape[1]).to(key.device)
            probabilities = attention_probabilities(query, key, picked, bias, attention.get("scale"))
            shares = torch.zeros(key.shape[0], len(self.groups), device=key.device)
            shares.index_add_(1, groups, probabilities.mean(dim=1))
            self.shares[layer][call.step] = shares.cpu()
            self.counts[layer] = len(picked)
            self.keys[layer] = torch.bincount(groups.cpu(), minlength=len(self.groups))
        return attention

    def _text_place(self, call: _Call, keys: int) -> tuple[int, int]:
        """Where the text begins among the keys, and how many rows it has there."""
        rows = len(self.of_rows)
        if self.family.attention == "cross":
            return 0, rows
        if self.family.cuts_padding:
            rows = int(call.arguments[str(self.family.mask_argument)][call.member].sum())
        if self.family.attention == "text first":
            return self.family.offset, rows
        if self.family.image_rows is not None:
            return self.family.image_rows(call.arguments), rows
        return keys - rows_of_text(self.family, call.arguments), rows

    def _groups_of_keys(self, call: _Call, keys: int) -> torch.Tensor:
        start, rows = self._text_place(call, keys)
        groups = torch.full((keys,), self.groups.index("image"))
        groups[start : start + rows] = self.of_rows[:rows]
        if self.family.image_rows is not None:  # behind the text: the denoiser's own padding
            groups[start + rows :] = self.groups.index("padding")
        return groups

    def _picked_queries(self, call: _Call, queries: int, keys: int) -> torch.Tensor:
        """Positions of the image tokens to look at."""
        if self.family.attention == "cross" or queries != keys:  # the image's queries alone
            first, last = 0, queries
        else:
            start, rows = self._text_place(call, keys)
            first, last = (start + rows, queries) if self.family.attention == "text first" else (0, start)
        count = min(self.queries, last - first)
        return torch.linspace(first, last - 1, count).round().long()
