"""What masking, trimming and replacing must do in every family; each check takes a tiny pipeline and its name."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

import padtone
from padtone.families.registry import denoiser_of, family_of
from padtone.hooks.attention import intercept_attention
from padtone.hooks.denoiser import attention_modules
from picturelab.remarks import Remark
from tests.tiny import text_pipelines
from tests.tiny.denoiser_calls import call_of
from tests.tiny.family_calls import OTHER, PROMPT, call, can, negative

ACTS = {"mask": padtone.mask_padding, "trim": padtone.trim_padding}


@contextmanager
def quiet(act: str, pipe: Any, keep: int = 0) -> Iterator[None]:
    """The `with` block; where masking changes nothing, that must be said."""
    if act == "mask" and family_of(pipe).denoiser_masks and keep == 0:
        with pytest.warns(Remark, match="masks its padding already"), ACTS[act](pipe, keep=keep):
            yield
    else:
        with ACTS[act](pipe, keep=keep):
            yield


def visible_rows(pipe: Any, name: str, keep: int) -> torch.Tensor:
    """By hand from the roles: everything but padding, and `keep` padding rows next to it."""
    entries = padtone.token_roles(pipe, PROMPT, **text_pipelines.text_options(name))
    real = torch.zeros(max(e.rows.stop for e in entries if e.rows), dtype=torch.bool)
    for entry in entries:
        if entry.rows is None:
            continue
        rows = [entry.rows[i] for i, role in enumerate(entry.roles) if role != "padding"]
        padding = [entry.rows[i] for i, role in enumerate(entry.roles) if role == "padding"]
        near = padding[:keep] if entry.roles[0] != "padding" else padding[len(padding) - keep :]
        real[[*rows, *near]] = True
    return real


def masking_equals_cropping(pipe: Any, name: str, keep: int) -> None:
    """The denoiser under the mask against the bare denoiser on a cropped text, to 1e-5."""
    real = visible_rows(pipe, name, keep)
    with quiet("mask", pipe, keep):
        seen = call_of(pipe, name, PROMPT)
    cropped = seen.cropped(real)
    assert cropped.text_rows == int(real.sum()) < seen.text_rows
    assert (cropped.output() - seen.result).abs().max() < 1e-5
    if not family_of(pipe).denoiser_masks:  # the bare call sees the padding
        assert (seen.output() - seen.result).abs().max() > 1e-4


def a_mask_says_what_it_changes(pipe: Any, name: str) -> None:
    """The picture under the mask is the plain one exactly where the denoiser is said to mask already."""
    plain = text_pipelines.run(pipe, name, PROMPT)
    with quiet("mask", pipe):
        masked = text_pipelines.run(pipe, name, PROMPT)
    assert bool((masked - plain).abs().max() > 1e-4) != family_of(pipe).denoiser_masks


def trimming_equals_masking(pipe: Any, name: str, keep: int) -> None:
    more = negative(pipe, name)
    with quiet("mask", pipe, keep):
        masked = text_pipelines.run(pipe, name, PROMPT, **more)
    with ACTS["trim"](pipe, keep=keep):
        trimmed = text_pipelines.run(pipe, name, PROMPT, **more)
    assert (masked - trimmed).abs().max() < 1e-4


def trimming_takes_tokens_out(pipe: Any, name: str) -> None:
    """Counted where the image attends: as many keys fewer as the text has rows fewer."""
    real = visible_rows(pipe, name, 1)
    before = keys(pipe, name)
    with padtone.trim_padding(pipe, keep=1):
        after = keys(pipe, name)
    hidden = (~real).sum()
    if family_of(pipe).behind_again:  # its blocks hold the further encoder's rows twice
        hidden = hidden + (~real[call_of(pipe, name, PROMPT).text.shape[1] :]).sum()
    if name == "lumina2":  # cuts its padding off by itself, all of it
        hidden = torch.tensor(-1)
    assert before - after == hidden


def keys(pipe: Any, name: str) -> int:
    """Keys of the last attention to the prompt's text in the run's first call of the denoiser."""
    lengths: list[int] = []

    def see(layer: int, attention: dict) -> dict:
        lengths.append(attention["key"].shape[-2])
        return attention

    modules = attention_modules(denoiser_of(pipe, family_of(pipe)), family_of(pipe))
    with intercept_attention(modules, see):
        call_of(pipe, name, PROMPT)
    return lengths[len(modules) - 1]


def a_batch_gets_what_its_members_get(pipe: Any, name: str, act: str) -> None:
    """Two prompts of unequal length, with unequal negative prompts, two images each."""
    more = negative(pipe, name, ["green", "a blue square on the tree"])
    prompts, images = [PROMPT, OTHER], 2
    with quiet(act, pipe):
        batch = text_pipelines.run(pipe, name, prompts, range(4), num_images_per_prompt=images, **more)
        for i, prompt in enumerate(prompts):
            alone = {k: v[i] if k == "negative_prompt" else v for k, v in more.items()}
            number = i * images + 1 - i  # the second image of the first prompt, the first of the second
            single = text_pipelines.run(pipe, name, prompt, (number,), **alone)
            assert (single[0] - batch[number]).abs().max() < 1e-4


def replacing_is_the_prompt_arm(pipe: Any, name: str, clean: str = "padding") -> None:
    """In its pictures."""
    more = negative(pipe, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Remark)
        with padtone.replace_padding(pipe, "clean" if clean == "padding" else clean):
            replaced = text_pipelines.run(pipe, name, PROMPT, **more)
    arms = padtone.ite(pipe, PROMPT, [0], ("prompt",), clean=clean, **call(name, **more))
    assert abs(torch.as_tensor(arms["prompt"][0]) - replaced[0]).max() < 1e-5


def restored_bit_by_bit(pipe: Any, name: str) -> None:
    """Also after an exception inside; what is left on modules and pipeline, the fixture `tiny` looks for."""
    before = text_pipelines.run(pipe, name, PROMPT)
    for action, act in (("trim", padtone.trim_padding), ("replace", padtone.replace_padding)):
        if can(pipe, action):
            with pytest.raises(KeyError, match="mine"):
                _fail_inside(act, pipe, name)
    assert torch.equal(text_pipelines.run(pipe, name, PROMPT), before)


def _fail_inside(act: Any, pipe: Any, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Remark)
        with act(pipe):
            text_pipelines.run(pipe, name, PROMPT)
            raise KeyError("mine")
