"""AttentionWatch: how much of the image's attention goes to the prompt, and how much to the padding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from picturelab.pipeline import Pipeline

from ..families.family import Family
from ..hooks.attention_shares import AttentionWatch
from ..hooks.handing_over import drawn
from ..maths.attention import AttentionShares
from ..maths.roles import TokenRoles, row_roles
from .arguments import check_call, check_prompt
from .encoding import encode_prompts, row_counts
from .ite import generators, pipe_arguments


def attention_to_padding(
    pipe: Pipeline, prompt: str, *, seed: int = 0, queries: int = 128, **pipe_kwargs: Any
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
    family = check_attention(pipe, prompt, seed, queries, pipe_kwargs)
    return watched(pipe, family, prompt, row_roles, seed=seed, queries=queries, call=pipe_kwargs)


def check_attention(pipe: Pipeline, prompt: Any, seed: int, queries: Any, call: dict[str, Any]) -> Family:
    """The arguments of `attention_to_padding`. Raises what that does."""
    if not isinstance(queries, int) or queries < 1:
        raise ValueError(f"queries is {queries!r}; it is a number of image tokens, 1 or more")
    family = check_call(pipe, [seed], ("full",), call)
    family.check_possible("attention")
    check_prompt(prompt)
    return family


def watched(
    pipe: Pipeline,
    family: Family,
    prompt: str,
    groups: Callable[[Sequence[TokenRoles], int], list[str]],
    *,
    seed: int,
    queries: int,
    call: dict[str, Any],
) -> AttentionShares:
    """Make one image and see where its attention goes.

    Args:
        groups: what each row of the text counts as, of the encoders' roles and the number of rows.
        call: the pipeline's arguments.
    """
    full = encode_prompts(pipe, [prompt], call)
    encoded, lengths = full.arguments, row_counts(family, full.arguments)
    rows = groups(full.roles[0], sum(lengths))
    if family.behind_again:
        rows += rows[lengths[0] :]
    look = AttentionWatch(pipe, family, encoded[family.text_names[0]], rows, queries)
    arguments = pipe_arguments(pipe, encoded, 1, call)
    with look.watching():
        drawn(pipe, arguments, generators(seed, 1))
    return look.result()
