"""The compatibility matrix: every combination is sampled, compared and restored, or refused in one sentence.

`make test-matrix` runs it, and `--write-table` writes docs/compatibility.md from it.
"""

import pytest

from fouriscale import apply_fouriscale
from tests.matrix import (
    cells_adapters,  # noqa: F401 - each registers its cells
    cells_files,  # noqa: F401
    cells_memory,  # noqa: F401
    cells_own_loops,  # noqa: F401
    cells_pipelines,  # noqa: F401
    cells_samplers,  # noqa: F401
    cells_transformers,  # noqa: F401
    cells_wrap,  # noqa: F401
)
from tests.matrix import table as matrix_table
from tests.matrix.cell import CELLS, LAYERWISE, REFERENCE, TRANSFORMERS, WRAP, Result, check

GROUPS = [
    "Pipelines",
    "Adapters",
    "Samplers",
    "Memory and speed",
    "Loops of your own",
    LAYERWISE,
    WRAP,
    TRANSFORMERS,
]
ORDERED = sorted(CELLS, key=lambda cell: GROUPS.index(cell.group))

# Of the schedulers' own making, and of peft's when a second LoRA comes.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array_wrap__ must accept context:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Should have ta>=t0:UserWarning"),
    pytest.mark.filterwarnings("ignore:Already found a `peft_config` attribute:UserWarning"),
]


@pytest.mark.parametrize("cell", ORDERED, ids=lambda cell: cell.id)
def test_cell(cell, request):
    results = request.config.stash[matrix_table.RESULTS]
    results[cell] = {mode: Result("fails") for mode in cell.modes}  # until it has passed
    setting = cell.make(cell.family)
    with setting.undo:
        if cell.refused is None:
            check(setting, cell.modes)
            works = Result("works", setting.equals, None, setting.pipelines())
            results[cell] = dict.fromkeys(cell.modes, works)
            return
        for mode in cell.modes:
            with pytest.raises(ValueError, match=cell.refused) as refusal:
                apply_fouriscale(setting.pipe, setting.config(mode), **setting.apply)
            assert "\n" not in str(refusal.value)
            results[cell][mode] = Result("refused", "", str(refusal.value))


def test_the_page_says_what_was_found(request):
    results = request.config.stash[matrix_table.RESULTS]
    missing = [cell.id for cell in ORDERED if cell not in results]
    assert not missing, "the page is made of a whole run: pytest tests/matrix"
    page = matrix_table.render(results, REFERENCE)
    if request.config.getoption("--write-table"):
        matrix_table.PAGE.write_text(page)
    assert matrix_table.PAGE.read_text() == page
