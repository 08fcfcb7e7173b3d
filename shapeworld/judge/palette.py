"""Which of the world's colours a pixel has, as the eye sees it. Pure."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..scenes import COLORS

NAMES = tuple(COLORS)


def _oklab(rgb: np.ndarray) -> np.ndarray:
    """sRGB in [0, 255], (..., 3), in Oklab, where distance is close to what the eye sees as difference.

    Source: Björn Ottosson, "A perceptual color space for image processing" (2020).
    """
    rgb = rgb / 255
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    cones = linear @ np.array(
        [
            [0.4122214708, 0.2119034982, 0.0883024619],
            [0.5363325363, 0.6806995451, 0.2817188376],
            [0.0514459929, 0.1073969566, 0.6299787005],
        ]
    )
    return np.cbrt(cones) @ np.array(
        [
            [0.2104542553, 1.9779984951, 0.0259040371],
            [0.7936177850, -2.4285922050, 0.7827717662],
            [-0.0040720468, 0.4505937099, -0.8086757660],
        ]
    )


@lru_cache(maxsize=1)
def _color_table() -> np.ndarray:
    """The nearest palette colour for each RGB value of 5 bits a channel, (32, 32, 32)."""
    levels = (np.arange(32) + 0.5) * 8
    grid = _oklab(np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1))  # (32, 32, 32, 3)
    palette = _oklab(np.array([COLORS[name] for name in NAMES], float))  # (colours, 3)
    return np.linalg.norm(grid[..., None, :] - palette, axis=-1).argmin(-1).astype(np.int8)


def nearest_colors(pixels: np.ndarray) -> np.ndarray:
    """uint8 (height, width, 3) to the positions of the nearest colours in `NAMES`, (height, width)."""
    red, green, blue = np.moveaxis(pixels >> 3, -1, 0)
    return _color_table()[red, green, blue]
