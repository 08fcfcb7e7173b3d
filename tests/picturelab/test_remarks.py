"""Remarks reach whoever typed the prompt, each once; foreign warnings do not."""

import logging
import threading
import warnings

import diffusers

from picturelab.quiet import silence
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


def state():
    return list(warnings.filters), warnings.showwarning


def test_blocks_of_several_threads_may_end_in_any_order():
    before, sentences = state(), {"main": [], "other": []}
    entered, leave = threading.Event(), threading.Event()

    def other():
        with passing_remarks(sentences["other"].append), without_foreign_warnings():
            entered.set()
            leave.wait(60)
            remark("of the other")

    thread = threading.Thread(target=other)
    with passing_remarks(sentences["main"].append):
        thread.start()
        entered.wait(60)
        remark("of this one")
        without = threading.Thread(target=remark, args=("of a third",))
        without.start()
        without.join()
    leave.set()
    thread.join()
    assert sentences == {"main": ["of this one", "of a third"], "other": ["of the other"]}
    assert state() == before


def test_silence_of_several_threads_ends_with_the_last():
    logs, before = diffusers.utils.logging, diffusers.utils.logging.get_verbosity()
    entered, leave = threading.Event(), threading.Event()

    def other():
        with silence():
            entered.set()
            leave.wait(60)

    thread = threading.Thread(target=other)
    with silence():
        thread.start()
        entered.wait(60)
    assert logs.get_verbosity() > logging.CRITICAL, "the other still wants it"
    leave.set()
    thread.join()
    assert logs.get_verbosity() == before
