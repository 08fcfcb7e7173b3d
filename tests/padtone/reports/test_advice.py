"""Advice about padding by an audit's answers."""

import json

import pytest

from padtone.reports.advice import AuditReport, about, advise

EMPTY = "Does the picture change with an empty text's padding?"


def report(verdict="used in text encoding", smallest=4, answers=("no", "no"), revision="sha256:1", **more):
    return AuditReport.model_validate(
        {
            "model": "some/model",
            "verdict": verdict,
            "reason": "A reason.",
            "padding": 60,
            "findings": [{"question": EMPTY, "figure": "any", "answer": answer} for answer in answers],
            "keep_k": {"smallest": smallest, "curve": []},
            "settings": {
                "seeds": 2,
                "prompts_used": [0, 1, 2],
                "revision": revision,
                "call": {"height": 64, "num_inference_steps": 4},
            },
            **more,
        }
    )


@pytest.mark.parametrize(
    ("audit", "padding", "masked", "action", "kept"),
    [
        (None, 60, False, "inconclusive", None),
        (None, 60, True, "trim", 0),
        (None, 0, False, "keep", None),
        (report(), 60, False, "trim", 4),
        (report(), 4, False, "keep", None),
        (report("ignored", 0), 60, False, "trim", 0),
        (report(smallest=None), 60, False, "keep", None),
        (report("inconclusive", None), 60, False, "inconclusive", None),
        (report("used in diffusion", None), 60, False, "keep", None),
    ],
)
def test_what_to_do(audit, padding, masked, action, kept):
    advice = advise(audit, padding, masked)
    assert (advice.action, advice.tokens_kept) == (action, kept)
    assert advice.reason.endswith(".")
    if audit is not None and audit.keep_k.smallest is None:
        assert "A reason." in advice.reason


def test_what_is_not_decided_is_no_advice_to_keep():
    advice = advise(report(smallest=None, droppable=None), 60, False)
    assert (advice.action, advice.tokens_kept) == ("inconclusive", None)
    assert advice.reason.startswith("How many padding tokens may go is not known with 3 prompts. A reason.")


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (("no", "no"), "no more than another seed does"),
        (("no", "yes"), "change the picture."),
        (("no", "unclear"), "is unclear"),
        ((), "is unclear"),
    ],
)
def test_what_is_said_of_replacing(answers, words):
    assert words in advise(report(answers=answers), 60, False).replacing


def test_other_weights_are_refused():
    report().check_model("here", "sha256:1")
    with pytest.raises(
        ValueError, match="is about some/model with weights sha256:1, and here has sha256:2: run the"
    ):
        report().check_model("here", "sha256:2")


def test_what_it_rests_on():
    assert about(report(), {"height": 64, "num_inference_steps": 4}) == "an audit of 3 prompts x 2 seeds"
    assert about(report(), {"height": 128}).endswith("with height 64 (here 128)")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "report.json cannot be read as the report of an audit"),
        ("[]", "report.json cannot be read as the report of an audit"),
        ("{}", "report.json is no report of an audit: 'model' is missing or wrong"),
    ],
)
def test_a_file_that_is_no_report(tmp_path, text, sentence):
    (tmp_path / "report.json").write_text(text)
    for path in (tmp_path, tmp_path / "report.json"):
        with pytest.raises(ValueError, match=sentence):
            AuditReport.read(path)


def test_a_verdict_that_there_is_not(tmp_path):
    values = report().model_dump() | {"verdict": "loved"}
    (tmp_path / "report.json").write_text(json.dumps(values))
    with pytest.raises(ValueError, match="its verdict is 'loved'"):
        AuditReport.read(tmp_path)
