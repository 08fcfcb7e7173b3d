"""What dilated convolutions see beyond a border, compared: rows, pairs and the table."""

from benchmarks import border_modes


def test_every_border_has_a_row_of_its_own():
    keys = {border_modes.key(cell, "weights") for cell in border_modes.CELLS}
    assert len(keys) == len(border_modes.CELLS) == 4
    assert "border" not in border_modes.CELLS[0].config


def test_pairs_by_hand_and_the_table():
    zeros = {scene: {"correct": True} for scene in range(8)}
    others = {scene: {"correct": scene < 4} for scene in range(9)}  # the last has no partner
    compared = border_modes.compare(zeros, others)
    assert (compared["pairs"], compared["correct_difference"]["fraction"]) == (8, -0.5)
    assert compared["correct_difference"]["high"] < 0
    share = {"fraction": 0.5, "low": 0.25, "high": 0.75}
    row = {"cell": "a", "count": 8, "correct": share, "repeated": share, **compared}
    assert "| a | 8 | 50% (25% to 75%) | 50% (25% to 75%) | -50 (" in border_modes.to_markdown([row], {})
    assert border_modes.compare({}, others)["correct_difference"] is None
