"""Whether an explained run fits and how long it takes, in words."""

from __future__ import annotations

from collections.abc import Collection

import torch

from picturelab.amounts import gibibytes

from ..loading.parameters import Sizes
from ..sampling.vae import decoder_values
from .card import BUS, GIB, RESERVED, SWITCHES, Parts, needed, transfer_seconds
from .explain import Explanation
from .measure import StepTimes
from .measured import CARD, Estimate

_BARELY = 1.5 * GIB
_OFFLOAD = "model offload"


def parts_of(explanation: Explanation, sizes: Sizes, dtype: torch.dtype) -> Parts:
    """Bytes of an explained run with guidance, one picture at a time.

    Args:
        sizes: of the parts beside the UNet.
        dtype: of the weights.
    """
    height, width = explanation.size
    sampling, direct = (count * dtype.itemsize for count in explanation.peak_values)
    vae, decoding, tiled = 0, 0, 0
    if sizes.vae is not None:
        # SDXL's pipelines decode in float32, and others do not whatever the config says.
        element = 4 if explanation.told and sizes.vae.config.force_upcast else dtype.itemsize
        vae = element * sum(weight.numel() for weight in sizes.vae.parameters())
        tile = sizes.vae.tile_sample_min_size
        decoding = element * decoder_values(sizes.vae, height, width, 1)
        tiled = element * decoder_values(sizes.vae, min(height, tile), min(width, tile), 1)
    return Parts(
        unet=explanation.parameters * dtype.itemsize,
        text=sizes.text * dtype.itemsize,
        vae=vae,
        sampling=sampling,
        split_sampling=direct if explanation.config.chosen("third_branch") and sampling > direct else None,
        decoding=decoding,
        tiled_decoding=tiled,
    )


def fit_sentences(
    parts: Parts,
    *,
    dtype: str,
    memory: float,
    where: str,
    switches: Collection[str] | None,
    steps: int,
    denoiser: str = "UNet",
    card: bool = True,
) -> list[str]:
    """What the run holds, whether that fits and what must be switched on for it.

    Args:
        dtype: of the weights, by name.
        memory: bytes of the card, or of this machine.
        where: that memory is: see `where_of`.
        switches: names of `card.SWITCHES`, as `card.switches_for` chooses them; None: nothing makes it fit.
        steps: of the run.
        denoiser: what it is called.
        card: whether that memory is a GPU's.
    """
    split = (
        f" ({gibibytes(parts.split_sampling)} with split rows)" if parts.split_sampling is not None else ""
    )
    holds = (
        f"holds: {denoiser} {gibibytes(parts.unet)}, text encoders {gibibytes(parts.text)}, VAE "
        f"{gibibytes(parts.vae)}; a step's maps {gibibytes(parts.sampling)}{split}; decoding "
        f"{gibibytes(parts.decoding)} at once, {gibibytes(parts.tiled_decoding)} in tiles; weights in {dtype}"
    )
    there = f"{gibibytes(memory)} {where}, {gibibytes(RESERVED)} of them set aside"
    if switches is None:
        least = needed(parts, SWITCHES)
        return [
            holds,
            f"fit: no; {there}, and with all that can be switched on {gibibytes(least)} are needed beside those: a "
            "smaller size needs less; code for this one is left out",
        ]
    close = _close(parts, memory, switches, steps) if card else []
    if not switches:
        return [holds, f"fit: yes; {there}, {gibibytes(needed(parts))} needed", *close]
    lines = [
        holds,
        f"fit: {gibibytes(needed(parts, switches))} needed instead of {gibibytes(needed(parts))}; {there}; with",
    ]
    for name in switches:
        seconds = transfer_seconds(parts, [name], steps)
        weights = gibibytes(parts.unet + parts.text + parts.vae)
        stay = f"; the {weights} of weights stay in main memory"
        more = f", {seconds:.1f} s a picture at {BUS / 1e9:.0f} GB a second{stay}" if seconds else ""
        lines.append(f"  {name}: {SWITCHES[name].cost}{more}")
    return lines + close


def _close(parts: Parts, memory: float, switches: Collection[str], steps: int) -> list[str]:
    """What to switch on besides where the run fits but barely, for a desktop and a browser are on the card, too."""
    if memory - RESERVED - needed(parts, switches) > _BARELY or any("offload" in name for name in switches):
        return []
    more = [*switches, _OFFLOAD]
    return [
        f"close: where that runs out of memory, {_OFFLOAD} instead of pipe.to(...) makes it "
        f"{gibibytes(needed(parts, more))}, in {transfer_seconds(parts, more, steps):.1f} s more a picture"
    ]


def where_of(asked: bool, device: str) -> str:
    """What the memory is that a run is held against.

    Args:
        asked: whether somebody asked about so much.
        device: the kind of this machine's: "cuda", "mps" or "cpu".
    """
    if asked:
        return "asked for"
    return "in this machine's main memory, for there is no GPU" if device == "cpu" else "on this card"


def faster_sentences(explanation: Explanation) -> list[str]:
    """Where less time can be had; none where nothing is done."""
    if not explanation.active:
        return []
    ways = [] if explanation.config.deep else ["--mode fast"]
    ways += ["--cascade"] if explanation.cascade is None else []
    half = max(1, explanation.steps // 2)
    return [
        f"faster: {', '.join([*ways, f'--steps {half}'])}, of which the same command says how much; few-step models: "
        "docs/pipelines.md"
    ]


def time_sentence(explanation: Explanation, times: StepTimes | None, estimate: Estimate | None) -> str:
    """Seconds of the run, measured here or computed from a card that was measured."""
    steps, active = explanation.steps, explanation.active
    if times is not None:
        late = len(explanation.dilations) - active
        run = active * times.active + late * times.late
        what = f"{run:.3g} s for the last {len(explanation.dilations)} of {steps} steps"
        if explanation.first_size is None:
            what = f"{run:.3g} s for {steps} steps, sampled directly {steps * times.direct:.3g} s"
        return (
            f"time: {what}; measured on {times.device}: a step {times.active:.3g} s at first, {times.late:.3g} s late, "
            f"{times.direct:.3g} s directly; prompts and decoding apart"
        )
    if estimate is None:
        return "time: no card was measured with this UNet; --measure times a step on this machine"
    side = round(estimate.near.pixels**0.5)
    least = "" if estimate.mode_measured else "at least "
    return (
        f"time: {least}{estimate.run:.3g} s for {steps} steps on {CARD}, sampled directly {estimate.direct:.3g} s; "
        f"computed from what was measured there at {side}x{side}, prompts and decoding apart; --measure times a step "
        "here"
    )
