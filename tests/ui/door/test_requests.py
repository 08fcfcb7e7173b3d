"""Calls on their way in, and answers on their way out."""

import asyncio
import json

import pytest

from picturelab_ui.door.answers import RewrittenAnswer, RewrittenStream, with_words
from picturelab_ui.door.requests import (
    RequestError,
    content_length,
    json_object,
    read_body,
    receive_at_most,
    receive_one_file,
    with_nulls,
)
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
        json_object(body)


def test_missing_arguments_are_null_and_too_many_are_refused():
    assert with_nulls({"data": [1]}, 3, "/generate")["data"] == [1, None, None]
    with pytest.raises(RequestError, match="/generate takes 1 arguments; got 2"):
        with_nulls({"data": [1, 2]}, 1, "/generate")
    for wrong in ({}, {"data": None}, {"data": {"a": 1}}):
        with pytest.raises(RequestError, match="as a list"):
            with_nulls(wrong, 1, "/generate")


@pytest.mark.parametrize(
    "length", ["", "x", "-1", "1e3", "²", "101", "9" * 5000, "0" * 20 + "101", "0" * 5000 + "1"]
)
def test_lengths_are_named_and_bounded(length):
    with pytest.raises(RequestError):
        content_length({"content-length": length}, 100)
    assert content_length({"content-length": "100"}, 100) == 100


@pytest.mark.parametrize("coding", ["chunked", "identity", "gzip, chunked", ""])
def test_what_comes_in_chunks_is_refused_whatever_length_it_says(coding):
    with pytest.raises(RequestError, match="must say its length, and not come in chunks") as refused:
        content_length({"content-length": "1", "transfer-encoding": coding}, 100)
    assert refused.value.status == 411


def received(wrap, *chunks):
    """What an application reads of a request that comes in chunks."""
    messages = iter([{"type": "http.request", "body": chunk} for chunk in chunks])

    async def receive():
        return next(messages)

    async def run():
        counting = wrap(receive)
        return b"".join([(await counting())["body"] for _ in chunks])

    return asyncio.run(run())


def test_a_body_longer_than_its_length_is_refused():
    assert received(lambda receive: receive_at_most(8, receive), b"1234", b"", b"5678") == b"12345678"
    with pytest.raises(RequestError, match="more than 8 bytes") as refused:
        received(lambda receive: receive_at_most(8, receive), b"1234", b"56789")
    assert refused.value.status == 413


def multipart(*names):
    parts = [
        f'--b0undary\r\nContent-Disposition: form-data; name="{name}"; filename="a"\r\n\r\n--b0\r\n'
        for name in names
    ]
    return ("".join(parts) + "--b0undary--\r\n").encode()


@pytest.mark.parametrize("size", [1, 7, 50, 5000])
def test_an_upload_is_one_file_wherever_its_chunks_end(size):
    def through(body):
        chunks = [body[i : i + size] for i in range(0, len(body), size)]
        kind = 'multipart/form-data; boundary="b0undary"'
        return received(lambda receive: receive_one_file(kind, receive), *chunks)

    one = multipart("files")
    assert through(one) == one
    for several in (multipart("files", "files"), multipart("files", "other"), multipart(*["files"] * 1000)):
        with pytest.raises(RequestError, match="must be one file") as refused:
            through(several)
        assert refused.value.status == 413


def test_bodies_are_bounded_even_if_they_do_not_say_their_length():
    async def receive():
        return {"type": "http.request", "body": b"x" * 60, "more_body": True}

    with pytest.raises(RequestError, match="more than 100 bytes"):
        asyncio.run(read_body(receive, 100))


def test_uploads_are_counted_by_address_and_in_all():
    now, kib = [0.0], 1024
    allowance = UploadAllowance(1000 * kib, 1500 * kib, lambda: now[0])
    allowance.take("a", 900 * kib)
    for address, size in (("a", 101), ("b", 601)):
        with pytest.raises(RequestError, match="too much has been uploaded"):
            allowance.take(address, size * kib)
    allowance.take("b", 600 * kib)
    now[0] = 601
    allowance.take("a", 1000 * kib)


def test_small_uploads_count_for_the_file_that_each_leaves():
    now = [0.0]
    allowance = UploadAllowance(4 * 2**16, 2**30, lambda: now[0])
    for _ in range(4):
        allowance.take("a", 1)
        now[0] += 100
    with pytest.raises(RequestError, match="too much has been uploaded"):
        allowance.take("a", 1)
    allowance.take("b", 1)
    now[0] = 650  # the first has become old, the others have not
    allowance.take("a", 1)
    with pytest.raises(RequestError, match="too much has been uploaded"):
        allowance.take("a", 1)
