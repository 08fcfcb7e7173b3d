"""Whether a run fits a card's memory, and what to switch on where it does not. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

GIB = 2**30
RESERVED = 0.8 * GIB  # of a card's memory: the driver's own, and what stays free between tensors
# Bytes a second from the machine's memory to a card: assumed, about what PCIe 4.0 x16 gives pageable memory. Offload by
# diffusers' hooks pins none.
BUS = 12e9


@dataclass(frozen=True)
class Parts:
    """Bytes of a run, part by part.

    Attributes:
        unet, text, vae: weights of the UNet or transformer, of all text encoders, and of the VAE as it decodes.
        sampling: its feature maps and filters in the step that takes most.
        split_sampling: the same with `split_rows`, which calls the UNet for unconditional and conditional rows one
            after the other; None where that saves nothing.
        decoding, tiled_decoding: the VAE's feature maps, whole and in tiles.
    """

    unet: int
    text: int
    vae: int
    sampling: int
    split_sampling: int | None
    decoding: int
    tiled_decoding: int


@dataclass(frozen=True)
class Switch:
    """Something to switch on, in the order of what it costs.

    Attributes:
        name: a key of `SWITCHES`.
        cost: what it does and takes, in words.
    """

    name: str
    cost: str


SWITCHES = {
    "tiles": Switch("tiles", "decodes in tiles, blended where they meet, so flat areas may differ in tone"),
    "split": Switch(
        "split",
        "calls the UNet for one row after the other: on an H100 2% of the time for SDXL at 2048x2048, 89% for SD "
        "1.5 at 1024x1024",
    ),
    "model offload": Switch("model offload", "every part is brought to the card once a picture"),
    "sequential offload": Switch(
        "sequential offload",
        "the denoiser's weights are brought to the card in every step",
    ),
}


def needed(parts: Parts, switches: Iterable[str] = ()) -> int:
    """Most bytes that are on the card at once.

    Args:
        switches: names of `SWITCHES` that are on.
    """
    on = set(switches)
    split = parts.split_sampling if "split" in on else None
    sampling = parts.sampling if split is None else split
    decoding = parts.tiled_decoding if "tiles" in on else parts.decoding
    if "sequential offload" in on:
        return max(sampling, decoding)  # beside them a layer at a time
    if "model offload" in on:
        return max(parts.text, parts.unet + sampling, parts.vae + decoding)
    return parts.unet + parts.text + parts.vae + max(sampling, decoding)


def switches_for(parts: Parts, memory: float) -> tuple[str, ...] | None:
    """What to switch on so that a run fits, the cheapest that do; None: nothing makes it fit.

    Args:
        memory: of the card, in bytes.
    """
    usable = memory - RESERVED
    cheap = [name for name in ("tiles", "split") if name != "split" or parts.split_sampling is not None]
    for offload in ((), ("model offload",), ("sequential offload",)):
        for count in range(len(cheap) + 1):
            names = (*cheap[:count], *offload)
            if needed(parts, names) <= usable:
                return _without_needless(parts, names, usable)
    return None


def transfer_seconds(parts: Parts, switches: Iterable[str], steps: int) -> float:
    """Seconds a run that offload adds, at `BUS`; 0.0 without offload."""
    on = set(switches)
    if "sequential offload" in on:
        return (parts.text + parts.vae + steps * parts.unet) / BUS
    return (parts.text + parts.unet + parts.vae) / BUS if "model offload" in on else 0.0


def _without_needless(parts: Parts, names: tuple[str, ...], usable: float) -> tuple[str, ...]:
    """Those without which it would not fit."""
    kept = list(names)
    for name in names:
        fewer = [other for other in kept if other != name]
        if needed(parts, fewer) <= usable:
            kept = fewer
    return tuple(kept)
