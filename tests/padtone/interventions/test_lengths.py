"""The lengths that trimming may give a text, and the denoiser's calls at each."""

import pytest
import torch

import padtone
from padtone.interventions.lengths import TimedLength, candidates, fastest, time_lengths, trimmed_rows
from tests.tiny import text_pipelines
from tests.tiny.denoiser_calls import call_of
from tests.tiny.padding_checks import keys

PROMPT = "a red cat"


def entries_of(pipe, name):
    return padtone.token_roles(pipe, PROMPT, **text_pipelines.text_options(name))


@pytest.mark.parametrize("name", ["sd1", "sdxl", "sd3", "flux", "flux2"])
@pytest.mark.parametrize("keep", [0, 3])
def test_rows_are_those_that_the_denoiser_reads(tiny, name, keep):
    pipe = tiny(name)
    entries, whole = entries_of(pipe, name), keys(pipe, name)
    with padtone.trim_padding(pipe, keep=keep):
        dropped = whole - keys(pipe, name)
    assert trimmed_rows(entries, keep) == call_of(pipe, name, PROMPT).text_rows - dropped


def test_round_lengths_above_the_shortest_are_tried(tiny):
    entries = entries_of(tiny("sd1"), "sd1")  # 77 rows, 5 of them real
    found = [(one.treatment, one.tokens_kept, one.rows) for one in candidates(entries, 1, masked=False)]
    assert found == [("keep", None, 77), ("mask", 1, 77), ("trim", 1, 6), ("trim", 3, 8), ("trim", 59, 64)]
    assert [one.treatment for one in candidates(entries, 0, masked=True)] == ["keep", "trim", "trim", "trim"]
    assert [one.treatment for one in candidates(entries, 72, masked=False)] == ["keep"]


def test_calls_are_timed_and_nothing_stays_behind(tiny):
    pipe = tiny("flux")
    call = {
        **text_pipelines.SIZE,
        **text_pipelines.CALL["flux"],
        "true_cfg_scale": 2.0,
        "negative_prompt": "",
    }
    stock = text_pipelines.run(pipe, "flux", PROMPT)
    lengths = candidates(entries_of(pipe, "flux"), 0, masked=False)
    assert time_lengths(pipe, PROMPT, lengths, 0, call) == 1
    assert time_lengths(pipe, PROMPT, lengths, 1e6, call, most=2) == 2
    assert {len(length.seconds) for length in lengths} == {
        12
    }  # 3 rounds of 2 steps, each a call for either prompt
    assert {length.calls for length in lengths} == {2}
    assert all(second > 0 for length in lengths for second in length.seconds)
    assert not pipe.transformer._forward_hooks
    assert not pipe.transformer._forward_pre_hooks
    assert torch.equal(text_pipelines.run(pipe, "flux", PROMPT), stock)


def test_the_fastest_is_one_that_is_trimmed():
    whole, slow, fast = (
        TimedLength(*what, seconds)
        for what, seconds in (
            (("keep", None, 77), [1.0, 1.0, 1.0]),
            (("trim", 0, 5), [4.0, 2.0, 2.0]),
            (("trim", 3, 8), [2.0, 0.5, 0.5]),
        )
    )
    assert fastest([whole, slow, fast]) is fast
    assert fastest([whole]) is None
    assert fast.speedup(whole) == (2.0, 1.25, 2.0)
