"""Which requests come in."""

import pytest

from picturelab_ui.door.routes import route_of


@pytest.mark.parametrize(
    ("method", "path", "handling"),
    [
        ("GET", "/", "as it is"),
        ("HEAD", "/", "as it is"),
        ("GET", "/config", "as it is"),
        ("GET", "/assets/index-1a.js", "as it is"),
        ("GET", "/gradio_api/info", "as it is"),
        ("GET", "/gradio_api/file=files/a/b.png", "file"),
        ("GET", "/gradio_api/file/files/a/b.png", "file"),
        ("POST", "/gradio_api/upload", "upload"),
        ("POST", "/gradio_api/call/generate", "call"),
        ("POST", "/gradio_api/run/predict", "call"),
        ("POST", "/gradio_api/queue/join", "call"),
        ("GET", "/gradio_api/call/generate/0a1b", "answer"),
        ("GET", "/gradio_api/queue/data", "answer"),
        ("GET", "/gradio_api/heartbeat/x1", "heartbeat"),
        ("POST", "/gradio_api/cancel", "as it is"),
    ],
)
def test_what_browsers_and_clients_need_is_open(method, path, handling):
    route, _ = route_of(method, path)
    assert route.handling == handling


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/gradio_api/proxy=https://example.hf.space/a"),
        ("GET", "/gradio_api/deep_link"),
        ("POST", "/gradio_api/component_server"),
        ("POST", "/gradio_api/api/generate"),
        ("GET", "/gradio_api/runs"),
        ("GET", "/gradio_api/run-history/buckets"),
        ("POST", "/gradio_api/stream/0a1b"),
        ("GET", "/gradio_api/dev/reload"),
        ("GET", "/gradio_api/custom_component/a/b/c/d"),
        ("GET", "/monitoring/summary"),
        ("POST", "/login"),
        ("POST", "/"),
        ("DELETE", "/gradio_api/upload"),
        ("GET", "/upload"),
        ("GET", "//gradio_api/file=/etc/passwd"),
    ],
)
def test_everything_else_is_closed(method, path):
    assert route_of(method, path) is None
