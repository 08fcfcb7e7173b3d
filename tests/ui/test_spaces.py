"""The folder of the hosted demo: it starts, has a public host's limits, and names what it needs as the project does."""

import json
import re
import runpy
import socket
import tomllib
import urllib.request

import pytest
import yaml

from tests.ui.page_server import ROOT, page_server

SPACES = ROOT / "spaces"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.mark.slow
def test_it_starts_and_serves_the_page(tmp_path, monkeypatch):
    port = free_port()
    monkeypatch.setenv("GRADIO_SERVER_PORT", str(port))
    with page_server(tmp_path, "--host", "127.0.0.1", script="spaces/app.py") as address:
        assert str(port) in address
        with urllib.request.urlopen(f"{address}config") as answer:
            config = json.load(answer)
    assert "High resolution" in json.dumps(config)


def test_its_switches_are_the_commands_own(monkeypatch):
    """A public host's: everybody may reach it, and nobody may name a model or a large picture."""
    typed = []
    monkeypatch.setattr("fouriscale.cli.main", typed.extend)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")  # set back afterwards
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "True")
    monkeypatch.delenv("GRADIO_SERVER_PORT", raising=False)
    monkeypatch.setattr("sys.argv", ["app.py", "--model", "shapeworld/unet-frozen"])
    runpy.run_path(str(SPACES / "app.py"), run_name="__main__")
    assert typed[0] == "page"
    switches = dict(zip(typed[1::2], typed[2::2], strict=True))
    assert switches["--host"] == "0.0.0.0"
    assert int(switches["--max-pixels"]) == 512 * 512
    assert switches["--model"] == "shapeworld/unet-frozen", "what is typed goes last"
    assert "--allow-any-model" not in typed


def test_its_header_and_requirements_are_this_projects():
    header = yaml.safe_load((SPACES / "README.md").read_text().split("---\n")[1])
    assert (header["sdk"], header["license"]) == ("gradio", "apache-2.0")
    assert (SPACES / header["app_file"]).is_file()
    version = re.search(r"^gradio==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert header["sdk_version"] == version[1]
    ours = [
        tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]["name"]
        for folder in (".", "shapeworld")
    ]
    lines = (SPACES / "requirements.txt").read_text().splitlines()
    wanted = [line for line in lines if not line.startswith("#")]
    assert [re.split(r"[\[ ]", line)[0] for line in wanted] == ours
    assert all(" @ git+URL" in line for line in wanted)
