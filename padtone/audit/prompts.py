"""The prompts of an audit: from a file, from our own collection, or from the shapeworld."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from picturelab.files import configs_folder

if TYPE_CHECKING:
    from PIL import Image

    from picturelab.worlds import World

SCENES_SEED = 4000  # no scene that a model was trained on or judged with elsewhere
Judge = Callable[["Image.Image", int], dict[str, float]]
"""Figures of a picture that some ground truth gives, by the prompt's position."""


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
        if not 0 < count <= len(self.texts):
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
        ValueError: the file cannot be read, is neither of these, or holds a prompt twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the prompts {path} cannot be read ({error})") from None
    if path.suffix in (".yaml", ".yml"):
        pairs = _pairs(text, path)
    else:
        lines = (line.strip() for line in text.splitlines())
        pairs = [("", line) for line in lines if line and not line.startswith("#")]
    texts = [prompt for _, prompt in pairs]
    twice = sorted({prompt for prompt in texts if texts.count(prompt) > 1})
    if twice or len(texts) < 2:
        what = f"holds {twice[0]!r} twice" if twice else f"holds {len(texts)} prompts"
        raise ValueError(f"{path} {what}; an audit needs two or more, all different")
    kinds = tuple(kind for kind, _ in pairs)
    return Prompts(tuple(texts), kinds if any(kinds) else ())


def _pairs(text: str, path: Path) -> list[tuple[str, str]]:
    try:
        values: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no YAML ({str(error).splitlines()[0]})") from None
    if not isinstance(values, dict) or not all(isinstance(v, list) for v in values.values()):
        raise ValueError(f"{path} must map kinds to lists of prompts, such as 'quantity: [two red apples]'")
    pairs = [(str(kind), prompt) for kind, prompts in values.items() for prompt in prompts]
    wrong = [prompt for _, prompt in pairs if not isinstance(prompt, str)]
    if wrong:
        raise ValueError(f"{path} holds {wrong[0]!r}, which is no text; put it in quotes")
    return pairs


def scene_prompts(world: World, count: int) -> Prompts:
    """Captions of a world's scenes, all different, with its checker as their judge."""
    scenes: dict[str, Any] = {}
    drawn = count
    while len(scenes) < count:  # captions repeat now and then
        scenes = {scene.caption: scene for scene in world.scenes(drawn, seed=SCENES_SEED)}
        drawn += count
    chosen: Sequence[Any] = list(scenes.values())[:count]

    def judge(image: Any, i: int) -> dict[str, float]:
        report = world.check(image, chosen[i])
        return {
            "all correct": float(report.correct),
            "background correct": float(report.background == chosen[i].background),
        }

    kinds = tuple("two objects" if scene.relation else "one object" for scene in chosen)
    return Prompts(tuple(scene.caption for scene in chosen), kinds, judge)
