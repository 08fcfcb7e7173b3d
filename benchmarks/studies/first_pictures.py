"""How often our joint models are right at sizes that a cascade's first picture may have, sampled directly.

`python -m benchmarks.studies.first_pictures` prints a table; a quarter of an hour on one core. It is what
`fouriscale.sampling.cascade.first_size` was chosen by, on the first 48 scenes of the study of positions.

A study of 27 November 2026.
"""

from __future__ import annotations

import dataclasses

from ..joint import sampled
from ..joint_cells import CELLS, DIRECT, STUDIED
from ..quality import SEED

# (height, width) beside the picture's shape: of the training size's area, a side within it, and a side as it.
_SIZES = ((104, 160), (88, 128), (112, 168), (128, 192), (88, 184), (128, 256))
_COUNT, _BATCH = 48, 8


def main() -> None:
    from shapeworld import check, sample_scenes

    scenes = sample_scenes(_COUNT, SEED, 1)
    print("| width x height | model | right | repeated |\n|---|---|---|---|")
    for size in _SIZES:
        for model in STUDIED:
            cell = next(c for c in CELLS if (c.model, c.way_name) == (model, DIRECT))
            cell = dataclasses.replace(cell, size=size)
            reports = []
            for first in range(0, _COUNT, _BATCH):
                some = scenes[first : first + _BATCH]
                for scene, picture in zip(
                    some, sampled(cell, [s.caption for s in some], first, None, "cpu"), strict=True
                ):
                    reports.append(check(picture.resize((2 * size[1], 2 * size[0])), scene))
            right, repeated = (
                sum(getattr(report, what) for report in reports) for what in ("correct", "repeated")
            )
            print(
                f"| {size[1]}x{size[0]} | {model} | {right} of {_COUNT} | {repeated} of {_COUNT} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
