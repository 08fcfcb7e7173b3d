"""Remarks reach whoever typed the prompt, each once; foreign warnings do not."""

import warnings

from picturelab.remarks import passing_remarks, remark, without_foreign_warnings


def test_each_remark_is_passed_once():
    sentences = []
    with warnings.catch_warnings(action="default"), passing_remarks(sentences.append):
        for sentence in ("one", "two", "one"):
            remark(sentence)
        warnings.warn("for programmers", stacklevel=1)
    assert sentences == ["one", "two"]
    with passing_remarks(sentences.append):  # another command
        remark("one")
    assert sentences == ["one", "two", "one"]


def test_remarks_are_heard_where_foreign_warnings_are_not():
    sentences = []
    with passing_remarks(sentences.append), without_foreign_warnings():
        warnings.warn("foreign", stacklevel=1)
        remark("ours")
    assert sentences == ["ours"]
