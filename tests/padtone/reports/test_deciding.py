"""The figure that a verdict rests on, in one sentence."""

import pytest

from benchmarks.audit import read
from padtone.maths.verdict import INCONCLUSIVE
from padtone.reports.deciding import came_in, deciding_sentence

REPORTS = read()
READ = "Does the picture change with another prompt's padding?"


def without_judge(results):
    """As of a model that nobody can judge."""
    arms = {
        group: {
            arm: {name: value for name, value in figures.items() if "correct" not in name}
            for arm, figures in of_group.items()
        }
        for group, of_group in results["arms"].items()
    }
    return results | {"arms": arms}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "joint",
            "With another prompt's padding the background is wrong in 88% of the pictures (80% to 95%), with",
        ),
        (
            "unet",
            "With another prompt's padding the background is wrong in 89% of the pictures (81% to 97%), with",
        ),
        (
            "joint-masked",
            "With another prompt's padding the background is wrong in 0% of the pictures (0% to 6%)",
        ),
        (
            "joint-registers",
            "Padding alone, inside the denoiser, has the prompt's background in 95% of the pictures",
        ),
    ],
)
def test_by_a_judge(name, words):
    assert deciding_sentence(REPORTS[name]).startswith(words)


def test_without_a_judge():
    assert deciding_sentence(without_judge(REPORTS["joint"])) == (
        "With another prompt's padding the likeness to the full picture is 0.45 (0.39 to 0.51), with another seed it "
        "is 0.90 (0.85 to 0.93)."
    )
    inside = deciding_sentence(without_judge(REPORTS["joint-registers"]))
    assert "other prompts' by 0.19 (0.15 to 0.23)" in inside


def test_another_question_than_the_usual_one_decided():
    results = REPORTS["joint"]
    changed = results | {"answers": dict.fromkeys(results["answers"], "no")}
    assert deciding_sentence(changed).startswith(
        "With an empty text's padding the background is wrong in 45%"
    )
    changed["answers"]["Does padding alone show the prompt?"] = "yes"
    assert deciding_sentence(changed).startswith("Padding alone has the prompt's background in 99%")
    assert deciding_sentence(results | {"verdict": INCONCLUSIVE}) == ""


def test_what_came_in_with_the_encoding():
    assert {name for name, results in REPORTS.items() if came_in(results)} == {"joint"}
    assert "says nothing about the denoiser" in came_in(REPORTS["joint"])
