"""The served page and strangers: what they upload, see, ask for too often, and leave behind."""

import asyncio
import json
import re
import secrets
import socket
import threading
import time
from pathlib import Path

import httpx
import pytest

from fouriscale.sampling.recipe import read
from picturelab_ui.host import Host
from picturelab_ui.page import launch
from tests.ui.in_process import in_a_loop
from tests.ui.stranger import SMALL, Stranger

PNG = b"\x89PNG\r\n\x1a\n" + b"<script>document.title = 1</script>"


@pytest.fixture(scope="module")
def launched(tmp_path_factory):
    """The page, served by this process, so that tests can hold its worker: workshop and address."""
    with pytest.MonkeyPatch.context() as environment:
        for name in ("GRADIO_TEMP_DIR", "FORWARDED_ALLOW_IPS"):  # which a launch sets
            environment.setenv(name, "")
        host = Host(output=tmp_path_factory.mktemp("page"), max_pixels=256 * 256, max_waiting=60)
        with socket.create_server(
            ("127.0.0.1", 0)
        ) as free:  # Gradio leaves a socket open for each port that it tries
            port = free.getsockname()[1]
        workshop, page, url = in_a_loop(
            lambda: launch(host, address="127.0.0.1", port=port, share=False, block=False)
        )
        yield workshop, url
        page.close(verbose=False)
        workshop.runner.close()


@pytest.fixture
def output(launched):
    workshop, _ = launched
    return workshop.folders.output


@pytest.fixture
def busy(launched):
    """A worker that does nothing else until the test is over."""
    workshop, _ = launched
    entered, over = threading.Event(), threading.Event()

    def work(job):
        entered.set()
        over.wait(120)

    job = workshop.runner.submit(work)
    assert entered.wait(120)
    yield
    over.set()
    assert job.wait(120)


@pytest.fixture
def stranger(launched):
    _, url = launched

    def arrive(address="127.0.0.1"):
        strangers.append(Stranger(url, address))
        return strangers[-1]

    strangers = []
    yield arrive
    for one in strangers:
        one.http.close()


def until(condition):
    """Wait for what must come."""
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["page.html", "PAGE.HTML", "a.svg", "a.xml", "a.pdf", "a.js", "none", "a.png.html", "a.png", ".html"],
)
def test_what_is_no_png_is_not_taken(output, stranger, name):
    answer = stranger().upload(name, b"<script>document.title = 1</script>")
    assert answer.status_code == 415
    assert "is no PNG" in answer.json()
    assert not any(b"<script>" in path.read_bytes() for path in output.rglob("*") if path.is_file())


@pytest.mark.slow
def test_an_uploaded_picture_is_a_download_that_nothing_runs_in(stranger):
    one = stranger()
    for name in ("a.png", "a.html", "a.svg", "none"):
        (where,) = one.upload(name, PNG).json()
        answer = one.file(where)
        assert answer.status_code == 200
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("sandbox")
    assert one.http.post("gradio_api/upload", content=iter([b"x"])).status_code == 411


@pytest.mark.slow
def test_an_upload_is_one_file_of_the_length_that_it_says(output, stranger):
    one = stranger()
    files = list(output.rglob("*"))
    for names in (["files", "files"], ["files", "other"], ["files"] * 500):
        answer = one.http.post("gradio_api/upload", files=[(name, ("several.png", PNG)) for name in names])
        assert answer.status_code == 413
        assert "must be one file" in answer.json()["detail"]
    body = [
        b"--x\r\nContent-Disposition: form-data; name=files; filename=a.png\r\n\r\n",
        PNG,
        b"\r\n--x--\r\n",
    ]
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": "1"}
    chunked = one.http.build_request("POST", "gradio_api/upload", content=iter(body), headers=headers)
    chunked.headers["Transfer-Encoding"] = "chunked"
    assert one.http.send(chunked).status_code in (400, 411)  # by the server, or by us
    assert not [path for path in output.rglob("*.png") if path not in files]


@pytest.mark.slow
def test_nothing_is_served_by_its_path_or_from_elsewhere(output, stranger, tmp_path):
    one = stranger()
    kind, ((picture,),) = one.ask("generate", SMALL)
    assert kind == "complete"
    shown = one.file(picture["path"])
    assert shown.headers["content-type"] == "image/png"
    (tmp_path / "a.png").write_bytes(shown.content)
    assert read(tmp_path / "a.png")["prompt"] == "a red circle"
    (output / "beside.txt").write_text("mine")
    files = [path for path in output.rglob("*") if path.is_file()]
    for path in (
        *files,
        "/etc/passwd",
        "https://example.org/a.png",
        "http://127.0.0.1:1/",
        "../a",
        picture["path"] + "x",
    ):
        assert one.file(path).status_code == 403
    for route in ("proxy=https://example.hf.space/", "deep_link?session_hash=x", "runs", "api/generate"):
        assert one.http.get(f"gradio_api/{route}").status_code == 404


@pytest.mark.slow
def test_no_path_of_the_host_leaves_the_page(output, stranger):
    one = stranger()
    uploaded = {"path": one.upload("a.png", PNG).json()[0], "meta": {"_type": "gradio.FileData"}}
    answers = [
        one.http.get("").text,
        one.http.get("config").text,
        one.http.get("gradio_api/info").text,
        str(one.ask("generate", SMALL)),
        str(one.ask("generate", [None])),
        str(one.ask("explain", ["/etc", 64, 64])),
        one.upload("a.png", PNG).text,
        one.http.post("gradio_api/run/predict", json={"data": [], "fn_index": 10**6}).text,
        one.press("from_file", hires_recipe=uploaded),
    ]
    for answer in answers:
        for place in (output, Path(__file__).parents[2], Path.home(), "site-packages"):
            assert str(place) not in answer
    assert "a.png" in answers[-1]  # which is not readable, and is named as the visitor named it


@pytest.mark.slow
def test_nobody_sees_what_others_asked_for_and_looks_leave_nothing(output, stranger):
    stranger().ask("generate", ["what another program asked for", *SMALL[1:]])
    before = set(output.iterdir())
    for name in (
        "nobody",
        "",
        "shared",
        ".cache",
        "../" + "0" * 29,
        *(secrets.token_hex(16) for _ in range(20)),
    ):
        one = stranger()
        one.name = name
        answer = one.press("reopened")
        assert "another" not in answer
        # The page's own example; what visitors asked for is named by its prompt.
        assert set(re.findall(r"([^/\"\\]+\.png)", answer)) <= {"image.png"}
    assert set(output.iterdir()) == before


@pytest.mark.slow
def test_what_is_shown_to_a_browser_is_text(stranger):
    one = stranger("127.0.0.40")
    hostile = "<img src=x onerror=alert(1)> ${alert(1)} {{alert(1)}}"
    for answer in (
        one.press("begin", hires_prompt=hostile, hires_width=7),
        one.press("begin", hires_training_sizes=hostile, hires_layers=hostile),
    ):
        assert "<img src=x" not in answer.replace("\\u003c", "<")


async def crowd(url, count, gate):
    """As many programs as that, each from an address of its own, that listen for their answers until the gate opens."""

    async def listen(number):
        transport = httpx.AsyncHTTPTransport(local_address=f"127.0.1.{number + 1}")
        async with httpx.AsyncClient(base_url=url, transport=transport, timeout=60) as http:
            answer = await http.post("gradio_api/call/generate", json={"data": SMALL})
            event = answer.json()["event_id"]
            async with http.stream("GET", f"gradio_api/call/generate/{event}") as stream:
                assert stream.status_code == 200
                arrived.append(number)
                await gate.wait()

    arrived = []
    callers = [asyncio.create_task(listen(number)) for number in range(count)]
    while len(arrived) < count:
        await asyncio.sleep(0.02)
        for caller in callers:
            if caller.done():
                caller.result()  # raises what went wrong
    return callers


@pytest.mark.slow
def test_a_visitor_is_served_while_fifty_callers_wait(launched, busy, stranger):
    workshop, url = launched
    visitor = stranger("127.0.0.10")

    async def run():
        gate, here = asyncio.Event(), asyncio.to_thread
        callers = await crowd(url, 50, gate)
        while len(workshop.runner._waiting) < 50:
            await asyncio.sleep(0.02)
        assert (await here(visitor.http.get, "")).status_code == 200
        begun = await here(visitor.press, "begin", hires_width=64, hires_height=64, hires_steps=1)
        seen = await here(visitor.press, "reopened")
        await here(visitor.press, "cancel")
        cancelled = await here(visitor.press, "reopened")
        assert len(workshop.runner._waiting) == 50
        gate.set()
        await asyncio.gather(*callers)
        return begun, seen, cancelled

    begun, seen, cancelled = asyncio.run(run())
    for answer in (begun, seen):
        assert "Waiting: 51 jobs before yours" in answer
    assert "Cancelled" in cancelled
    until(lambda: not workshop.runner._waiting)  # the callers have gone, and their jobs with them


@pytest.mark.slow
def test_one_programs_calls_beyond_its_limit_are_refused_and_others_are_taken(busy, stranger):
    program = stranger("127.0.0.20")
    for _ in range(4):
        program.send("generate", SMALL)
    kind, said = program.ask("generate", SMALL)
    assert kind == "error"
    assert "4 jobs from your address are not finished, the most here" in said["error"]
    for other in (stranger("127.0.0.21"), stranger("127.0.0.20")):  # a browser beside the program too
        assert "Waiting: " in other.press("begin", hires_width=64, hires_height=64, hires_steps=1)


@pytest.mark.slow
def test_made_up_names_do_not_lift_the_limit_of_an_address(busy, stranger):
    begun = [stranger("127.0.0.30").press("begin", hires_width=64, hires_height=64) for _ in range(6)]
    assert ["from your address are not finished" in answer for answer in begun] == [False] * 4 + [True] * 2


@pytest.mark.slow
def test_a_word_of_a_proxy_is_not_believed_unless_it_is_named(launched, busy, stranger):
    workshop, _ = launched
    one = stranger("127.0.0.50")
    for number in range(4):
        one.http.headers["X-Forwarded-For"] = f"192.0.2.{number}"
        one.send("generate", SMALL)
    until(lambda: sum(job.group == "program 127.0.0.50" for job in workshop.runner._waiting) == 4)
    one.http.headers["X-Forwarded-For"] = "192.0.2.9"
    kind, said = one.ask("generate", SMALL)
    assert (kind, "from your address" in said["error"]) == ("error", True)


@pytest.mark.slow
def test_an_endpoint_can_be_cancelled(launched, busy, stranger):
    workshop, _ = launched
    one = stranger("127.0.0.60")

    def waits():
        return any(job.group == "program 127.0.0.60" for job in workshop.runner._waiting)

    event = one.send("generate", SMALL)
    (number,) = (
        d["id"] for d in one.http.get("config").json()["dependencies"] if d["api_name"] == "generate"
    )
    until(waits)
    body = {"session_hash": event, "fn_index": number, "event_id": event}
    assert one.http.post("gradio_api/cancel", json=body).status_code == 200
    assert not waits()


@pytest.mark.slow
@pytest.mark.parametrize(
    "values", [[], ["a"], [["a"], 64], [float("nan")] * 7, SMALL[:6], [{"path": "/etc/passwd"}]]
)
def test_calls_that_lack_arguments_or_hold_others_are_answered_in_a_sentence(stranger, values):
    one = stranger()
    headers = {"content-type": "application/json"}
    answer = one.http.post("gradio_api/call/generate", content=json.dumps({"data": values}), headers=headers)
    if answer.status_code == 400:
        assert "there is no file" in answer.json()["detail"]
    else:
        event = answer.json()["event_id"]
        stream = one.http.get(f"gradio_api/call/generate/{event}").text
        assert "event: error" in stream
        assert '"error":null' not in stream
        assert "failed inside" not in stream
    too_many = one.http.post("gradio_api/call/generate", json={"data": [1] * 8})
    assert too_many.json()["detail"] == "/generate takes 7 arguments; got 8."
