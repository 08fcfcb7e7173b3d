"""docs/compatibility.md, made of what a run of the matrix found."""

import inspect
from pathlib import Path

import diffusers
import pytest
from diffusers import DiffusionPipeline

from fouriscale.hooks.pipelines import refuse_other_batches
from tests.tiny.unet_pipelines import FAMILIES

RESULTS = pytest.StashKey()  # what each cell gave, by cell: a `Result`
PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"

_OTHER_UNETS = ("UNetMotionModel", "UNetControlNetXSModel")
NOT_TRIED = [
    "real weights of any model, since no model hub can be reached where this is built",
    "CUDA, MPS and several devices; float16 and bfloat16 are tested on the CPU only "
    "(`tests/fouriscale/hooks/test_patch.py`)",
    "xformers, which needs a GPU",
    "quantised convolutions; bitsandbytes and torchao leave them as they are, and so do the cells above",
    "`torch.compile` with inductor: the graphs are checked with the backend that runs them as they are",
    "`pipe.enable_sequential_cpu_offload()` itself, which fails on a CPU as the device to run on, without "
    "FouriScale too; what it does to the UNet is in the table",
]

_HEAD = """\
# What FouriScale works with

Made by `make test-matrix` from what it found, and compared with it on every run: do not edit by hand. Each
combination ran on small random models of the true architecture, two levels deep, at twice the training size
on each axis. "Works" means that it

- runs and keeps the output's size,
- changes the picture,
- equals what the last column names, to a thousandth of FouriScale's effect or better,
- and after removal gives the picture from before, bit for bit, with no attribute or hook left behind.

"{reference}" stands for an implementation of its own in the tests
(`tests/matrix/plain_reference.py`): padded maps filtered by FFT, and every branch its own UNet call.
"Refused" combinations raise one sentence before anything is changed; the sentences are tested.

diffusers {diffusers}.
"""


def render(results, reference):
    """The page's text from {cell: Result}."""
    lines = [_HEAD.format(reference=reference, diffusers=diffusers.__version__)]
    for group in dict.fromkeys(cell.group for cell in results):
        lines += [f"## {group}", "", "| combination | SD | SDXL | equals |", "|---|---|---|---|"]
        rows = {}
        for cell, result in results.items():
            if cell.group == group:
                rows.setdefault(cell.name, {})[cell.family] = (cell, result)
        for name, row in rows.items():
            cell, result = next(iter(row.values()))
            shown = [row[f][1].word if f in row else cell.absent for f in FAMILIES]
            lines.append(f"| {name} | {' | '.join(shown)} | {result.equals} |")
        lines.append("")
    lines += ["## Refused", ""]
    said = {result.sentence: None for result in results.values() if result.sentence}
    lines += [*(f"- {sentence}" for sentence in said), ""]
    tried = {name for result in results.values() for name in result.pipelines}
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
