"""Where pictures stand in grids: every place worked out by hand."""

import numpy as np
import pytest
from PIL import Image

from picturelab.reports.grid import beneath, beside, captioned, framed, labelled_grid, labelled_row

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


def _red(width, height):
    return Image.new("RGB", (width, height), RED)


def _blue(width, height):
    return Image.new("RGB", (width, height), BLUE)


def _place(picture, colour):
    """(left, top, right, bottom) of what has a colour; all of it has."""
    rows, columns = np.nonzero((np.asarray(picture) == colour).all(-1))
    box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert len(rows) == (box[2] - box[0]) * (box[3] - box[1])
    return tuple(map(int, box))


def test_beside_beneath_and_framed():
    row = beside([_red(10, 4), _blue(3, 6)], 2)
    assert (row.size, _place(row, RED), _place(row, BLUE)) == ((15, 6), (0, 0, 10, 4), (12, 0, 15, 6))
    assert row.getpixel((5, 5)) == row.getpixel((11, 0)) == WHITE
    column = framed(beneath([_red(10, 4), _blue(3, 6)], 2), 5)
    assert (column.size, _place(column, RED)) == ((20, 22), (5, 5, 15, 9))
    assert _place(column, BLUE) == (5, 11, 8, 17)


def test_a_caption_stands_above_and_ends_with_the_picture():
    block = captioned(_red(20, 10), "a long caption", 26, 14, left=4, colour="dimgray")
    assert (block.size, _place(block, RED)) == ((20, 36), (0, 26, 20, 36))
    strip = np.asarray(block)[:26]
    assert (strip[:, :4] == 255).all()
    assert (strip[:, 4:] < 255).any()


def test_a_row_under_labels():
    row = labelled_row([("a", _red(30, 20)), ("b", _blue(40, 10))])
    assert row.size == (30 + 8 + 40, 28 + 20)
    assert (_place(row, RED), _place(row, BLUE)) == ((0, 28, 30, 48), (38, 28, 78, 38))
    assert (np.asarray(row)[:28, :30] < 255).any()
    assert (np.asarray(row)[:28, 38:] < 255).any()


def test_a_grid_of_columns_and_rows():
    grid = labelled_grid({"full": [_red(40, 20)], "clean": [_blue(40, 20)]}, [""], tile=80)
    # Margin 8 + 0 + 8, then tiles of 80 x 40, 8 after each; on top 8 and a line of 16 for the labels.
    assert grid.size == (16 + 2 * 88, 24 + 48)
    assert (_place(grid, RED), _place(grid, BLUE)) == ((16, 24, 96, 64), (104, 24, 184, 64))
    with_title = labelled_grid({"full": [_red(40, 20)]}, [""], title="short", tile=80)
    assert _place(with_title, RED) == (16, 40, 96, 80)


def test_small_tiles_grow_to_128_and_large_ones_shrink_to_256():
    assert _place(labelled_grid({"a": [_red(32, 64)] * 1}, [""]), RED) == (16, 24, 16 + 64, 24 + 128)
    assert _place(labelled_grid({"a": [_red(512, 384)]}, [""]), RED) == (16, 24, 16 + 256, 24 + 192)


def test_a_column_without_a_picture_for_every_row_is_refused():
    with pytest.raises(ValueError, match=r"a grid needs 2 images in every arm, got \{'b': 1\}"):
        labelled_grid({"a": [_red(8, 8)] * 2, "b": [_red(8, 8)]}, ["x", "y"])
    with pytest.raises(ValueError, match="got no arm"):
        labelled_grid({}, ["x"])
