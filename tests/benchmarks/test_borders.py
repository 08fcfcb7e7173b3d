"""The figures of docs/borders.md, from a report made by hand."""

import json

from benchmarks import borders


def figure(value):
    return {"value": value, "low": value / 2, "high": 2 * value}


def way(title, border="zeros", **further):
    errors = {"total": figure(0.2), "bands": dict.fromkeys(borders.BANDS, figure(0.1)), "rings": [figure(1)]}
    return {
        "title": title,
        "border": border,
        "scale": 1,
        "signal": figure(0.1),
        "share": figure(1),
        "blocks": {"mid": {"snr": figure(0.3)}, "prediction": {"mae": figure(0.25)}},
        "maps": {},
        "rings": [],
        "error": errors,
        "rolled_error": errors,
        "gradient": None,
    } | further


def test_a_report_without_its_places_and_its_tables():
    ways = [
        way("direct, 1x"),
        way("wrapped, 2x", "wrapped", scale=2),
        way("direct, 4x", error=None, share=None),
    ]
    results = borders.without_places(
        {"ways": ways, "blocks": ["mid", "prediction"], "sentences": ["One.", "Two."]}
    )
    assert "maps" not in results["ways"][0]
    assert list(results["ways"][0]["error"]) == ["total", "bands"]
    tables = borders.tables(results)
    assert tables["answer"] == "> One.\n> Two."
    position = tables["position"].splitlines()
    cells = (
        "0.100 (0.050 to 0.200) | 100% (50 to 200) | 0.300 (0.150 to 0.600) | 0.300 (0.150 to 0.600) | 0.25"
    )
    assert position[2:] == [
        f"| direct, 1x | {cells} |",
        f"| direct, 4x | {cells.replace('100% (50 to 200)', 'none')} |",
    ]
    assert tables["error"].splitlines()[2].startswith("| direct, 1x | 0.200 (0.100 to 0.400) | 0.100 (")
    assert len(tables["error"].splitlines()) == 4  # heads, a rule, and the two that have errors
    assert len(tables["gradient"].splitlines()) == 2


def test_what_stands_between_a_mark_and_its_end_is_replaced():
    page = "a\n<!-- error -->\nold\n<!-- end -->\nb\n<!-- position -->\n<!-- end -->\n"
    once = borders.filled(page, {"error": "| x |", "position": "\\1"})
    assert once == "a\n<!-- error -->\n| x |\n<!-- end -->\nb\n<!-- position -->\n\\1\n<!-- end -->\n"
    assert borders.filled(once, {"error": "| x |", "position": "\\1"}) == once


def test_the_page_says_what_was_measured():
    page = borders.PAGE.read_text()
    assert borders.filled(page, borders.tables(json.loads(borders.RESULTS.read_text()))) == page
    assert borders.PICTURE.stat().st_size < 150_000
