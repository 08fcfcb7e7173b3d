"""The compatibility matrix: every combination is sampled, compared and restored, or refused in one sentence."""

import cells_pipelines  # noqa: F401 - registers its cells
import pytest
from matrix_cell import CELLS, check

from fouriscale import apply_fouriscale
from fouriscale.patch import current_state


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.id)
def test_cell(cell):
    setting = cell.make(cell.family)
    with setting.undo:
        if cell.refused is None:
            check(setting)
            return
        with pytest.raises(ValueError, match=cell.refused) as refusal:
            apply_fouriscale(setting.pipe, setting.config)
        assert "\n" not in str(refusal.value)
