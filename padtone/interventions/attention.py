"""AttentionWatch: how much of the image's attention goes to the prompt, and how much to the padding."""

from __future__ import annotations

from typing import Any

from picturelab.pipeline import Pipeline

from ..hooks.attention_shares import AttentionWatch
from ..hooks.handing_over import drawn
from ..maths.attention import AttentionShares
from ..maths.roles import row_roles
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
    if not isinstance(queries, int) or queries < 1:
        raise ValueError(f"queries is {queries!r}; it is a number of image tokens, 1 or more")
    family = check_call(pipe, [seed], ("full",), pipe_kwargs)
    family.check_possible("attention")
    check_prompt(prompt)
    full = encode_prompts(pipe, [prompt], pipe_kwargs)
    encoded, lengths = full.arguments, row_counts(family, full.arguments)
    roles = row_roles(full.roles[0], sum(lengths))
    if family.behind_again:
        roles += roles[lengths[0] :]
    look = AttentionWatch(pipe, family, encoded[family.text_names[0]], roles, queries)
    call = pipe_arguments(pipe, encoded, 1, pipe_kwargs)
    with look.watching():
        drawn(pipe, call, generators(seed, 1))
    return look.result()
