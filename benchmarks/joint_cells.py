"""The rows of the study of positions: which models sample which scenes in which ways, at which sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

TRAINING = (128, 128)
STUDIED = ("joint-masked", "joint-registers")


@dataclass(frozen=True)
class Way:
    """One way to sample.

    Attributes:
        positions: a `PositionConfig`'s settings besides the training size; None samples directly.
        shift: of the schedule, the same at every size; 1 is the models' own.
        strength: of a cascade: the picture at the training size enlarged bicubically and so much of the run sampled at
            the larger size; 0 enlarges and does no more; None samples once.
        padding: "masked" hides it from the denoiser, "trimmed" takes it out; None leaves it as the model has it.
    """

    positions: dict[str, Any] | None
    shift: float = 1.0
    strength: float | None = None
    padding: str | None = None


def _rules() -> dict[str, Way]:
    rules = {
        f"{rule}, temperature {temperature}": Way({"rule": rule, "temperature": temperature})
        for rule in ("interpolate", "ntk", "yarn")
        for temperature in ("none", "yarn", "proportional")
    }
    dynamic = {
        f"{rule}, following the noise": Way({"rule": rule, "dynamic": True})
        for rule in ("interpolate", "ntk", "yarn")
    }
    return rules | dynamic


DIRECT = "direct"
_BEST: dict[str, Any] = {"rule": "interpolate", "temperature": "yarn"}  # of the first trial
_FINALISTS = {DIRECT: Way(None), "interpolate, temperature yarn": Way(_BEST)}
_SHIFTS = {f"interpolate, temperature yarn, shift {shift:g}": Way(_BEST, shift) for shift in (1.5, 2.0, 3.0)}
_TEMPERATURES = {
    f"interpolate, temperature {m:g}": Way(_BEST | {"temperature": m}) for m in (1.15, 1.25, 1.4)
}
_CASCADES = {
    "enlarged bicubically": Way(_BEST, strength=0.0),
    **{f"cascade, strength {part:g}": Way(_BEST, strength=part) for part in (0.3, 0.5, 0.7)},
}
_PADDED = ("joint", "joint-registers")  # whose denoisers see padding, as trained
_PADDINGS = {
    f"{name}, padding {padding}": Way(way.positions, padding=padding)
    for name, way in _FINALISTS.items()
    for padding in ("masked", "trimmed")
}
_EACH = {"interpolate, temperature yarn, a scale for each axis": Way(_BEST | {"axes": "each"})}
_ALL = _rules() | _SHIFTS | {"direct, shift 2": Way(None, 2.0)}
# (height, width): pictures of a finalist and of each other way, and the others; those with changed padding beside.
_SIZES: dict[tuple[int, int], tuple[int, int, dict[str, Way]]] = {
    (128, 192): (128, 64, _rules()),
    (192, 192): (128, 64, _rules() | _CASCADES),
    (256, 256): (128, 128, _ALL | _CASCADES | _PADDINGS),
    (256, 384): (128, 64, _rules() | _EACH | _CASCADES),
    (512, 512): (64, 24, _ALL | _TEMPERATURES | _CASCADES | _PADDINGS),
}


@dataclass(frozen=True)
class Cell:
    """One row of the table: `count` scenes at (height, width) pixels by one model."""

    model: str
    way_name: str
    way: Way
    size: tuple[int, int]
    count: int

    @property
    def name(self) -> str:
        return f"{self.model}, {self.size[1]}x{self.size[0]}, {self.way_name}"

    @property
    def batch(self) -> int:
        return max(1, 4 * 256**2 // (self.size[0] * self.size[1]))

    def call(self, steps: int | None) -> dict[str, Any]:
        """The pipeline's arguments besides a size."""
        from shapeworld import SAMPLING

        call = {k: v for k, v in SAMPLING[self.model].call.items() if k not in ("height", "width")}
        return call | ({} if steps is None else {"num_inference_steps": steps})


def _cells() -> list[Cell]:
    found = []
    for size, (most, usual, others) in _SIZES.items():
        for name, way in (_FINALISTS | others).items():
            finalist = name in _FINALISTS
            models = _PADDED if way.padding else (*STUDIED, "joint") if finalist else STUDIED
            found += [Cell(model, name, way, size, most if finalist else usual) for model in models]
    return found


CELLS = _cells()
