"""The compatibility matrix: every combination is sampled, compared and restored, or refused in one sentence."""

import cells_adapters  # noqa: F401 - each registers its cells
import cells_memory  # noqa: F401
import cells_pipelines  # noqa: F401
import cells_samplers  # noqa: F401
import pytest
from matrix_cell import CELLS, check

from fouriscale import apply_fouriscale
from fouriscale.patch import current_state


# Of the schedulers' own making, and of peft's when a second LoRA comes.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array_wrap__ must accept context:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Should have ta>=t0:UserWarning"),
    pytest.mark.filterwarnings("ignore:Already found a `peft_config` attribute:UserWarning"),
]


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
