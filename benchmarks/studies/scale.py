"""What a million SDXL pictures of 2048 x 2048 need, from measured figures. Prints the tables of docs/scale.md.

Run from the repository's root with `python -m benchmarks.studies.scale` after `python -m benchmarks.batch`. The time of
a picture is no measurement: it is the multiply-adds that `fouriscale explain` counts over the arithmetic that a GPU is
assumed to reach. Give your own with `--seconds`.

A study of 24 November 2026.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from fouriscale.config import FouriScaleConfig
from fouriscale.loading.configs import unet_config
from fouriscale.reports.explain import explain

from ..batch import RESULTS

PICTURES = 1_000_000
SIDE, STEPS = 2048, 50
REACHED = 0.4  # of a GPU's dense half-precision peak; assumed
PEAKS = {"A100": 312e12, "H100": 989e12}  # operations a second, as their maker states them
GPUS = (8, 64, 512)


def operations() -> float:
    """Of one picture's denoising with FouriScale and guidance: two for a multiply-add."""
    explanation = explain(
        unet_config("sdxl"), SIDE, SIDE, steps=STEPS, config=FouriScaleConfig.preset("sdxl")
    )
    return 2 * STEPS * explanation.run_cost * explanation.direct_cost


def table(seconds: dict[str, float], found: dict[str, Any]) -> list[str]:
    """Days, pictures, bytes and notes a second, by number of GPUs."""
    size, line = found["picture_2048"]["bytes"], found["scheduler"]["manifest_bytes_per_job"]
    rows = [
        "| GPUs | kind | days | pictures a second | MB written a second | share of one driver | PNG threads a GPU |",
        "|---|---|---|---|---|---|---|",
    ]
    for count in GPUS:
        for kind, each in seconds.items():
            rate = count / each
            rows.append(
                f"| {count} | {kind} | {PICTURES / rate / 86400:.1f} | {rate:.2f} | {rate * (size + line) / 1e6:.1f} | "
                f"{rate / found['scheduler']['groups_per_second']:.2%} | "
                f"{found['picture_2048']['compress_seconds'] / each:.3f} |"
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, help="of a picture on your GPU")
    given = parser.parse_args()
    found = json.loads(RESULTS.read_text())
    count = operations()
    seconds = {kind: count / (REACHED * peak) for kind, peak in PEAKS.items()}
    if given.seconds:
        seconds = {"yours": given.seconds}
    size, scheduler = found["picture_2048"]["bytes"], found["scheduler"]
    print("\n".join(table(seconds, found)))
    print(f"\noperations of a picture: {count:.3g}; seconds: {json.dumps(seconds)}")
    print(f"pictures: {PICTURES * size / 1e12:.1f} TB")
    print(f"manifest: {PICTURES * scheduler['manifest_bytes_per_job'] / 1e6:.0f} MB")
    print(f"planning: {PICTURES / scheduler['planned_per_second']:.0f} s")
    print(f"reading the manifest: {PICTURES / scheduler['manifest_lines_per_second']:.0f} s")


if __name__ == "__main__":
    main()
