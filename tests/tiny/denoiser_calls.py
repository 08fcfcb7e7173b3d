"""One call of the denoiser, caught on its way and made again by hand on a cropped text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from padtone.families.registry import Family, family_of
from padtone.hooks.denoiser import arguments_of, attention_modules
from tests.tiny import text_pipelines

TEXT = "encoder_hidden_states"


@dataclass
class Call:
    """The denoiser's arguments as the pipeline gave them, and what came out."""

    module: torch.nn.Module
    family: Family
    arguments: dict[str, Any]
    result: torch.Tensor
    rows: int  # rows of text that the denoiser's attention worked on
    attended: list[int]

    @property
    def text(self) -> torch.Tensor:
        return self.arguments[TEXT]

    def cropped(self, rows: torch.Tensor) -> Call:
        """The same call without the rows of text that are False, and without any mask."""
        new = dict(self.arguments)
        new[TEXT] = self.text[:, rows]
        if "txt_ids" in new:
            new["txt_ids"] = new["txt_ids"][..., rows, :]
        for mask in ("encoder_attention_mask", "encoder_hidden_states_mask", "attention_mask"):
            if mask in new:
                new[mask] = None
        if self.family.title == "Lumina 2":  # it cannot do without
            new["encoder_attention_mask"] = torch.ones(new[TEXT].shape[:2], dtype=torch.long)
        return Call(self.module, self.family, new, self.result, self.rows, self.attended)

    def output(self) -> torch.Tensor:
        with torch.no_grad():
            return _tensor(self.module(**self.arguments))


def _tensor(output: Any) -> torch.Tensor:
    return output[0] if isinstance(output, tuple) else output.sample


def call_of(pipe: Any, name: str, prompt: str) -> Call:
    """The first call of the denoiser in a run without guidance, of one prompt."""
    family = family_of(pipe)
    module = getattr(pipe, family.denoiser)
    caught: list[tuple[dict, torch.Tensor]] = []
    lengths: list[int] = []
    place = [0]

    def enter(denoiser, args, kwargs):
        place[0] += 1

    def leave(denoiser, args, kwargs, output):
        caught.append((arguments_of(denoiser, args, kwargs), _tensor(output)))

    def attend(attention, args, kwargs):
        text = arguments_of(attention, args, kwargs).get(TEXT)
        text = text[0] if isinstance(text, tuple) else text
        if text is not None and place[0] == 1:
            lengths.append(text.shape[1] - family.offset)

    hooks = [
        module.register_forward_pre_hook(enter, with_kwargs=True),
        module.register_forward_hook(leave, with_kwargs=True),
    ]
    own_text = [m for m in attention_modules(module, family) if family.title != "Lumina 2"]
    hooks += [m.register_forward_pre_hook(attend, with_kwargs=True) for m in own_text]
    try:
        more = {} if name in ("flux", "flux_clip", "qwen_image", "flux2") else {"guidance_scale": 1.0}
        text_pipelines.run(pipe, name, prompt, **more)
    finally:
        for hook in hooks:
            hook.remove()
    arguments, result = caught[0]
    rows = lengths[0] if lengths else int(arguments["encoder_attention_mask"].sum())
    return Call(module, family, arguments, result, rows, lengths or [rows])
