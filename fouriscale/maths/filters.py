"""The filters of a run, each built once. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from .decimate import Decimation
from .lowpass import LowPass, Window
from .plan import Plan, padded_size, size_at
from .sizes import Size

Filter = LowPass | Decimation
_Key = tuple[Size, int, bool]  # size of the maps, stride of the convolution, whether of the guidance branch


class FilterCache:
    """Filters, kept from image to image, and let go when the size or schedule changes."""

    def __init__(self) -> None:
        self._run: tuple = ()
        self._by_dilation: dict[float, dict[_Key, Filter | None]] = {}
        self._filters: dict[_Key, Filter | None] = {}  # of the latest call; None where one is the identity

    def prepare(
        self,
        plan: Plan,
        run: tuple,
        places: Iterable[tuple[int, int]],
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        """Build what a call needs and is not there yet, in both branches.

        Ahead of the UNet rather than where they are used, so that a compiled UNet finds tensors and
        does not depend on how they came about.

        Args:
            plan: of the call.
            run: what the filters depend on besides the dilation; another one lets go of all.
            places: (level, stride) of the filtered convolutions.
            device, dtype: of the sample.
        """
        if run != self._run:
            self._by_dilation, self._run = {}, run
        self._filters = self._by_dilation.setdefault(plan.dilation, {})
        for level, stride in places:
            for weak in (False, True) if plan.guidance_rows else (False,):
                self._build(plan, (size_at(plan.latent_size, level), stride, weak), device, dtype)

    def filter(self, plan: Plan, x: torch.Tensor, stride: int, weak: bool) -> Filter | None:
        """What filters maps x (B, C, height, width) before a convolution of this stride, in the latest call."""
        key = ((x.shape[-2], x.shape[-1]), stride, weak)
        if key not in self._filters:  # a map that `prepare` could not foresee
            self._build(plan, key, x.device, x.dtype)
        return self._filters[key]

    def _build(self, plan: Plan, key: _Key, device: torch.device, dtype: torch.dtype) -> None:
        if key not in self._filters:
            self._filters[key] = _build(plan, *key, device, dtype)


def _build(
    plan: Plan, size: Size, stride: int, weak: bool, device: torch.device, dtype: torch.dtype
) -> Filter | None:
    if plan.decimated and not weak:
        return Decimation.build(size, plan.strong_dilation, stride, device, dtype)
    padded = padded_size(
        size, latent_size=plan.latent_size, training_size=plan.training_size, factor=plan.factor
    )
    window = Window(max(plan.dilation / stride, 1.0), plan.floor, weak)
    return LowPass.build(size, padded, window, device, dtype)
