"""Calls on their way in, and answers on their way out."""

import asyncio
import json

import pytest

from picturelab_ui.door.answers import RewrittenAnswer, RewrittenStream, with_words
from picturelab_ui.door.requests import RequestError, check_length, filled, parsed, read_body
from picturelab_ui.door.uploads import UploadAllowance


def sent_through(kind, *chunks):
    """What leaves a rewriting `send` as one text."""
    out = []

    async def send(message):
        out.append(message.get("body", b""))

    async def run():
        rewriting = kind(send, lambda value: {"seen": value})
        await rewriting({"type": "http.response.start", "status": 200, "headers": []})
        for number, chunk in enumerate(chunks, 1):
            await rewriting({"type": "http.response.body", "body": chunk, "more_body": number < len(chunks)})

    asyncio.run(run())
    return b"".join(out).decode()


def test_events_are_rewritten_one_by_one_wherever_they_are_cut():
    stream = b'event: complete\ndata: [1]\n\ndata: ALIVE\n\ndata: {"a": 2}\n\n'
    expected = 'event: complete\ndata: {"seen":[1]}\n\ndata: ALIVE\n\ndata: {"seen":{"a":2}}\n\n'
    assert sent_through(RewrittenStream, stream) == expected
    assert sent_through(RewrittenStream, *(stream[i : i + 7] for i in range(0, len(stream), 7))) == expected


def test_an_answer_is_rewritten_once_it_is_whole():
    assert json.loads(sent_through(RewrittenAnswer, b'{"data"', b": [1]}")) == {"seen": {"data": [1]}}
    assert sent_through(RewrittenAnswer, b"no JSON") == "no JSON"


def test_an_error_without_words_gets_some():
    for silent in ({"error": None}, {"msg": "process_completed", "output": {"error": None}}):
        assert "this failed inside the page, as number" in str(with_words(silent))
    for fine in ({"error": "a sentence"}, {"data": [None]}, {"msg": "estimation"}, [None], "text"):
        assert with_words(fine) == fine


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"[1]",
        b'"a"',
        b"\xff",
        b"[" * 50_000,
        b'{"data": ' + b"[" * 60 + b"]" * 60 + b"}",
        b"1" * 9000,
    ],
)
def test_what_is_no_call_is_refused(body):
    with pytest.raises(RequestError, match="must be"):
        parsed(body)


def test_missing_arguments_are_null_and_too_many_are_refused():
    assert filled({"data": [1]}, 3, "/generate")["data"] == [1, None, None]
    with pytest.raises(RequestError, match="/generate takes 1 arguments; got 2"):
        filled({"data": [1, 2]}, 1, "/generate")
    for wrong in ({}, {"data": None}, {"data": {"a": 1}}):
        with pytest.raises(RequestError, match="as a list"):
            filled(wrong, 1, "/generate")


@pytest.mark.parametrize("length", ["", "x", "-1", "1e3", "²", "101", "9" * 5000])
def test_lengths_are_named_and_bounded(length):
    with pytest.raises(RequestError):
        check_length({"content-length": length}, 100)
    check_length({"content-length": "100"}, 100)


def test_bodies_are_bounded_even_if_they_do_not_say_their_length():
    async def receive():
        return {"type": "http.request", "body": b"x" * 60, "more_body": True}

    with pytest.raises(RequestError, match="more than 100 bytes"):
        asyncio.run(read_body(receive, 100))


def test_uploads_are_counted_by_address_and_in_all():
    now = [0.0]
    allowance = UploadAllowance(100, 150, lambda: now[0])
    allowance.take("a", 90)
    for address, size in (("a", 11), ("b", 61)):
        with pytest.raises(RequestError, match="too much has been uploaded"):
            allowance.take(address, size)
    allowance.take("b", 60)
    now[0] = 601
    allowance.take("a", 100)
