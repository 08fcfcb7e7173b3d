"""The checker's drawing and the scoreboard."""

import numpy as np

from picturelab_ui.shapeworld.outlines import outlined
from picturelab_ui.shapeworld.tally import Score, add, load, tally
from shapeworld import check, sample_scenes


def test_boxes_lie_around_the_true_objects():
    (scene,) = sample_scenes(1, seed=3, objects=2)
    image = scene.render(128, 192)
    report = check(image, scene)
    drawing = outlined(image, report)
    assert drawing.size == (576, 384)  # the shorter side is 384
    before = np.asarray(image.resize(drawing.size))
    changed = np.abs(np.asarray(drawing).astype(int) - before).sum(2) > 300
    for one in report.objects:
        top, left, bottom, right = one.box
        row, column = round((top + bottom) / 2 * 384), round((left + right) / 2 * 576)
        assert changed[row, max(0, round(left * 576) - 4) : round(left * 576) + 5].any()
        assert changed[row, round(right * 576) - 4 : round(right * 576) + 5].any()
        assert not changed[row, column]  # the object itself can still be seen
    assert outlined(scene.render(512, 512), report).size == (512, 512)  # never made smaller


def test_the_scoreboard_counts_by_size_and_sampling(tmp_path):
    file = tmp_path / "scores.jsonl"
    assert load(file) == []
    scores = [
        Score("direct", (256, 384), True, False),
        Score("direct", (256, 384), False, True),
        Score("FouriScale", (256, 384), False, True),
        Score("direct", (128, 128), False, True),
    ]
    for score in scores:
        add(file, score)
    assert load(file) == scores
    assert tally(load(file)) == [
        ["128 x 128", "direct", 1, "0 (0%)", "1 (100%)"],
        ["384 x 256", "FouriScale", 1, "0 (0%)", "1 (100%)"],
        ["384 x 256", "direct", 2, "1 (50%)", "1 (50%)"],
    ]
