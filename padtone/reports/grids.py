"""The pictures of a report: small, in rows, as the page holds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from picturelab.failures import told_as
from picturelab.reports.pages import thumbnail
from picturelab.runs.folder import RunFolder

from ..audit.arms import ANOTHER_SEED, FULL, keep_arm
from ..audit.folder import picture_name

SHOWN = 4  # prompts in the grid of the main arms
DETAILED = 2  # prompts in the grid of all arms
_SEEDS = 2  # seeds in a grid
_SIDE = 176  # pixels of a thumbnail

Grid = dict[str, Any]


def without_yardstick(arms: Mapping[str, Any]) -> list[str]:
    """Arms but the full text and another seed of it."""
    return [arm for arm in arms if arm not in (FULL, ANOTHER_SEED)]


def main_grids(results: Mapping[str, Any], pictures: RunFolder) -> list[Grid]:
    """The arms that the verdict rests on."""
    folders = {FULL: FULL} | {a: f"ite {a}" for a in ("prompt", "padding", "other padding", "clean")}
    if results["arms"]["idp"]:
        folders |= {"prompt, in diffusion": "idp prompt", "padding, in diffusion": "idp padding"}
    return _grids(results, pictures, folders, SHOWN)


def all_grids(results: Mapping[str, Any], pictures: RunFolder) -> list[Grid]:
    """Every arm, of fewer prompts."""
    folders = {FULL: FULL} | {arm: f"ite {arm}" for arm in without_yardstick(results["arms"]["ite"])}
    folders |= {f"{arm}, in diffusion": f"idp {arm}" for arm in results["arms"]["idp"]}
    return _grids(results, pictures, folders, DETAILED)


def keep_grids(results: Mapping[str, Any], pictures: RunFolder) -> list[Grid]:
    """One prompt with fewer and fewer padding tokens."""
    counts = [row["k"] for row in results["keep_k"]["curve"] if row["k"] is not None]
    return _grids(results, pictures, {keep_arm(k): keep_arm(k) for k in counts} | {FULL: FULL}, 1)


def small_picture(
    results: Mapping[str, Any], pictures: RunFolder, arm: str, prompt: int, seed: int
) -> str | None:
    """A picture as a data address; None where the arm was left out of the prompt.

    Raises:
        ValueError: it cannot be read.
    """
    if any(entry["prompt"] == prompt and arm in entry["arms"] for entry in results["left_out"]):
        return None
    name = picture_name(arm, prompt, seed)
    with told_as(f"{pictures.folder / 'images' / name} cannot be read; the same command makes it again"):
        return thumbnail(pictures.picture(name), _SIDE)


def _grids(
    results: Mapping[str, Any], pictures: RunFolder, arms: Mapping[str, str], prompts: int
) -> list[Grid]:
    """One grid a prompt: a row a seed, a picture an arm; None where the prompt has no such picture."""
    settings = results["settings"]
    return [
        {
            "prompt": settings["prompts"][i],
            "rows": [
                {arm: small_picture(results, pictures, where, i, seed) for arm, where in arms.items()}
                for seed in range(min(_SEEDS, settings["seeds"]))
            ],
        }
        for i in settings["prompts_used"][:prompts]
    ]
