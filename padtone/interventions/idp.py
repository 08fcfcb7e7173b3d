"""IDP: swap text rows between two runs of the denoiser, block by block (Padding Tone, section 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from ..families.registry import Family, denoiser_of, family_of
from ..hooks.denoiser import (
    TEXT,
    StepCounter,
    argument,
    arguments_of,
    attention_modules,
    blocks_of,
    locate,
    replaced,
    text_argument,
)
from ..hooks.encoder import Encoding
from ..maths.roles import Keep, row_roles
from .arguments import ARMS, arm_key, check_call, check_layers, check_steps
from .ite import arm_rows, encode_both, generators, pipe_arguments, stack_arguments, text_names

DONOR = "donor"


@dataclass(frozen=True)
class Patch:
    """What to write: the recipients' text rows, in which blocks and at which steps.

    Attributes:
        rows: (recipients, rows) bool; True is overwritten with the donor's row.
        layers: indices of blocks; None: all.
        steps: the part of the run, as fractions; a step belongs to it by where it begins.
    """

    rows: torch.Tensor
    layers: frozenset[int] | None = None
    steps: tuple[float, float] = (0.0, 1.0)


def idp(
    pipe: Any,
    prompt: str,
    seeds: Sequence[int],
    keep: Keep = "padding",
    *,
    layers: Sequence[int] | None = None,
    steps: tuple[float, float] = (0.0, 1.0),
    clean: str = "padding",
    pooled: str = "full",
    **pipe_kwargs: Any,
) -> list[Any]:
    """One image per seed: the clean text's run, reading the full prompt's rows at every block (IDP).

    Donor (full prompt) and recipient (clean) are denoised in one batch from the same noise. At the
    input of every transformer block and at every step, the recipient's text rows in `keep` are
    overwritten with the donor's of that block and step; the other rows are the recipient's own. With
    cross-attention, where the text never changes, the same is done to what each `attn2` reads.

    Args:
        keep: rows to take from the donor, see `padtone.encode`; "padding 1/5" is the first fifth.
        layers: indices of blocks, in running order (double-stream, then single-stream); None: all.
        steps: the part of the run in which rows are overwritten.
        clean, pooled: see `padtone.encode`.

    Raises:
        ValueError: `keep`, `layers` or `steps` out of range; a pipeline or transformer not known.
    """
    images = idp_arms(
        pipe, prompt, seeds, (keep,), layers=layers, steps=steps, clean=clean, pooled=pooled, **pipe_kwargs
    )
    return images[arm_key(keep)]


def idp_arms(
    pipe: Any,
    prompt: str,
    seeds: Sequence[int],
    arms: Sequence[Keep] = ARMS,
    *,
    layers: Sequence[int] | None = None,
    steps: tuple[float, float] = (0.0, 1.0),
    clean: str = "padding",
    pooled: str = "full",
    **pipe_kwargs: Any,
) -> dict[Any, list[Any]]:
    """`idp` for several `keep` at once, which share one donor.

    Returns:
        {arm: [image per seed]}, and under "donor" the images of the full prompt.
    """
    family = check_call(pipe, seeds, arms, pipe_kwargs)
    count = len(blocks_of(pipe, family, True) if family.joint else attention_modules(pipe, family))
    where, when = check_layers(layers, count), check_steps(steps)
    full, empty = encode_both(pipe, prompt, clean, pooled, pipe_kwargs)
    patch = Patch(_rows_of_arms(family, prompt, full, arms), where, when)
    given = ("prompt_embeds", "pooled") if pooled == "clean" else ("prompt_embeds",)
    recipient = full.arguments | {
        n: v for n, v in empty.arguments.items() if n.startswith(given) and "mask" not in n
    }
    texts = stack_arguments([full.arguments, *[recipient] * len(arms)])
    call = pipe_arguments(pipe, texts, len(arms) + 1, pipe_kwargs)
    images: dict[Any, list[Any]] = {key: [] for key in (DONOR, *map(arm_key, arms))}
    for seed in seeds:
        with patched(pipe, texts[text_names(family)[0]], patch):
            out = pipe(**call, generator=generators(seed, len(arms) + 1)).images
        for key, image in zip(images, out, strict=True):
            images[key].append(image)
    return images


@contextmanager
def patched(pipe: Any, texts: Any, patch: Patch) -> Iterator[None]:
    """Inside the block, the pipeline's run of `texts` lets every later member read the first one's rows.

    Args:
        texts: `prompt_embeds` as given to the pipeline, donor first, then one recipient per row of
            `patch.rows`. The denoiser's calls are recognised by them, so that negative prompts,
            in the same call or in one of their own, are left alone.
    """
    family = family_of(pipe)
    run = _Run(pipe, family, texts, patch)
    denoiser = denoiser_of(pipe, family)
    with ExitStack() as stack:
        stack.callback(denoiser.register_forward_pre_hook(run.enter, with_kwargs=True).remove)
        if family.joint:
            text_only = len(blocks_of(pipe, family, True)) - len(blocks_of(pipe, family))
            hooks = [(b, run.block(i, i < text_only)) for i, b in enumerate(blocks_of(pipe, family, True))]
        else:
            hooks = [(m, run.cross_attention(i)) for i, m in enumerate(attention_modules(pipe, family))]
        for module, hook in hooks:
            stack.callback(module.register_forward_pre_hook(hook, with_kwargs=True).remove)
        yield
    if not run.found:
        raise RuntimeError(
            f"the {family.title} pipeline never gave its denoiser the texts to swap rows between"
        )


class _Run:
    """One run of the pipeline: which call of the denoiser is the prompts', and at which step."""

    def __init__(self, pipe: Any, family: Family, texts: Any, patch: Patch) -> None:
        self.family, self.texts, self.patch = family, texts, patch
        self.counter = StepCounter(pipe)
        self.found = False
        self.donor = 0  # the donor's place in the running batch
        self.active = False  # is the running call the prompts', and within the part of the run to patch?
        self.latest: tuple | None = None  # a pipeline gives the same text at every step
        self.call: dict = {}
        self.masks: dict[tuple, torch.Tensor] = {}

    def enter(self, module: torch.nn.Module, args: tuple, kwargs: dict) -> None:
        text = argument(module, text_argument(module), args, kwargs)
        if self.latest is None or self.latest[0] is not text:
            self.latest = text, locate(text, self.texts)
        place = self.latest[1]
        self.active = False
        if place is None:
            return
        self.found = True
        self.call = arguments_of(module, args, kwargs)
        timestep = self.call["timestep"] if "timestep" in self.call else self.call["t"]
        now = self.counter.see(timestep)
        first, last = self.patch.steps
        self.donor, self.active = place, first <= now < last

    def block(self, layer: int, text_only: bool) -> Callable:
        """A hook for a block of a joint transformer: two streams, or one sequence of both."""

        def hook(module: torch.nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
            if not self._active(layer):
                return args, kwargs
            name = TEXT
            start = self.family.offset
            if argument(module, TEXT, args, kwargs) is None:
                name = next(iter(arguments_of(module, args, kwargs)))  # one sequence: the first argument
                if self.family.image_rows is not None and not text_only:
                    start = self.family.image_rows(self.call)
            stream = argument(module, name, args, kwargs)
            return replaced(module, name, self._overwrite(stream, start), args, kwargs)

        return hook

    def cross_attention(self, layer: int) -> Callable:
        """A hook for what one `attn2` reads."""

        def hook(module: torch.nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
            text = argument(module, TEXT, args, kwargs)
            if text is None or not self._active(layer):
                return args, kwargs
            new = (
                (self._overwrite(text[0], 0), *text[1:])
                if isinstance(text, tuple)
                else self._overwrite(text, 0)
            )
            return replaced(module, TEXT, new, args, kwargs)

        return hook

    def _active(self, layer: int) -> bool:
        return self.active and (self.patch.layers is None or layer in self.patch.layers)

    def _overwrite(self, stream: torch.Tensor, start: int) -> torch.Tensor:
        """(batch, rows, width), with the recipients' kept rows taken from the donor's."""
        taken = self._taken(stream, start)
        return torch.where(taken, stream[self.donor : self.donor + 1], stream)

    def _taken(self, stream: torch.Tensor, start: int) -> torch.Tensor:
        """(batch, rows, 1) bool: which rows of a stream are the donor's. The blocks of a run share it."""
        key = (*stream.shape[:2], start, self.donor, stream.device)
        if key not in self.masks:
            rows = self.patch.rows.to(stream.device)
            # A masked text is cut to its visible rows (Lumina 2); rows beyond are not kept anyway.
            length = min(rows.shape[1], stream.shape[1] - start)
            taken = torch.zeros(*stream.shape[:2], 1, dtype=torch.bool, device=stream.device)
            taken[self.donor + 1 : self.donor + 1 + len(rows), start : start + length, 0] = rows[:, :length]
            self.masks[key] = taken
        return self.masks[key]


def _rows_of_arms(family: Family, prompt: str, full: Encoding, arms: Sequence[Keep]) -> torch.Tensor:
    """(arms, rows) bool.

    Raises:
        ValueError: an arm names no row, or only rows that the denoiser masks.
    """
    rows = torch.stack([torch.cat(arm_rows(family, prompt, full, arm)) for arm in arms])
    if not family.denoiser_masks:
        return rows
    seen = torch.tensor([role != "padding" for role in row_roles(full.roles[0], rows.shape[1])])
    for arm, kept in zip(arms, rows, strict=True):
        if kept.any() and not (kept & seen).any():
            raise ValueError(f"keep={arm!r} names only padding, which the {family.title} denoiser masks")
    return rows & seen
