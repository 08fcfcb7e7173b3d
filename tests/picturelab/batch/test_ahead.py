"""Which texts are encoded before which groups."""

import pytest

from picturelab.batch.ahead import TEXTS, Texts, TextsAhead, Wanted
from picturelab.batch.jobs import Job


def job(number, **values):
    return Job(id=f"j{number}", model="m/m", **{"prompt": f"prompt {number}"} | values)


def ahead(groups, stays=lambda job: False, **settings):
    wanted = iter([Wanted(i, frozenset({0})) for i in range(len(groups))])
    return TextsAhead(wanted, lambda group: tuple(groups[group]), stays, **settings)


def handed_out(texts, bytes=1):
    """What comes in which order, where each unit that encodes comes back at once."""
    seen = []
    while (item := texts.take()) is not None:
        if isinstance(item, Texts):
            seen.append([job.id for job in item.jobs])
            texts.encoded(len(item.jobs), bytes * len(item.jobs))
        else:
            seen.append((item[0].group, item[1]))
    return seen


def test_texts_come_before_their_groups_and_equal_ones_once():
    groups = [[job(1), job(2, prompt="prompt 1")], [job(3, prompt="prompt 1"), job(4, guidance=3)]]
    assert handed_out(ahead(groups)) == [["j1", "j4"], (0, True), (1, True)]


def test_the_same_prompt_with_another_negative_one_is_another_text():
    groups = [
        [job(1, prompt="a")],
        [job(2, prompt="a", negative_prompt="b")],
        [job(3, prompt="a", pad_text=True)],
    ]
    assert handed_out(ahead(groups))[0] == ["j1", "j2", "j3"]


def test_a_chunk_fills_the_cache_and_no_more():
    groups = [[job(i)] for i in range(4 * TEXTS)]
    seen = handed_out(ahead(groups, room=TEXTS * 10 + 95), bytes=10)
    texts = [item for item in seen if isinstance(item, list)]
    assert [len(item) for item in texts] == [64, 9, 64, 9, 64, 9, 37]
    assert seen[2:75] == [(i, True) for i in range(73)], (
        "all of a chunk's groups come before the next one's texts"
    )


def test_each_model_is_a_chunk():
    groups = [[job(1)], [job(2)], [job(3).model_copy(update={"model": "n/n"})]]
    assert handed_out(ahead(groups)) == [["j1", "j2"], (0, True), (1, True), ["j3"], (2, True)]


def test_groups_of_one_text_do_not_wait_for_all_of_theirs(monkeypatch):
    monkeypatch.setattr("picturelab.batch.ahead._GROUPS", 3)
    groups = [[job(i, prompt="a")] for i in range(7)] + [[job(9)]]
    texts = ahead(groups)
    seen = handed_out(texts)
    assert seen[:4] == [["j0"], (0, True), (1, True), (2, True)], "and is encoded once"
    assert [item for item in seen if isinstance(item, list)] == [["j0"], ["j9"]]
    assert [item[0] for item in seen if isinstance(item, tuple)] == list(range(8))


def test_what_needs_the_encoders_comes_as_it_is():
    groups = [[job(1)], [job(2, lora="x")], [job(3, lora="x")], [job(4)]]
    seen = handed_out(ahead(groups, stays=lambda job: bool(job.lora)))
    assert seen == [["j1"], (0, True), (1, False), (2, False), ["j4"], (3, True)]


def test_no_group_comes_while_texts_are_encoded():
    texts = ahead([[job(i)] for i in range(TEXTS + 1)])
    first, second = texts.take(), texts.take()
    assert (len(first.jobs), len(second.jobs)) == (TEXTS, 1)
    assert texts.take() is None
    texts.encoded(TEXTS, 0)
    assert texts.take() is None
    texts.encoded(1, 0)
    assert texts.take() == (Wanted(0, frozenset({0})), True)


def test_it_waits_to_learn_how_large_an_encoding_is():
    texts = ahead([[job(i)] for i in range(9 * TEXTS)])
    assert [len(texts.take().jobs) for _ in range(4)] == [TEXTS] * 4
    assert texts.take() is None
    texts.encoded(TEXTS, TEXTS)
    assert len(texts.take().jobs) == TEXTS


@pytest.mark.parametrize("groups", [[], [[job(1)]]])
def test_it_ends(groups):
    texts = ahead(groups)
    handed_out(texts)
    assert texts.take() is None
