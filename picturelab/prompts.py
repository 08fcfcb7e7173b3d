"""What shows of a prompt before it is drawn, in the same words on the command line and on the page."""

from __future__ import annotations

from . import bounds, worlds
from .remarks import remark

_MOST = 8  # unknown words that are named


def check_said(prompt: str | None, name: str = "prompt") -> str:
    """The prompt, if it is text that says something and is short enough.

    Raises:
        ValueError: it is not.
    """
    if prompt is None or not str(bounds.check_prompt(name, prompt)).strip():
        raise ValueError(f"the {name} is empty: say what to draw")
    return prompt


def unknown_words(model: str, prompt: str | None) -> str | None:
    """A sentence on words that a model of a toy world cannot read; None where there are none.

    Raises:
        ValueError: the model is shipped and not installed.
    """
    shipped = worlds.split(model)
    unknown = shipped[0].unknown_words(prompt) if shipped else []
    if not shipped or not unknown:
        return None
    return (
        f"{model} does not know {', '.join(unknown[:_MOST])}{' ...' if len(unknown) > _MOST else ''}; its words are "
        f"{', '.join(shipped[0].words())}"
    )


def remark_unknown_words(model: str, *prompts: str | None) -> None:
    """Warn of what `unknown_words` says of each prompt."""
    for sentence in filter(None, (unknown_words(model, prompt) for prompt in prompts)):
        remark(sentence)
