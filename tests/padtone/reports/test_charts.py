"""The report's drawings, read back from the SVG that they are."""

import base64
import xml.etree.ElementTree as ET

import pytest

from padtone.reports.charts import (
    COLOURS,
    DOT,
    arm_chart,
    attention_chart,
    finding_chart,
    keep_chart,
    models_chart,
    place_chart,
    token_chart,
)
from picturelab.reports.drawing import LINE, NOISE, SOFT

SVG = "{http://www.w3.org/2000/svg}"


def drawing(address):
    head = "data:image/svg+xml;base64,"
    assert address.startswith(head)
    return ET.fromstring(base64.b64decode(address.removeprefix(head)))


def words(root):
    return [text for element in root.iter(f"{SVG}text") if (text := "".join(element.itertext()).strip())]


def markers(root, color):
    """Where points of a color lie, (x, y) in the drawing's own units, y downward."""
    return [
        (float(use.get("x")), float(use.get("y")))
        for group in root.iter(f"{SVG}g")
        for use in group.findall(f"{SVG}use")
        if f"fill: {color}" in (use.get("style") or "") and use.get("x")
    ]


def interval(mean, reach=0.1):
    return {"mean": mean, "low": mean - reach, "high": mean + reach}


def test_keep_chart_has_a_point_a_number_and_the_noise_line():
    means, seconds = (0.5, 0.6, 0.7, 0.9, 1.0), (1.0, 1.25, 1.5, 2.0, 3.0)
    curve = [
        {"k": k, "to_full": interval(mean), "seconds": time}
        for k, mean, time in zip((0, 1, 4, 8, 20), means, seconds, strict=True)
    ]
    root = drawing(keep_chart(curve, padding=17, noise=0.75))
    shown = words(root)
    assert all(shown.count(label) >= 2 for label in ("1", "4", "8", "all 17")), "below both"
    assert "20" not in shown
    assert {"another seed", "Likeness to the full picture", "Time for a picture", "seconds"} <= set(shown)
    points = markers(root, LINE)
    for half, values in ((points[-10:-5], means), (points[-5:], seconds)):
        x, y = zip(*half, strict=True)
        assert x == pytest.approx([x[0] + i * (x[1] - x[0]) for i in range(5)], rel=1e-3), "evenly spaced"
        heights = [(y[0] - one) / (y[0] - y[-1]) for one in y]
        assert heights == pytest.approx(
            [(value - values[0]) / (values[-1] - values[0]) for value in values], abs=1e-3
        )


def test_arm_chart_has_the_first_arm_on_top():
    arms = {
        "full": {"to_full": interval(0.9), "other": interval(0.1)},
        "padding": {"to_full": interval(0.5), "other": interval(0.1)},
        "clean": {"to_full": interval(0.4), "other": interval(0.1)},
    }
    root = drawing(arm_chart(arms, "to_full", "likeness"))
    shown = words(root)
    assert "likeness" in shown
    assert [name for name in shown if name in arms] == ["full", "padding", "clean"]
    points = markers(root, LINE)[-3:]
    assert points[0][1] < points[1][1] < points[2][1], "downward"
    (full, _), (padding, _), (clean, _) = points
    assert (full - padding) / (full - clean) == pytest.approx(0.8, abs=1e-3)


def test_attention_chart_draws_the_wanted_groups_that_are_there():
    groups = {
        "padding": {"layers": [[0.1, 0.2], [0.3, 0.4]]},
        "prompt": {"layers": [[0.5, 0.1], [0.1, 0.1]]},
        "eos": {"layers": [[0.1, 0.1], [0.1, 0.1]]},
    }
    shown = words(drawing(attention_chart(groups, ["prompt", "picture", "padding"])))
    assert [word for word in shown if word.startswith("to ")] == ["to prompt", "to padding"]
    assert "% of attention" in shown
    assert "50" in shown, "one scale up to the largest share"
    assert "60" not in shown


def test_the_same_figures_give_the_same_drawing():
    arms = {"full": {"x": interval(0.9)}}
    assert arm_chart(arms, "x", "likeness") == arm_chart(arms, "x", "likeness")


@pytest.mark.parametrize(("answer", "color"), [("yes", LINE), ("no", SOFT), ("unclear", NOISE)])
def test_a_question_has_a_dot_a_prompt_and_its_mean_between_them(answer, color):
    values = [-0.2, 0.1, 0.4]
    excess = {"mean": 0.1, "low": -0.1, "high": 0.3}
    root = drawing(finding_chart({"answer": answer, "by_prompt": values, "excess": excess}, "difference"))
    assert "difference" in words(root)
    left, middle, right = (x for x, _ in markers(root, DOT))
    assert (middle - left) / (right - left) == pytest.approx(0.5, abs=1e-3)
    ((mean, _),) = markers(root, color)
    assert mean == pytest.approx(middle, abs=0.1)


def test_dots_of_an_arm_stand_beside_its_mean():
    arms = {"padding": {"to_full": interval(0.5), "by_prompt": {"to_full": [0.4, 0.6]}}}
    root = drawing(arm_chart(arms, "to_full", "likeness"))
    low, high = (x for x, _ in markers(root, DOT))
    assert low < markers(root, LINE)[-1][0] < high


def test_places_go_from_left_to_right_and_series_lie_side_by_side():
    series = {
        name: [interval(mean) | {"by_prompt": [mean]} for mean in means]
        for name, means in (("in the encoding", (0.1, 0.2)), ("in diffusion", (0.3, 0.4)))
    }
    root = drawing(place_chart(["end token", "fifth"], series, "likeness"))
    assert {"end token", "fifth", "likeness", *series} <= set(words(root))
    first, second = (markers(root, color)[6:8] for color in COLOURS[:2])  # behind two dots and four ends
    assert first[0][0] < second[0][0] < first[1][0] < second[1][0]
    assert first[0][1] > first[1][1] > second[0][1] > second[1][1], "upward"


def test_models_stand_side_by_side_and_may_lack_an_arm():
    models = {
        "one": {"padding": interval(0.2), "in diffusion": interval(0.6)},
        "two": {"padding": interval(0.4), "in diffusion": None},
    }
    root = drawing(models_chart(models, "likeness"))
    assert {"one", "two", "padding", "in diffusion", "likeness"} <= set(words(root))
    counts = [len(markers(root, color)) for color in COLOURS[:2]]
    assert counts[0] - counts[1] == 3, "a point and the ends of its interval"


def test_every_padding_token_has_its_place_behind_the_end_token():
    encoders = {
        "text_encoder": {"eos": interval(0.5), "padding": [interval(0.4), interval(0.6), interval(0.8)]},
        "text_encoder_2": {"eos": None, "padding": [interval(1.0)] * 3},
    }
    root = drawing(token_chart(encoders, "likeness"))
    assert {"end", "1", "padding token", "likeness", *encoders} <= set(words(root))
    points = markers(root, LINE)
    (x, y), (eos, _) = (
        zip(*points[1:4], strict=True),
        points[6],
    )  # behind the band's corner; the ends of its interval
    assert eos < x[0] < x[1] < x[2]
    assert y[0] - y[1] == pytest.approx(y[1] - y[2], rel=1e-3)
    assert y[0] > y[1], "upward"
