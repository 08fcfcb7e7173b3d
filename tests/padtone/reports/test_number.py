"""How many padding tokens can go, in words, and a line of code that does what they say."""

import pytest

from benchmarks.audit import read
from padtone.reports.number import (
    code_line,
    in_short,
    judged_sentence,
    keep_sentence,
    line_speed,
    number_sentence,
    up_to,
)
from shapeworld import load_pipeline

CURVE = [{"k": k, "dropped": 62 - k} for k in (0, 4, 8, 16, 32)] + [{"k": None, "dropped": 0}]


def report(droppable, smallest, undecided=None, timed=None):
    """As report.json would have it."""
    keep_k = {
        "smallest": smallest,
        "undecided": undecided,
        "padding": 62,
        "curve": CURVE,
        "speedup_interval": [1.01, 1.1],
        "timed": timed,
    }
    settings = {"prompts": ["a cat", 'a "red" dog'], "prompts_used": [1], "call": {}}
    return {
        "droppable": droppable,
        "padding": 62,
        "speedup": None if smallest is None else 1.04,
        "keep_k": keep_k,
        "settings": settings,
    }


def timed(*lengths):
    """Lengths of a text, each (treatment, tokens kept, rows, speed, lower and upper quartile of it)."""
    names = ("treatment", "tokens_kept", "rows", "speedup", "speedup_range", "seconds")
    return {"lengths": [dict(zip(names, (*one, 3 / one[3]), strict=True)) for one in lengths]}


WHOLE = ("keep", None, 72, 1.0, [1.0, 1.0])
TIMED = timed(WHOLE, ("trim", 32, 42, 1.03, [1.0, 1.05]), ("trim", 38, 48, 1.2, [1.1, 1.3]))


@pytest.mark.parametrize(
    ("results", "short", "rest"),
    [
        (report(None, None), "not known with 1 prompts", ""),
        (report(None, None, 4), "not known with 1 prompts", "up to 58 undecided"),
        (report(0, None), "0 of 62", ""),
        (report(62, 0), "62 of 62", ""),
        (report(30, 32), "at least 30 of 62", ""),
        (report(30, 32, 8), "at least 30 of 62", "up to 54 undecided"),
    ],
)
def test_words(results, short, rest):
    assert (in_short(results), up_to(results)) == (short, rest)
    sentence = number_sentence(results)
    assert short[1:] in sentence
    assert rest in sentence
    assert ("as fast" in sentence) == bool(results["droppable"])


def test_the_speed_is_that_of_the_line():
    whole, rounder = report(30, 32), report(30, 32, timed=TIMED)
    speeds = [list(line_speed(results).values()) for results in (whole, rounder)]
    assert speeds[0] == [1.04, 1.01, 1.1, "95% interval", "a picture"]
    assert speeds[1] == [1.2, 1.1, 1.3, "middle half of the calls", "the denoiser's calls"]
    assert keep_sentence(whole) == ""
    assert "keep=32)" in code_line(whole)
    assert keep_sentence(rounder).startswith(
        "This line takes out 24 of them: it keeps 38 where 32 would do, for 48"
    )
    assert "keep=38)" in code_line(rounder)
    assert line_speed(report(None, None)) is code_line(report(0, None)) is None


def test_a_rounder_length_must_be_faster_beyond_the_spread():
    noise = timed(WHOLE, ("trim", 32, 42, 1.03, [1.0, 1.12]), ("trim", 38, 48, 1.2, [1.1, 1.3]))
    results = report(30, 32, timed=noise)
    assert "keep=32)" in code_line(results)
    assert line_speed(results)["of"] == "a picture"
    assert keep_sentence(results) == ""


def test_what_a_checker_found_stands_beside_the_number():
    def curve(**shares):
        return [
            {"k": k, "all correct": {"mean": m, "low": m - 0.1, "high": m + 0.1}} for k, m in shares["of"]
        ]

    results = report(30, 32, 8)
    assert judged_sentence(results) == "", "no checker"
    results["keep_k"]["curve"] = curve(of=((0, 0.2), (8, 0.4), (32, 0.7), (None, 0.8)))
    assert judged_sentence(results) == (
        "By the checker all of a scene is right in 80% with all padding (70% to 90%), 70% at keep 32 (60% to 80%), 40% "
        "at keep 8 (30% to 50%)."
    )
    results = report(None, None)
    results["keep_k"]["curve"] = curve(of=((0, 0.2), (None, 0.8)))
    assert judged_sentence(results) == "", "no length is named"


def test_the_code_runs_as_printed():
    """With the arguments that the shipped model was audited with; without them it would refuse."""
    results = read()["joint"]
    results["settings"]["call"]["num_inference_steps"] = 1
    code = code_line(results)
    assert "true_cfg_scale=3.0" in code
    assert "max_sequence_length=72" in code
    names = {"pipe": load_pipeline("joint")}
    exec(code, names)
    assert names["image"].size == (128, 128)


def test_strings_are_written_as_python_writes_them():
    results = report(30, 32)
    results["settings"]["call"] = {"negative_prompt": "", "true_cfg_scale": 3.0}
    code = code_line(results)
    compile(code, "report", "exec")
    assert 'a "red" dog' in code
    assert "negative_prompt=''" in code
