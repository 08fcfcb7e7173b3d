"""One call of the denoiser, caught on its way and made again by hand on a cropped text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from padtone.families.family import Family
from padtone.families.registry import denoiser_of, family_of
from padtone.hooks.denoiser import arguments_of
from tests.tiny import text_pipelines
from tests.tiny.family_calls import unguided


@dataclass
class Call:
    """The denoiser's arguments as the pipeline gave them, and what came out."""

    module: torch.nn.Module
    family: Family
    arguments: dict[str, Any]
    result: torch.Tensor

    @property
    def text(self) -> torch.Tensor:
        return self.arguments[self.family.text_argument]

    @property
    def behind(self) -> torch.Tensor | None:
        return self.arguments[self.family.behind] if self.family.behind else None

    @property
    def text_rows(self) -> int:
        return self.text.shape[1] + (0 if self.behind is None else self.behind.shape[-2])

    def cropped(self, rows: torch.Tensor) -> Call:
        """The same call without the rows of text that are False, and without any mask."""
        new, length = dict(self.arguments), self.text.shape[1]
        new[self.family.text_argument] = self.text[:, rows[:length]]
        if self.behind is not None:
            new[str(self.family.behind)] = self.behind[..., rows[length:], :]
        if "txt_ids" in new:
            new["txt_ids"] = new["txt_ids"][..., rows, :]
        if self.family.positions is not None:
            places = new[self.family.positions]
            new[self.family.positions] = torch.cat([places[:length][rows], places[length:]])
        for mask in ("encoder_attention_mask", "encoder_hidden_states_mask", "attention_mask"):
            if mask in new:
                new[mask] = None
        if self.family.cuts_padding:  # it cannot do without
            new["encoder_attention_mask"] = torch.ones(
                new["encoder_hidden_states"].shape[:2], dtype=torch.long
            )
        return Call(self.module, self.family, new, self.result)

    def output(self) -> torch.Tensor:
        with torch.no_grad():
            return _tensor(self.module(**self.arguments))


def _tensor(output: Any) -> torch.Tensor:
    return output[0] if isinstance(output, tuple) else output.sample


def call_of(pipe: Any, name: str, prompt: str) -> Call:
    """The first call of the denoiser in a run without guidance, of one prompt."""
    family = family_of(pipe)
    module = denoiser_of(pipe, family)
    caught: list[tuple[dict, torch.Tensor]] = []

    def leave(denoiser: torch.nn.Module, args: tuple, kwargs: dict, output: Any) -> None:
        caught.append((arguments_of(denoiser, args, kwargs), _tensor(output)))

    hook = module.register_forward_hook(leave, with_kwargs=True)
    try:
        text_pipelines.run(pipe, name, prompt, **unguided(pipe, name))
    finally:
        hook.remove()
    return Call(module, family, *caught[0])
