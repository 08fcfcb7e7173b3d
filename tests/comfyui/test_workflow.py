"""ComfyUI's own loader takes the nodes, and its own check takes the workflow."""

import asyncio
import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "comfyui"


@pytest.fixture(scope="module")
def nodes():
    import nodes

    assert asyncio.run(nodes.load_custom_node(str(FOLDER)))
    return nodes


def checked(workflow, monkeypatch):
    """Whether ComfyUI would run it, and what it says of single nodes."""
    import execution
    import folder_paths

    monkeypatch.setattr(folder_paths, "get_filename_list", lambda _: ["sd_xl_base_1.0.safetensors"])
    valid, _, _, wrong = asyncio.run(execution.validate_prompt("1", workflow, None))
    return valid, wrong


def test_the_workflow(nodes, monkeypatch):
    workflow = json.loads((FOLDER / "workflow.json").read_text())
    assert checked(workflow, monkeypatch) == (True, {})
    assert {"FouriScale", "FouriScaleWrap"} <= {node["class_type"] for node in workflow.values()}
    workflow["3"]["inputs"]["preset"] = "sd99"
    valid, wrong = checked(workflow, monkeypatch)
    assert not valid
    assert set(wrong) == {"3"}
