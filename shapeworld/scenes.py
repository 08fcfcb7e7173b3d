"""The world: captioned scenes of one or two solid shapes, and their exact pictures. Pure."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import numpy as np
from PIL import Image

SHAPES = ("circle", "square", "triangle")
COLORS = {
    "black": (20, 20, 20),
    "white": (242, 242, 242),
    "red": (220, 40, 40),
    "green": (40, 160, 60),
    "blue": (40, 80, 220),
    "yellow": (245, 215, 40),
    "purple": (185, 60, 200),
    "cyan": (70, 210, 230),
}
RELATIONS = ("left of", "right of", "above", "below")

# Radii as fractions of the shorter side. Solid shapes below a tenth are the first to break.
_RADII = {"large": (0.25, 0.33), "small": (0.14, 0.19), "": (0.14, 0.33)}
_PAIR_RADII = (0.13, 0.18)
_SIZE_WORDS = ("large", "large", "small", "small", "")  # every fifth caption names no size
_MARGIN = 0.03


@dataclass(frozen=True)
class Object:
    """One solid shape. `y` and `x` are the centre as fractions of height and width, `radius` is half
    the shape's extent as a fraction of the shorter side; `size` is "large", "small" or "" (not said)."""

    shape: str
    color: str
    y: float
    x: float
    radius: float
    size: str = ""

    @property
    def phrase(self) -> str:
        """`a large red circle`."""
        return " ".join(word for word in ("a", self.size, self.color, self.shape) if word)


@dataclass(frozen=True)
class Scene:
    """Objects on a background. With two objects, `relation` says how the first lies to the second."""

    objects: tuple[Object, ...]
    background: str
    relation: str | None = None

    @property
    def caption(self) -> str:
        """`a large red circle on a blue background`, or
        `a green triangle left of a yellow square on a black background`."""
        first, *rest = (item.phrase for item in self.objects)
        middle = f" {self.relation} {rest[0]}" if rest else ""
        return f"{first}{middle} on a {self.background} background"

    def render(self, height: int, width: int) -> Image.Image:
        """The true picture, (height, width) pixels, edges anti-aliased over one pixel."""
        return Image.fromarray(self.pixels(height, width))

    def pixels(self, height: int, width: int) -> np.ndarray:
        """The true picture as uint8 (height, width, 3)."""
        side = min(height, width)
        rows = np.arange(height, dtype=np.float32)[:, None] + 0.5
        columns = np.arange(width, dtype=np.float32)[None, :] + 0.5
        image = np.empty((height, width, 3), np.float32)
        image[:] = COLORS[self.background]
        for item in self.objects:
            distance = _signed_distance(
                item.shape,
                rows - np.float32(item.y * height),
                columns - np.float32(item.x * width),
                item.radius * side,
            )
            coverage = np.clip(0.5 - distance, 0, 1)[..., None]  # (height, width, 1)
            image += coverage * (np.array(COLORS[item.color], np.float32) - image)
        return np.rint(image).astype(np.uint8)


def _signed_distance(shape: str, dy: np.ndarray, dx: np.ndarray, radius: float) -> np.ndarray:
    """Pixels from the shape's edge, negative inside (exact near edges, not beyond corners)."""
    if shape == "circle":
        return np.hypot(dy, dx) - radius
    if shape == "square":
        return np.maximum(np.abs(dy), np.abs(dx)) - 0.88 * radius
    if shape == "triangle":  # equilateral, apex up, its bounding box centred
        circumradius = 1.2 * radius
        dy = dy - circumradius / 4
        sides = np.abs(dx) * (math.sqrt(3) / 2) - dy / 2
        return np.maximum(sides, dy) - circumradius / 2
    raise ValueError(f"unknown shape {shape!r}; shapes are {', '.join(SHAPES)}")


def sample_scenes(count: int, seed: int = 0, objects: int | None = None) -> list[Scene]:
    """`count` scenes drawn independently; scene i depends on `seed` and i only.

    Args:
        count: how many.
        seed: any integer.
        objects: 1 or 2 objects in each scene; None draws either with equal chance.

    Raises:
        ValueError: `objects` is neither None, 1 nor 2, or `count` is negative.
    """
    if objects not in (None, 1, 2):
        raise ValueError(f"objects={objects!r}: a scene holds 1 or 2 objects, or None for either")
    if count < 0:
        raise ValueError(f"count={count}: must not be negative")
    return [_sample_scene(random.Random(f"{seed}/{i}"), objects) for i in range(count)]


def _sample_scene(rng: random.Random, objects: int | None) -> Scene:
    background, *colors = rng.sample(list(COLORS), 3)
    if (objects or rng.choice((1, 2))) == 1:
        size = rng.choice(_SIZE_WORDS)
        radius = rng.uniform(*_RADII[size])
        low, high = radius + _MARGIN, 1 - radius - _MARGIN
        item = Object(
            rng.choice(SHAPES), colors[0], rng.uniform(low, high), rng.uniform(low, high), radius, size
        )
        return Scene((item,), background)

    relation = rng.choice(RELATIONS)
    radii = [rng.uniform(*_PAIR_RADII) for _ in range(2)]
    # Along the relation's axis one lies in the first half and one in the second; across it they jitter.
    near = rng.uniform(radii[0] + _MARGIN, 0.3)
    far = rng.uniform(0.7, 1 - radii[1] - _MARGIN)
    across = [rng.uniform(0.35, 0.65) for _ in range(2)]
    along = [near, far] if relation in ("left of", "above") else [1 - near, 1 - far]
    pair = tuple(
        Object(rng.choice(SHAPES), colors[i], *_order(relation, along[i], across[i]), radii[i])
        for i in range(2)
    )
    return Scene(pair, background, relation)


def _order(relation: str, along: float, across: float) -> tuple[float, float]:
    """(y, x) of a point `along` the relation's axis and `across` it."""
    return (across, along) if relation in ("left of", "right of") else (along, across)
