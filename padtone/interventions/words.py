"""A prompt with some of its words replaced by others of their kind, so that every encoder reads as many tokens."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from picturelab.bounds import shown
from picturelab.files import configs_folder
from picturelab.pipeline import Pipeline
from picturelab.textfiles import read_yaml
from picturelab.worlds import split

from ..families.family import Family
from ..families.registry import encoders_of
from ..hooks.encoder import tokenizer_of
from .encoding import call_options

_WORD = re.compile(r"\w+(?:['\u2019-]\w+)*")
_SCENES, _SCENES_SEED = 200, 7000  # of a world: no scene that a model was trained on
_TRIES = 50  # orders of words that are tried for each draw
_Ids = tuple[tuple[int, ...], ...]


def usual_words(model: str) -> dict[str, list[str]]:
    """Words by kind where none are named: a world's own for its models, else our list.

    Args:
        model: what `load_pipeline` takes.
    """
    shipped = split(model)
    if shipped is not None:
        return {kind: list(words) for kind, words in shipped[0].kinds().items()}
    return read_words(configs_folder() / "words.yaml")


def usual_prompts(model: str) -> list[str]:
    """Prompts to compare with where none are named: captions of a world for its models, else our collection.

    Args:
        model: what `load_pipeline` takes.
    """
    shipped = split(model)
    if shipped is not None:
        scenes = shipped[0].scenes(_SCENES, seed=_SCENES_SEED)
        return list(dict.fromkeys(scene.caption for scene in scenes))
    kinds = read_yaml(configs_folder() / "studies" / "prompts.yaml")
    return [str(prompt) for prompts in kinds.values() for prompt in prompts]


def read_words(path: Path) -> dict[str, list[str]]:
    """Words by kind from a YAML file.

    Raises:
        ValueError: it cannot be read, or is no mapping of kinds to lists of words.
    """
    values = read_yaml(path)
    if not _are_kinds(values):
        raise ValueError(
            f"{path} holds {shown(values)}; it must map kinds to lists of words, such as 'colour: [red, blue]'"
        )
    return {str(kind): list(words) for kind, words in values.items()}


def check_words(words: Mapping[str, Sequence[str]]) -> None:
    """Words by kind, as a caller gives them.

    Raises:
        TypeError: they are no mapping of kinds to words.
    """
    if not _are_kinds(words):
        raise TypeError(
            f"words is {shown(words)}; it maps kinds to words, such as {{'colour': ['red', 'blue']}}"
        )


def _are_kinds(values: object) -> bool:
    return (
        isinstance(values, Mapping)
        and bool(values)
        and all(
            isinstance(words, Sequence)
            and not isinstance(words, str)
            and all(isinstance(word, str) and word.strip() for word in words)
            for words in values.values()
        )
    )


class Rewording:
    """A prompt, and the words that can stand in place of its own.

    A word can be replaced by another of its kind where all encoders read as many tokens as before, none of them an
    unknown word that was not there.

    Args:
        kinds: words by kind. A word of several kinds is replaced by words of each.
        options: what the pipeline's `encode_prompt` also takes.

    Attributes:
        words: the words that can be replaced, in order.
        unreplaced: the others, each once.
        choices: for each word, what can stand in its place.
    """

    def __init__(
        self, pipe: Pipeline, family: Family, prompt: str, kinds: Mapping[str, Sequence[str]], options: dict
    ) -> None:
        self._pipe, self._family, self._options = pipe, family, call_options(pipe, options)
        self.prompt = prompt
        self._ids = self._read(prompt)
        self._places: list[tuple[int, int]] = []
        self.words: list[str] = []
        self.choices: list[list[str]] = []
        unreplaced: list[str] = []
        for match in _WORD.finditer(prompt):
            others = [
                other for other in _others(match[0], kinds) if self._fits(_put(prompt, {match.span(): other}))
            ]
            if others:
                self._places.append(match.span())
                self.words.append(match[0])
                self.choices.append(others)
            else:
                unreplaced.append(match[0])
        self.unreplaced = list(dict.fromkeys(unreplaced))

    def one(self, word: int, count: int, rng: random.Random) -> list[str]:
        """The prompt with one word replaced, `count` times differently or as often as there are others."""
        others = rng.sample(self.choices[word], min(count, len(self.choices[word])))
        return [_put(self.prompt, {self._places[word]: other}) for other in others]

    def more(self, most: int, rng: random.Random) -> list[str]:
        """The prompt with one word replaced, with that and a second one, and so on up to `most`, at random.

        Raises:
            ValueError: no choice of words keeps the number of tokens.
        """
        for _ in range(_TRIES):
            order = rng.sample(range(len(self.words)), most)
            put = {self._places[word]: rng.choice(self.choices[word]) for word in order}
            texts = [_put(self.prompt, dict(list(put.items())[: count + 1])) for count in range(most)]
            if all(map(self._fits, texts)):
                return texts
        raise ValueError(
            f"no {most} words of {shown(self.prompt)} can be replaced at once without changing its number of tokens; "
            "ask for fewer changes"
        )

    def nearest(self, prompts: Sequence[str], count: int, rng: random.Random) -> list[str]:
        """Those of some prompts that are most alike in their number of tokens; of equal ones, some at random."""
        others = [prompt for prompt in dict.fromkeys(prompts) if prompt != self.prompt]
        rng.shuffle(others)
        own = sum(map(len, self._ids))
        return sorted(others, key=lambda other: abs(sum(map(len, self._read(other))) - own))[:count]

    def _read(self, text: str) -> _Ids:
        """The tokens of a text for each encoder, before any padding and cutting."""
        whole = "".join(self._family.text(self._pipe, text, self._options))
        tokenizers = (
            tokenizer_of(self._pipe, encoder) for encoder, _ in encoders_of(self._pipe, self._family)
        )
        return tuple(tuple(tokenizer(whole).input_ids) for tokenizer in tokenizers)

    def _fits(self, text: str) -> bool:
        read = self._read(text)
        if read == self._ids:
            return False
        for (encoder, _), ids, own in zip(
            encoders_of(self._pipe, self._family), read, self._ids, strict=True
        ):
            unknown = tokenizer_of(self._pipe, encoder).unk_token_id
            if len(ids) != len(own) or ids.count(unknown) > own.count(unknown):
                return False
        return True


def _others(word: str, kinds: Mapping[str, Sequence[str]]) -> list[str]:
    """The other words of a word's kinds, with a capital where it has one."""
    own = word.lower()
    others = dict.fromkeys(
        other.strip()
        for words in kinds.values()
        if own in {known.strip().lower() for known in words}
        for other in words
        if other.strip().lower() != own
    )
    return [other[:1].upper() + other[1:] if word[0].isupper() else other for other in others]


def _put(text: str, words: Mapping[tuple[int, int], str]) -> str:
    """A text with other words at some places, given by where the old ones begin and end."""
    for (start, stop), word in sorted(words.items(), reverse=True):
        text = text[:start] + word + text[stop:]
    return text
