"""The prompts of an audit: from a file, from our own collection, or from the shapeworld."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from picturelab.bounds import check, check_prompt
from picturelab.files import configs_folder
from picturelab.settings import shortened
from picturelab.textfiles import lines, read_text, read_yaml

if TYPE_CHECKING:
    from PIL import Image

    from picturelab.worlds import World

_DRAWN = 8  # scenes drawn for each one wanted, at most
SCENES_SEED = 4000  # no scene that a model was trained on or judged with elsewhere
Judge = Callable[["Image.Image", int], dict[str, float]]
"""Figures of a picture that some ground truth gives, by the prompt's position; one that its prompt does not ask for,
such as a relation, is left out."""


@dataclass(frozen=True)
class Prompts:
    """Prompts, their kinds (empty: none), and what judges their pictures (None: nothing but CLIP)."""

    texts: tuple[str, ...]
    kinds: tuple[str, ...] = ()
    judge: Judge | None = None

    def first(self, count: int) -> Prompts:
        """`count` of them; of each kind in turn, so that few prompts still hold all kinds.

        Raises:
            ValueError: there are not so many.
        """
        check("count", count, "prompts")
        if count > len(self.texts):
            raise ValueError(f"count is {count}; there are {len(self.texts)} prompts to choose from")
        order = list(range(len(self.texts)))
        if self.kinds:
            turn = [self.kinds[:i].count(kind) for i, kind in enumerate(self.kinds)]
            order.sort(key=lambda i: turn[i])
        chosen = sorted(order[:count])
        return Prompts(
            tuple(self.texts[i] for i in chosen),
            tuple(self.kinds[i] for i in chosen) if self.kinds else (),
            self.judge,
        )


def studies_folder() -> Path:
    """Where the studies and the prompt collection lie."""
    return configs_folder() / "studies"


def read_prompts(path: Path) -> Prompts:
    """Prompts from a text file, one a line, or from a YAML mapping of kinds to lists of prompts.

    Empty lines and, in text files, lines that begin with # are skipped.

    Raises:
        ValueError: the file cannot be read, is neither of these, holds fewer than two prompts, one of them twice, or
            one that is no text or too long.
    """
    in_yaml = path.suffix.lower() in (".yaml", ".yml")
    entries = _of_kinds(path) if in_yaml else _of_lines(path)
    first: dict[str, str] = {}  # where each prompt stands
    for where, _, prompt in entries:
        try:
            check_prompt("the prompt", prompt)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        if prompt in first:
            before = first[prompt].removeprefix(f"{path}, ")
            raise ValueError(
                f"{where} holds {shortened(repr(prompt), 80)} twice, first in {before}; two or more are needed, "
                "all different"
            )
        first[prompt] = where
    if len(entries) < 2:
        raise ValueError(f"{path} holds {len(entries)} prompts; two or more are needed, all different")
    check("prompts", len(entries))
    kinds = tuple(kind for _, kind, _ in entries)
    return Prompts(tuple(first), kinds if any(kinds) else ())


def _of_lines(path: Path) -> list[tuple[str, str, str]]:
    """(where, no kind, prompt) of a text file."""
    return [(f"{path}, line {i}", "", line) for i, line in lines(read_text(path), comment="#")]


def _of_kinds(path: Path) -> list[tuple[str, str, str]]:
    """(where, kind, prompt) of a YAML file.

    Raises:
        ValueError: it is no mapping of kinds to lists of texts.
    """
    values = read_yaml(path)
    if not isinstance(values, dict) or not all(isinstance(v, list) for v in values.values()):
        raise ValueError(f"{path} must map kinds to lists of prompts, such as 'quantity: [two red apples]'")
    entries = []
    for kind, prompts in values.items():
        for i, prompt in enumerate(prompts, 1):
            where = f"{path}, {kind} {i}"
            if not isinstance(prompt, str):
                raise ValueError(
                    f"{where} holds {shortened(repr(prompt), 80)}, which is no text; put it in quotes"
                )
            if not prompt.strip():
                raise ValueError(f"{where} is an empty prompt; write one or take it out")
            entries.append((where, str(kind), prompt.strip()))
    return entries


def scene_prompts(world: World, count: int) -> Prompts:
    """Captions of a world's scenes, all different, with its checker as their judge.

    Raises:
        ValueError: the world has not so many.
    """
    check("count", count, "prompts")
    scenes: dict[str, Any] = {}
    drawn = count
    while len(scenes) < count:  # captions repeat now and then
        if drawn > _DRAWN * count:
            raise ValueError(
                f"count is {count}; {drawn - count} scenes have only {len(scenes)} different captions"
            )
        scenes = {scene.caption: scene for scene in world.scenes(drawn, seed=SCENES_SEED)}
        drawn += count
    chosen: Sequence[Any] = list(scenes.values())[:count]

    def judge(image: Any, i: int) -> dict[str, float]:
        report = world.check(image, chosen[i])
        attributes = world.attributes_correct(chosen[i], report)
        return {
            "all correct": float(report.correct),
            "objects correct": float(world.objects_correct(image, chosen[i], report)),
        } | {f"{name} correct": float(right) for name, right in attributes.items()}

    kinds = tuple("two objects" if scene.relation else "one object" for scene in chosen)
    return Prompts(tuple(scene.caption for scene in chosen), kinds, judge)
