"""The figures of a report, from what its pieces found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from picturelab.recipes import versions

from .measure import Denoiser
from .run import Piece, pieces
from .settings import PROBES, BordersSettings
from .signal import Figure, distances, mean_figure, ratio
from .ways import COMPARISONS, DIRECT, SCALES, WRAPPED, Comparison, Way, size_at

Measured = Iterable[tuple[Piece, Mapping[str, Any]]]
"""Pieces with what they found."""

VERSION = 1  # of report.json
BANDS = {"0": (0, 0), "1": (1, 1), "2 to 3": (2, 3), "4 to 7": (4, 7), "8 and more": (8, 10**6)}
"""Distances to the border in latent pixels, by what people read."""


def results(
    settings: BordersSettings, denoiser: Denoiser, found: Mapping[str, Mapping[str, Any]], source: str
) -> dict[str, Any]:
    """The content of report.json, but for its sentences.

    Args:
        found: what `run.carry_out` gives.
        source: in words, where the latents come from.
    """
    measured = [(piece, found[piece.key]) for piece in pieces(settings)]
    sizes = {
        scale: size_at(denoiser.unet, denoiser.config, scale, denoiser.vae_scale_factor) for scale in SCALES
    }
    signals = _signals(measured)
    base = signals[Way(1, DIRECT).title]["signal"]
    ways = []
    for comparison in COMPARISONS:
        size = sizes[comparison.scale]
        latent_size = tuple(side // denoiser.vae_scale_factor for side in size)
        names = [*comparison.borders, *([WRAPPED] if comparison.method == DIRECT else [])]
        for name in names:
            way = Way(comparison.scale, comparison.method, "zeros" if name == WRAPPED else name)
            wrapped = name == WRAPPED
            entry = signals[_title(way, wrapped)]
            ways.append(
                {
                    "title": _title(way, wrapped),
                    "scale": way.scale,
                    "method": way.method,
                    "border": name,
                    "size": list(size),
                    "signal": entry["signal"],
                    "share": ratio(entry["signal"], base),
                    "blocks": entry["blocks"],
                    "maps": entry["maps"],
                    "rings": entry["rings"],
                    **{
                        key: _errors(measured, kind, comparison, way, wrapped, latent_size)
                        for key, kind in (("error", "error"), ("rolled_error", "position"))
                    },
                    "gradient": _gradient(measured, comparison, way, wrapped, latent_size),
                }
            )
    plain: dict[str, Any] = _without_groups(
        {
            "version": VERSION,
            "settings": settings.model_dump(),
            "source": source,
            "probes": PROBES,
            "blocks": list(signals[Way(1, DIRECT).title]["blocks"]),
            "ways": ways,
            "versions": versions(),
        }
    )
    return plain


def _title(way: Way, wrapped: bool) -> str:
    return f"{WRAPPED}, {way.scale}x" if wrapped else way.title


def _entry_name(way: Way, wrapped: bool) -> str:
    return WRAPPED if wrapped else way.name


def _signals(measured: Measured) -> dict[str, dict[str, Any]]:
    """{way's title: {"signal", "blocks": {block: {"snr", "mae"}}, "maps", "rings"}}, the mean over noise levels."""
    levels: dict[str, list[Mapping[str, Any]]] = {}
    for piece, notes in measured:
        if piece.kind == "position":
            for way in piece.comparison.ways:
                levels.setdefault(way.title, []).append(notes[way.name])
            if piece.comparison.method == DIRECT:
                levels.setdefault(_title(piece.comparison.ways[0], True), []).append(notes[WRAPPED])
    signals = {}
    for title, several in levels.items():
        blocks = {
            block: {
                name: mean_figure([one["blocks"][block][name] for one in several]) for name in ("snr", "mae")
            }
            for block in several[0]["blocks"]
        }
        maps = {
            block: _mean_map([one["blocks"][block]["map"] for one in several])
            for block in several[0]["blocks"]
        }
        signals[title] = {
            "signal": mean_figure([block["snr"] for block in blocks.values()]),
            "blocks": blocks,
            "maps": maps,
            "rings": torch.tensor([one["rings"] for one in several]).mean(0).tolist(),
        }
    return signals


def _mean_map(maps: Sequence[Sequence[Sequence[float]]]) -> list[list[float]]:
    return [[round(value, 6) for value in row] for row in torch.tensor(maps).mean(0).tolist()]


def _errors(
    measured: Measured, kind: str, comparison: Comparison, way: Way, wrapped: bool, latent_size: Sequence[int]
) -> dict[str, Any] | None:
    """{"total", "rings", "bands"} of the squared error of the predicted noise, the mean over noise levels.

    None where it was not measured.

    Args:
        kind: of the pieces that hold it: "error" of pictures as they are, "position" of rolled ones.
    """
    found = []
    for piece, notes in measured:
        if piece.kind == kind and piece.comparison == comparison:
            own = notes[_entry_name(way, wrapped)]
            found.append(own["error"] if kind == "position" else own)
    if not found:
        return None
    rings = [mean_figure(level) for level in zip(*(one["rings"] for one in found), strict=True)]
    return {
        "total": mean_figure([one["total"] for one in found]),
        "rings": rings,
        "bands": _bands(rings, latent_size),
    }


def _gradient(
    measured: Measured, comparison: Comparison, way: Way, wrapped: bool, latent_size: Sequence[int]
) -> dict[str, Any] | None:
    """{"rings", "bands", "map"}; None where it was not measured."""
    for piece, notes in measured:
        of_these = (piece.comparison.scale, piece.comparison.method) == (comparison.scale, comparison.method)
        if piece.kind == "gradient" and of_these and _entry_name(way, wrapped) in notes:
            own = notes[_entry_name(way, wrapped)]
            return {**own, "bands": _bands(own["rings"], latent_size)}
    return None


def _bands(rings: Sequence[Figure], latent_size: Sequence[int]) -> dict[str, Figure]:
    """{band: figure}, of those that the map has."""
    places = torch.bincount(distances(*latent_size).flatten()).tolist()
    return {
        name: mean_figure(rings[low : high + 1], places[low : high + 1])
        for name, (low, high) in BANDS.items()
        if low < len(rings)
    }


def _without_groups(value: Any) -> Any:
    """The same without what figures are without each group, which intervals were made of."""
    if isinstance(value, Mapping):
        return {name: _without_groups(one) for name, one in value.items() if name != "left_out"}
    return [_without_groups(one) for one in value] if isinstance(value, list) else value
