"""The benchmark of texts counts what it says that it counts."""

import pytest

from benchmarks import texts


def test_prompts_are_of_the_lengths_that_are_told():
    lengths = sorted(len(prompt.split()) for prompt in texts.prompts(2000, 250))
    assert abs(lengths[1000] - texts.MEDIAN) <= 2
    assert lengths[-1] <= 250
    assert texts.prompts(5, 250) == texts.prompts(5, 250)


def test_what_t5_xxl_would_keep():
    found = texts.xxl(1000)
    assert found["before"]["bytes_per_prompt"] == 2 * 300 * 4096 * 2
    assert found["after"]["calls"] == 1001
    assert 10 < found["before"]["tokens"] / found["after"]["tokens"] < 20


@pytest.mark.slow
def test_the_negative_prompt_is_read_once():
    found = texts.shape("CLIP", 4)
    assert [found[word]["calls"] for word in ("before", "after")] == [8, 5]
    assert [found[word]["tokens"] for word in ("before", "after")] == [8 * 77, 5 * 77]
    assert found["after"]["bytes_per_prompt"] < 0.8 * found["before"]["bytes_per_prompt"]
    assert found["after"]["weights_while_sampling"] < found["before"]["weights_while_sampling"]
