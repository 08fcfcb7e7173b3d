"""Writes the table of docs/which-settings.md: what `fouriscale explain` says, by model, size and card.

    .venv/bin/python -m benchmarks.which_settings

Two minutes on a free core. Nothing is computed but shapes.
"""

from __future__ import annotations

from pathlib import Path

import torch

from fouriscale import FouriScaleConfig
from fouriscale.loading.configs import unet_config, vae_scale_factor
from fouriscale.loading.parameters import sizes_of
from fouriscale.reports.card import GIB, needed, switches_for
from fouriscale.reports.explain import explain
from fouriscale.reports.fit_words import parts_of
from fouriscale.reports.measured import estimate
from picturelab.files import write_whole
from picturelab.quiet import quieten

PAGE = Path(__file__).parents[1] / "docs" / "which-settings.md"
CARDS = (8, 12, 16, 24)  # GiB
SIZES = {  # (height, width) in pixels, by preset
    "sd15": ((1024, 1024), (1536, 1024), (2048, 2048)),
    "sdxl": ((2048, 2048), (3072, 2048), (4096, 4096)),
}
TITLES = {"sd15": "SD 1.5", "sdxl": "SDXL"}
MODES = ("paper", "fast")
STEPS = 50
BEGIN, END = "<!-- table -->", "<!-- end -->"
_SHORT = {"tiles": "tiles", "split": "split", "model offload": "offload", "sequential offload": "sequential"}


def row(preset: str, height: int, width: int, mode: str) -> str:
    """A line of the table."""
    unet = unet_config(preset)
    explanation = explain(
        unet,
        height,
        width,
        steps=STEPS,
        config=FouriScaleConfig.preset(preset, mode=mode),
        vae_scale_factor=vae_scale_factor(preset),
    )
    parts = parts_of(explanation, sizes_of(preset), torch.float16)
    seconds = estimate(explanation, preset)
    assert seconds is not None  # both were measured
    cells = [
        TITLES[preset],
        f"{width}x{height}",
        mode,
        f"{needed(parts) / GIB:.1f}",
        *(_switches(switches_for(parts, card * GIB)) for card in CARDS),
        f"{_seconds(seconds.run)} ({_seconds(seconds.direct)})",
    ]
    return f"| {' | '.join(cells)} |"


def table() -> str:
    cards = [f"{card} GiB" for card in CARDS]
    heads = ["model", "size", "mode", "GiB", *cards, "seconds (direct)"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    lines += [
        row(preset, height, width, mode)
        for preset, sizes in SIZES.items()
        for height, width in sizes
        for mode in MODES
    ]
    return "\n".join(lines)


def _seconds(count: float) -> str:
    return f"{count:.0f}" if count >= 10 else f"{count:.1f}"


def _switches(names: tuple[str, ...] | None) -> str:
    if names is None:
        return "no"
    return ", ".join(_SHORT[name] for name in names) or "nothing"


def main() -> None:
    quieten()
    before, rest = PAGE.read_text().split(BEGIN)
    write_whole(PAGE, f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
