"""`padtone advise`: what to do with a prompt's padding, and what that saves."""

import functools
import json

import pytest
from diffusers import DiffusionPipeline

from padtone.cli import main
from picturelab.models import fingerprint

PROMPT = "a red circle"
QUICK = ("--size", "32x16", "--seconds", "0")


@pytest.fixture
def run(run_command):
    return functools.partial(run_command, main)


def write_report(path, revision, smallest=3):
    path.write_text(
        json.dumps(
            {
                "model": "audited",
                "verdict": "used in text encoding",
                "reason": "A reason.",
                "padding": 19,
                "findings": [],
                "keep_k": {"smallest": smallest},
                "settings": {"seeds": 2, "prompts_used": [0], "revision": revision, "call": {"height": 64}},
            }
        )
    )


def test_without_a_report_the_saving_alone(run, tiny_model):
    code, out, err = run("advise", PROMPT, "--model", tiny_model, *QUICK)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == f"{tiny_model}: 24 rows of text, 19 padding tokens at most of one encoder"
    assert [line.split()[:4] for line in lines[1:5]] == [
        ["keep", "all", "24", "rows"],
        ["mask", "keep=0", "24", "rows"],
        ["trim", "keep=0", "5", "rows"],
        ["trim", "keep=3", "8", "rows"],
    ]
    assert lines[5].startswith("inconclusive: Nothing is known of this model's padding: run padtone audit")
    assert lines[6].startswith("Trimming to ")


def test_by_a_report(run, tiny_model, tmp_path):
    write_report(tmp_path / "report.json", fingerprint(tiny_model))
    code, out, err = run("advise", PROMPT, "--model", tiny_model, "--report", "report.json", *QUICK)
    assert (code, err) == (0, "")
    assert "trim: With the 3 padding tokens next to the prompt" in out
    assert "    with padtone.trim_padding(pipe, keep=3):" in out  # 8 rows; no rounder number below 24
    printed = {"pipe": DiffusionPipeline.from_pretrained(tiny_model)}
    exec("\n".join(line[4:] for line in out.splitlines() if line.startswith("    ") or not line), printed)
    assert printed["image"].size == (32, 16), "it draws as the report's model is called here"
    assert out.splitlines()[-1] == "By an audit of 1 prompts x 2 seeds with height 64 (here 16)."


def test_as_json(run, tiny_model):
    code, out, _ = run("advise", PROMPT, "--model", tiny_model, "--json", *QUICK)
    advice = json.loads(out)
    assert (code, advice["action"], advice["keep"]) == (0, "inconclusive", None)
    assert [(one["treatment"], one["rows"]) for one in advice["lengths"]] == [
        ("keep", 24),
        ("mask", 24),
        ("trim", 5),
        ("trim", 8),
    ]
    assert all(one["calls"] == 2 and one["seconds"] > 0 for one in advice["lengths"])


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (("--report", "nowhere.json"), "nowhere.json cannot be read as the report of an audit"),
        (("--report", "report.json"), "is about audited with weights sha256:other, and"),
        (("--seconds", "soon"), "'soon' is no number from 0 to 86400"),
        (("--seconds", "-1"), "seconds=-1"),
        (("--size", "big"), "size"),
    ],
)
def test_what_is_refused(run, tiny_model, tmp_path, more, sentence):
    write_report(tmp_path / "report.json", "sha256:other")
    code, out, err = run("advise", PROMPT, "--model", tiny_model, *more)
    assert (code, out) == (2, "")
    assert sentence in err
