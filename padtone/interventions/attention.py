"""Look: how much of the image's attention goes to the prompt, and how much to the padding."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from ..families.registry import Family, denoiser_of
from ..hooks.denoiser import (
    StepCounter,
    argument,
    arguments_of,
    attention_modules,
    intercept_attention,
    locate,
    text_argument,
)
from ..hooks.encoder import encode_prompts
from ..maths.roles import ROLES, row_roles
from .arguments import check_call, check_prompt
from .ite import generators, pipe_arguments, text_names


@dataclass(frozen=True)
class AttentionShares:
    """Shares of attention mass, averaged over image queries.

    Attributes:
        groups: what the last axis means: the five roles, then "image". In joint attention "image" is
            everything that is not text (AuraFlow's registers too); in cross-attention it is 0.
        layers: one tensor a layer, (steps, heads, groups), each row summing to 1. Layers may differ
            in their number of heads.
        queries: image tokens that were looked at, per layer.
    """

    groups: tuple[str, ...]
    layers: tuple[torch.Tensor, ...]
    queries: tuple[int, ...]

    def table(self) -> torch.Tensor:
        """(layers, groups): the mean over steps and heads."""
        return torch.stack([layer.mean(dim=(0, 1)) for layer in self.layers])

    def share(self, group: str) -> float:
        """One group's mean share over layers, heads and steps.

        Raises:
            ValueError: no such group.
        """
        if group not in self.groups:
            raise ValueError(f"group is {group!r}; it can be {', '.join(self.groups)}")
        return float(self.table()[:, self.groups.index(group)].mean())


def attention_to_padding(
    pipe: Any, prompt: str, *, seed: int = 0, queries: int = 128, **pipe_kwargs: Any
) -> AttentionShares:
    """Make one image and measure where the image tokens' attention goes, per layer, head and step.

    Queries and keys are those that reach torch's scaled dot-product attention, after norms and rotary
    positions. The probabilities are computed anew from them, for a part of the queries, and summed by
    role at once: memory grows by heads x queries x tokens of one layer, never by the square.

    Args:
        queries: image tokens to look at, evenly spread; all of them where there are fewer.
        pipe_kwargs: for the pipeline's call. The negative prompt's attention is not counted.

    Raises:
        ValueError: an unknown pipeline, or `queries` below 1.
        RuntimeError: the denoiser attends by other means than torch's own function.
    """
    if not isinstance(queries, int) or queries < 1:
        raise ValueError(f"queries is {queries!r}; it is a number of image tokens, 1 or more")
    family = check_call(pipe, [seed], ("full",), pipe_kwargs)
    full = encode_prompts(pipe, [check_prompt(prompt)], pipe_kwargs)
    encoded, names = full.arguments, text_names(family)
    length = sum(encoded[name][0].shape[0] for name in names)
    look = _Look(pipe, family, encoded[names[0]], row_roles(full.roles[0], length), queries)
    call = pipe_arguments(pipe, encoded, 1, pipe_kwargs)
    with look.watching():
        pipe(**call, generator=generators(seed, 1))
    return look.result()


class _Look:
    """Collects shares while the pipeline runs."""

    def __init__(self, pipe: Any, family: Family, text: Any, roles: list[str], queries: int) -> None:
        self.pipe, self.family, self.text, self.queries = pipe, family, text, queries
        self.groups = (*ROLES, "image")
        # A row that no encoder filled (SD 3 without T5) holds zeros and counts as padding.
        self.roles = torch.tensor([self.groups.index(role or "padding") for role in roles])
        self.counter = StepCounter(pipe)
        self.member: int | None = None
        self.call: dict = {}
        self.shares: list[dict[int, torch.Tensor]] = []
        self.counts: list[int] = []

    @contextmanager
    def watching(self) -> Iterator[None]:
        modules = attention_modules(self.pipe, self.family)
        self.shares, self.counts = [{} for _ in modules], [0 for _ in modules]
        denoiser = denoiser_of(self.pipe, self.family)
        with ExitStack() as stack:
            stack.callback(denoiser.register_forward_pre_hook(self._enter, with_kwargs=True).remove)
            stack.enter_context(intercept_attention(modules, self._see))
            yield

    def result(self) -> AttentionShares:
        layers = tuple(torch.stack([steps[i] for i in sorted(steps)]) for steps in self.shares)
        return AttentionShares(self.groups, layers, tuple(self.counts))

    def _enter(self, module: torch.nn.Module, args: tuple, kwargs: dict) -> None:
        self.member = locate(argument(module, text_argument(module), args, kwargs), self.text)
        if self.member is not None:
            self.call = arguments_of(module, args, kwargs)
            self.counter.see(self.call["timestep"] if "timestep" in self.call else self.call["t"])

    def _see(self, layer: int, call: dict) -> dict:
        rows = len(self.roles)
        # An image prompt adapter's `attn2` attends a second time, to its own rows: not text.
        text = self.family.joint or call["key"].shape[-2] == rows
        if self.member is not None and text:
            query, key, bias = _one_member(call, self.member)  # (heads, tokens, width) twice
            groups = self._groups_of_keys(key.shape[1]).to(key.device)
            picked = self._picked_queries(query.shape[1], key.shape[1]).to(key.device)
            probabilities = attention_probabilities(query, key, picked, bias, call.get("scale"))
            shares = torch.zeros(key.shape[0], len(self.groups), device=key.device)
            shares.index_add_(1, groups, probabilities.mean(dim=1))
            self.shares[layer][self.counter.step] = shares.cpu()
            self.counts[layer] = len(picked)
        return call

    def _text_place(self, keys: int) -> tuple[int, int]:
        """Where the text begins among the keys, and how many rows it has there."""
        rows = len(self.roles)
        if self.family.attention == "cross":
            return 0, rows
        if self.family.mask_argument == "encoder_attention_mask":  # Lumina 2 cuts the padding off
            rows = int(self.call["encoder_attention_mask"][self.member].sum())
        if self.family.attention == "text first":
            return self.family.offset, rows
        if self.family.image_rows is not None:
            return self.family.image_rows(self.call), rows
        return keys - rows, rows

    def _groups_of_keys(self, keys: int) -> torch.Tensor:
        start, rows = self._text_place(keys)
        groups = torch.full((keys,), self.groups.index("image"))
        groups[start : start + rows] = self.roles[:rows]
        if self.family.image_rows is not None:  # behind the text: the denoiser's own padding
            groups[start + rows :] = self.groups.index("padding")
        return groups

    def _picked_queries(self, queries: int, keys: int) -> torch.Tensor:
        """Positions of the image tokens to look at."""
        if self.family.attention == "cross":
            first, last = 0, queries
        else:
            start, rows = self._text_place(keys)
            first, last = (start + rows, queries) if self.family.attention == "text first" else (0, start)
        count = min(self.queries, last - first)
        return torch.linspace(first, last - 1, count).round().long()


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


def _one_member(call: dict, member: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Queries, keys and mask of one member of the batch; a yes-or-no mask becomes a bias."""
    mask = call.get("attn_mask")
    if mask is not None:
        while mask.ndim < 4:
            mask = mask[None]
        mask = mask[member if mask.shape[0] > 1 else 0]
        if mask.dtype == torch.bool:
            mask = torch.zeros(mask.shape, device=mask.device).masked_fill(~mask, float("-inf"))
        mask = mask.float()
    return call["query"][member], call["key"][member], mask
