"""docs/compatibility.md, made of what a run of the matrix found."""

import inspect
from pathlib import Path

import diffusers
import pytest
from diffusers import DiffusionPipeline

from fouriscale.hooks.pipelines import refuse_other_batches
from tests.matrix.cell import SETTINGS
from tests.tiny.unet_pipelines import FAMILIES

RESULTS = pytest.StashKey()  # what each cell gave, by cell and mode: a `Result`
PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"

_FAMILY = {"SD": "SD", "XL": "SDXL"}
_TRANSFORMERS = {
    "flux": "FLUX.1",
    "chroma": "Chroma",
    "flux2": "FLUX.2",
    "qwen_image": "Qwen-Image",
    "z_image": "Z-Image",
    "sd3": "SD 3",
    "lumina2": "Lumina 2",
    "krea2": "Krea 2",
}
_OTHER_UNETS = ("UNetMotionModel", "UNetControlNetXSModel")
NOT_TRIED = [
    "real weights of any model, since no model hub can be reached where this is built",
    "CUDA, MPS and several devices; float16 and bfloat16 are tested on the CPU only "
    "(`tests/fouriscale/hooks/test_patch.py`)",
    "xformers, which needs a GPU",
    "quantised convolutions; bitsandbytes and torchao leave them as they are, and so do the cells above",
    "`pipe.enable_sequential_cpu_offload()` itself, which fails on a CPU as the device to run on, without "
    "FouriScale too; what it does to the UNet is in the table",
    "Qwen-Image-Edit with its processor, which cannot be built offline: its texts are encoded beforehand; and with a "
    "reference picture of a megapixel",
    "`compile_repeated_blocks()` of SD 3, which diffusers refuses, since its class names no blocks that repeat",
    "compiled transformers with the inductor backend: those above run what was traced as it stands",
]

_HEAD = """\
# What FouriScale works with

Made by `make test-matrix` from what it found, and compared with it on every run: do not edit by hand. Each
combination ran on small random models of the true architecture, two levels deep, at twice the training size
on each axis, in paper mode and in fast mode, whose deep blocks are on the training grid. "Works" means that it

- runs and keeps the output's size,
- changes the picture,
- equals what the last column names, to a thousandth of FouriScale's effect or better,
- and after removal gives the picture from before, bit for bit, with no attribute or hook left behind.

"{reference}" stands for an implementation of its own in the tests
(`tests/matrix/plain_reference.py`, `plain_deep.py`): padded maps filtered by FFT, deep maps resampled by a DCT,
and every branch its own UNet call. Transformers have no modes: their positions are interpolated, with a temperature,
and the yardstick turns the picture's tokens by each family's own formula (`tests/matrix/plain_positions.py`), for SD 3
by the sines of which its table is made, to a twentieth of the effect.
"Refused" combinations raise one sentence before anything is changed; the sentences are tested.

diffusers {diffusers}.
"""


def render(results, reference):
    """The page's text from {cell: {mode: Result}}."""
    lines = [_HEAD.format(reference=reference, diffusers=diffusers.__version__)]
    for group in dict.fromkeys(cell.group for cell in results):
        lines += [f"## {group}", "", *_table([cell for cell in results if cell.group == group], results), ""]
    lines += ["## Refused", ""]
    every = [result for by_mode in results.values() for result in by_mode.values()]
    said = {result.sentence: None for result in every if result.sentence}
    lines += [*(f"- {sentence}" for sentence in said), ""]
    tried = {name for result in every for name in result.pipelines}
    refused, replaced, others = pipeline_classes()
    lines += [
        "## Every pipeline of diffusers with a UNet2DConditionModel",
        "",
        "Refused by name, because their rows are not [unconditional, conditional]: "
        + _listed(refused - tried)
        + ".",
        "",
        "Refused, because they build another UNet from it: " + _listed(replaced) + ".",
        "",
        "Accepted, and not tried: " + _listed(others - tried) + ".",
        "",
        "## Not tried",
        "",
        *(f"- {what}" for what in NOT_TRIED),
        "",
    ]
    return "\n".join(lines)


def _table(cells, results):
    """A group's lines, a column for each family in each mode."""
    modes = [mode for mode in (*SETTINGS, "positions") if any(mode in cell.modes for cell in cells)]
    families, columns = FAMILIES, [f"{_FAMILY[family]}, {mode}" for family in FAMILIES for mode in modes]
    if modes == ["positions"]:
        families, columns = list(_TRANSFORMERS), list(_TRANSFORMERS.values())
    lines = [f"| combination | {' | '.join(columns)} | equals |", f"|---|{'---|' * len(columns)}---|"]
    rows = {}
    for cell in cells:
        rows.setdefault(cell.name, {})[cell.family] = cell
    for name, row in rows.items():
        first = next(iter(row.values()))
        shown = [_word(row.get(family), mode, first, results) for family in families for mode in modes]
        equals = next(iter(results[first].values())).equals
        lines.append(f"| {name} | {' | '.join(shown)} | {equals} |")
    return lines


def _word(cell, mode, row, results):
    if cell is None:
        return row.absent
    return results[cell][mode].word if mode in cell.modes else cell.otherwise


def pipeline_classes():
    """Names of diffusers' pipelines for a UNet2DConditionModel: refused, put into another UNet, accepted."""
    refused, replaced, accepted = set(), set(), set()
    for name in dir(diffusers):
        kind = getattr(diffusers, name, None)
        if not (isinstance(kind, type) and issubclass(kind, DiffusionPipeline)):
            continue
        taken = inspect.signature(kind.__init__).parameters
        if "UNet2DConditionModel" not in str(getattr(taken.get("unet"), "annotation", "")):
            continue
        if any(other in str(taken["unet"].annotation) for other in _OTHER_UNETS):
            replaced.add(name)
            continue
        try:
            refuse_other_batches(object.__new__(kind))
        except ValueError:
            refused.add(name)
        else:
            accepted.add(name)
    return refused, replaced, accepted


def _listed(names):
    return ", ".join(sorted(names)) or "none"
