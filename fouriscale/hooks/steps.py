"""Which step of its run a call is, without waiting for the device at every call."""

from __future__ import annotations

import torch

_ROUNDING = 1e-5  # of a run's timesteps


class Steps:
    """The latest run's timesteps, read once: reading anything of a GPU waits for all that it still has to do."""

    def __init__(self) -> None:
        self._read: tuple[torch.Tensor, int, list[float]] | None = None

    def find(
        self, timesteps: torch.Tensor, timestep: torch.Tensor | float, *, distinct: bool = False
    ) -> tuple[int, int]:
        """The step whose timestep is nearest to a call's, the first of several, and how many there are.

        Counted from noise to picture. Inverse schedulers go the other way, through the same noise levels.

        Args:
            timesteps: of the whole run.
            timestep: of the call.
            distinct: whether equal timesteps, of schedulers that call the UNet twice at one, are one step.

        Raises:
            ValueError: the rows have several timesteps.
        """
        values = self._values(timesteps)
        now = _value(timestep, timesteps, values)
        if len(values) > 1 and values[0] < values[-1]:
            values = values[::-1]
        if distinct:
            values = _apart(values)
        return min(range(len(values)), key=lambda step: abs(values[step] - now)), len(values)

    def _values(self, timesteps: torch.Tensor) -> list[float]:
        if timesteps.is_inference():  # these do not tell whether they have been written to
            return timesteps.tolist()
        read = self._read
        if read is None or read[0] is not timesteps or read[1] != timesteps._version:
            read = self._read = timesteps, timesteps._version, timesteps.tolist()
        return read[2]


def _apart(values: list[float]) -> list[float]:
    """Those that differ from the one before by more than rounding, as KDPM2's second calls do."""
    least = _ROUNDING * abs(values[0] - values[-1])
    return [value for i, value in enumerate(values) if i == 0 or abs(value - values[i - 1]) > least]


def _value(timestep: torch.Tensor | float, timesteps: torch.Tensor, values: list[float]) -> float:
    """The timestep of all rows."""
    if not isinstance(timestep, torch.Tensor):
        return timestep
    place = _place_in(timesteps, timestep)
    if place is not None:
        return values[place]
    several = timestep.flatten()
    if len(several) > 1 and bool((several != several[0]).any()):
        raise ValueError(
            f"the UNet was called with timesteps {', '.join(f'{t:g}' for t in several.tolist())} in one batch: what "
            "FouriScale does depends on the timestep, so give rows of one timestep in a call"
        )
    return several[0].item()


def _place_in(timesteps: torch.Tensor, timestep: torch.Tensor) -> int | None:
    """Which entry of `timesteps` a timestep is a view of, as in every loop over them; None: of none."""
    alike = timestep.dtype == timesteps.dtype and timestep.device == timesteps.device
    one = timestep.numel() == 1 or not any(timestep.stride())
    if not (alike and one and timesteps.is_contiguous()):
        return None
    place, rest = divmod(timestep.data_ptr() - timesteps.data_ptr(), timesteps.element_size())
    return place if rest == 0 and 0 <= place < len(timesteps) else None
