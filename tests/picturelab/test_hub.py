"""A model hub that does not answer, that refuses, and that has the model."""

import http.server
import json
import socket
import threading
import time

import pytest
from huggingface_hub import constants

from picturelab import hub
from picturelab.models import load_pipeline


@pytest.fixture
def at(monkeypatch):
    """Ask the hub at an address of this machine."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "_answers", {})

    def address(port):
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{port}")
        return f"http://127.0.0.1:{port}"

    return address


@pytest.fixture
def silent_port():
    """One that takes connections and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.fixture
def answering_port():
    """One that knows a single model."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            known = self.path.startswith("/api/models/owner/there")
            self.send_response(200 if known else 404)
            if not known:
                self.send_header("X-Error-Code", "RepoNotFound")
            self.end_headers()
            self.wfile.write(json.dumps({"id": "owner/there", "sha": "12", "siblings": []}).encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_without_an_answer_it_is_given_up(at, silent_port):
    address = at(silent_port)
    assert str(hub.problem("owner/name", patience=0.2)) in (
        f"{address} does not answer within 0.2 seconds; HF_HUB_ETAG_TIMEOUT=30 waits longer",
        f"{address} cannot be reached: timed out",
    )


def test_nobody_listens(at):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = at(port)
    said = str(hub.problem("owner/name"))
    assert said.startswith(f"{address} cannot be reached: ")
    assert "refused" in said
    with pytest.raises(
        ValueError, match=r"'owner/name' is no folder or file here .* cannot be reached: .*refused"
    ):
        load_pipeline("owner/name")


def test_what_the_hub_says(at, answering_port):
    at(answering_port)
    assert hub.problem("owner/there") is None
    assert str(hub.problem("owner/absent")).startswith("it has no such model, or a private one")


def test_an_answer_holds_for_a_while(at, silent_port, answering_port, monkeypatch):
    at(silent_port)
    assert hub.problem("owner/there", patience=0.1) is not None
    at(answering_port)
    assert hub.problem("owner/there") is not None
    later = time.monotonic() + 61
    monkeypatch.setattr(hub.time, "monotonic", lambda: later)
    assert hub.problem("owner/there") is None


def test_offline_nobody_is_asked(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set" in str(hub.problem("owner/name"))
