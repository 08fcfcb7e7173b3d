"""Padding's share of attention against the size of the picture."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from picturelab.bounds import check, shown
from picturelab.pipeline import Pipeline

from ..families.registry import denoiser_of, family_of
from ..hooks.denoiser import attention_modules
from ..maths.attention_sizes import AttentionAtSize, at_size, groups_of_rows
from .attention import check_attention, watched

if TYPE_CHECKING:
    from picturelab.runs.folder import OnProgress


def attention_by_size(
    pipe: Pipeline,
    prompt: str,
    sizes: Sequence[tuple[int, int]],
    *,
    seed: int = 0,
    queries: int = 128,
    on_progress: OnProgress | None = None,
    **pipe_kwargs: Any,
) -> list[AttentionAtSize]:
    """`attention_to_padding` at several sizes, with the share of each row of padding.

    One image a size, each from its own noise of the same seed; latents are not decoded unless `output_type` says so.
    A size is used as it is, so pipelines that would snap it to one of their own (`use_resolution_binning`) do not.

    Args:
        sizes: (height, width), pixels, all different; see `size_multiple` for what a pipeline takes.
        queries: image tokens to look at, evenly spread.
        on_progress: called with "sizes", how many are done, and how many there are.
        pipe_kwargs: for the pipeline's call.

    Raises:
        ValueError, TypeError, RuntimeError: see `attention_to_padding`; the sizes are none, or `height` or `width`
            is given besides.
    """
    family = check_attention(pipe, prompt, seed, queries, pipe_kwargs)
    _check_sizes(pipe, sizes, pipe_kwargs)
    denoiser = denoiser_of(pipe, family)
    names = {module: name for name, module in denoiser.named_modules()}
    layers = [names[module] for module in attention_modules(denoiser, family)]
    call = {"output_type": "latent"} | pipe_kwargs
    if "use_resolution_binning" in inspect.signature(type(pipe).__call__).parameters:
        call.setdefault("use_resolution_binning", False)
    found = []
    for done, (height, width) in enumerate(sizes, 1):
        own = call | {"height": height, "width": width}
        shares = watched(pipe, family, prompt, groups_of_rows, seed=seed, queries=queries, call=own)
        found.append(at_size(height, width, shares, layers))
        if on_progress is not None:
            on_progress("sizes", done, len(sizes))
    return found


def training_size(pipe: Pipeline) -> tuple[int, int]:
    """(height, width) in pixels that a pipeline draws by default, as its parts' configs say.

    Raises:
        ValueError: they do not say.
    """
    config: Any = denoiser_of(pipe, family_of(pipe)).config
    side = getattr(pipe, "default_sample_size", None) or config.get("sample_size")
    scale = getattr(pipe, "vae_scale_factor", None)
    sides = (side, side) if isinstance(side, int) else side
    if not scale or not isinstance(sides, Sequence) or len(sides) != 2:
        raise ValueError(f"{type(pipe).__name__} does not say at which size it was trained; give the size")
    return int(sides[0] * scale), int(sides[1] * scale)


def size_multiple(pipe: Pipeline) -> int:
    """Pixels of which a picture's sides must be multiples: of the latents, and of the denoiser's patches of these."""
    config: Any = denoiser_of(pipe, family_of(pipe)).config
    patch = config.get("patch_size")
    processor = getattr(pipe, "image_processor", None)
    scale = getattr(pipe, "vae_scale_factor", 8)
    preprocessed = scale if processor is None else processor.config.vae_scale_factor
    return math.lcm(int(preprocessed), int(scale) * (patch if isinstance(patch, int) else 1))


def scaled_sizes(size: tuple[int, int], scales: Sequence[float], multiple: int) -> list[tuple[int, int]]:
    """A size enlarged by each of some factors, to the nearest multiple.

    Raises:
        ValueError: a size lies outside the bounds, or two are the same.
    """
    sizes = []
    for scale in scales:
        height, width = (max(1, round(side * scale / multiple)) * multiple for side in size)
        sizes.append((check("height", height), check("width", width)))
        if sizes.count(sizes[-1]) > 1:
            raise ValueError(
                f"scales is {shown(list(scales))}; two of them give {width}x{height}, so name different ones"
            )
    return sizes


def _check_sizes(pipe: Pipeline, sizes: Any, call: dict[str, Any]) -> None:
    several = isinstance(sizes, Sequence) and not isinstance(sizes, str) and len(sizes)
    pairs = several and all(isinstance(size, Sequence) and len(size) == 2 for size in sizes)
    if not pairs or len({tuple(size) for size in sizes}) < len(sizes):
        raise ValueError(
            f"sizes is {shown(sizes)}; it is a sequence of different (height, width), such as [(512, 512)]"
        )
    for name in ("height", "width"):
        if name in call:
            raise ValueError(f"{name} is {shown(call[name])}; here sizes says it, so leave it out")
    multiple = size_multiple(pipe)
    for size in sizes:
        for name, side in zip(("height", "width"), size, strict=True):
            if check(name, side) % multiple:
                raise ValueError(f"{name}={side}: {type(pipe).__name__} takes multiples of {multiple}")
