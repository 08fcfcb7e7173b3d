"""ComfyUI's graphs: of ordinary pictures, and of strangers."""

import json
import math

import pytest

from picturelab.foreign.comfyui import read

GRAPH = {
    "3": {
        "class_type": "KSampler",
        "inputs": {
            "seed": 2**63 - 1, "steps": 25, "cfg": 6.5, "sampler_name": "euler_ancestral", "scheduler": "normal",
            "denoise": 1.0, "model": ["10", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0],
        },
    },
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd15.safetensors"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": ["20", 0], "height": ["21", 0], "batch_size": 1}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": ["22", 0], "clip": ["10", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "ugly", "clip": ["10", 1]}},
    "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
    "9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0], "filename_prefix": "x"}},
    "10": {
        "class_type": "LoraLoader",
        "inputs": {"lora_name": "winter.safetensors", "strength_model": 1.0, "model": ["4", 0], "clip": ["4", 1]},
    },
    "20": {"class_type": "PrimitiveInt", "inputs": {"value": 768}},
    "21": {"class_type": "PrimitiveInt", "inputs": {"value": 512}},
    "22": {"class_type": "PrimitiveString", "inputs": {"value": "a castle"}},
}  # fmt: skip
KNOWN = {
    "seed": 2**63 - 1, "steps": 25, "guidance": 6.5, "scheduler": "EulerAncestralDiscrete", "prompt": "a castle",
    "negative_prompt": "ugly", "height": 512, "width": 768, "model": "sd15.safetensors",
}  # fmt: skip


def with_inputs(node, **inputs):
    return GRAPH | {node: {**GRAPH[node], "inputs": GRAPH[node]["inputs"] | inputs}}


def found_in(graph):
    return read(json.dumps(graph), None)


def test_an_ordinary_picture():
    found = found_in(GRAPH)
    assert found.settings == KNOWN
    assert "it was made with the LoRA 'winter.safetensors': give it to --lora" in found.remarks


def test_a_custom_sampler_whose_settings_are_nodes():
    graph = {
        "1": {
            "class_type": "SamplerCustomAdvanced",
            "inputs": {
                "noise": ["2", 0], "guider": ["3", 0], "sampler": ["4", 0], "sigmas": ["5", 0], "latent_image": ["6", 0]
            },
        },
        "2": {"class_type": "RandomNoise", "inputs": {"noise_seed": 7}},
        "3": {"class_type": "BasicGuider", "inputs": {"model": ["7", 0], "conditioning": ["8", 0]}},
        "4": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler"}},
        "5": {"class_type": "BasicScheduler", "inputs": {"scheduler": "simple", "steps": 20, "denoise": 1.0}},
        "6": {"class_type": "EmptySD3LatentImage", "inputs": {"width": 1024, "height": 768}},
        "7": {"class_type": "UNETLoader", "inputs": {"unet_name": "flux1-dev.safetensors"}},
        "8": {"class_type": "FluxGuidance", "inputs": {"guidance": 3.5, "conditioning": ["9", 0]}},
        "9": {"class_type": "CLIPTextEncode", "inputs": {"text": "a castle", "clip": ["10", 0]}},
    }  # fmt: skip
    found = found_in(graph)
    assert found.settings == {
        "seed": 7, "steps": 20, "scheduler": "EulerDiscrete", "prompt": "a castle", "height": 768, "width": 1024,
        "model": "flux1-dev.safetensors",
    }  # fmt: skip
    assert found.others == {"guidance that the model reads": "3.5"}
    assert any("'simple'" in remark for remark in found.remarks)
    assert any("the guidance scale" in remark for remark in found.remarks)


def test_a_zeroed_prompt_is_no_negative_one():
    graph = with_inputs("3", negative=["30", 0])
    graph["30"] = {"class_type": "ConditioningZeroOut", "inputs": {"conditioning": ["6", 0]}}
    assert "negative_prompt" not in found_in(graph).settings


def test_mixed_prompts_are_told_and_not_taken():
    graph = with_inputs("3", positive=["30", 0])
    graph["30"] = {
        "class_type": "ConditioningCombine",
        "inputs": {"conditioning_1": ["6", 0], "conditioning_2": ["7", 0]},
    }
    found = found_in(graph)
    assert "prompt" not in found.settings
    assert sorted(found.others.values()) == ["a castle", "ugly"]


def test_of_several_samplers_the_last_before_the_picture_counts():
    graph = {"50": {"class_type": "KSampler", "inputs": {"seed": 1, "steps": 1}}, **GRAPH}
    graph["99"] = {"class_type": "KSampler", "inputs": {"seed": 2, "steps": 2}}
    found = found_in(graph)
    assert found.settings["seed"] == KNOWN["seed"]
    assert "it has 3 samplers; the settings are those of node '3', the last one" in found.remarks


def test_a_workflow_says_the_same_as_far_as_its_nodes_are_known():
    def node(number, kind, values, **links):
        inputs = [{"name": name, "type": "X", "link": link} for name, link in links.items()]
        return {"id": number, "type": kind, "widgets_values": values, "inputs": inputs}

    workflow = {
        "nodes": [
            node(3, "KSampler", [7, "randomize", 25, 6.5, "heun", "karras", 1], model=1, positive=2, negative=3,
                 latent_image=4),
            node(4, "CheckpointLoaderSimple", ["sd15.safetensors"]),
            node(5, "EmptyLatentImage", [768, 512, 1]),
            node(6, "CLIPTextEncode", ["a castle"], clip=5),
            node(7, "CLIPTextEncode", ["ugly"], clip=5),
        ],
        "links": [[1, 4, 0, 3, 0, "MODEL"], [2, 6, 0, 3, 1, "X"], [3, 7, 0, 3, 2, "X"], [4, 5, 0, 3, 3, "X"],
                  [5, 4, 1, 6, 0, "CLIP"]],
    }  # fmt: skip
    found = read(None, json.dumps(workflow))
    assert found.settings == KNOWN | {"seed": 7, "scheduler": "HeunDiscrete"}
    assert any("'karras'" in remark for remark in found.remarks)


def test_circles_end():
    graph = with_inputs("3", seed=["3", 0], steps=["60", 0], positive=["61", 0])
    graph["60"] = {"class_type": "PrimitiveInt", "inputs": {"value": ["60", 0]}}
    graph["61"] = {"class_type": "A", "inputs": {"a": ["62", 0], "b": ["61", 0]}}
    graph["62"] = {"class_type": "B", "inputs": {"a": ["61", 0], "b": ["3", 0]}}
    graph["9"]["inputs"]["images"] = ["9", 0]
    found = found_in(graph)
    assert {"seed", "steps", "prompt"}.isdisjoint(found.settings)


@pytest.mark.parametrize(
    ("inputs", "name"),
    [
        ({"seed": 2**64 - 1}, "seed"),
        ({"seed": -1}, "seed"),
        ({"seed": True}, "seed"),
        ({"cfg": math.nan}, "guidance"),
        ({"cfg": math.inf}, "guidance"),
        ({"steps": 1e300}, "steps"),
        ({"steps": "many"}, "steps"),
        ({"positive": "6"}, "prompt"),
        ({"positive": [6.5, 0]}, "prompt"),
        ({"positive": [[], {}]}, "prompt"),
        ({"latent_image": None}, "height"),
        ({"sampler_name": 3, "scheduler": {}}, "scheduler"),
        ({"model": ["no such node", 0]}, "model"),
    ],
)
def test_values_of_the_wrong_kind_are_left_out_and_told(inputs, name):
    found = found_in(with_inputs("3", **inputs))
    assert name not in found.settings
    json.dumps(found.plain(), allow_nan=False)
    assert found.remarks


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[" * 200_000, "it is nested too deeply"),
        ('{"a":' * 200_000, "it is nested too deeply"),
        ("{", "Expecting"),
        ("[]", "its graph is no JSON object"),
        ("{}", "its graph has no nodes"),
        ('{"3": 1, "4": {"class_type": [], "inputs": {}}}', "its graph has no nodes"),
        ('{"seed": ' + "9" * 5000 + "}", "Exceeds the limit"),
        ('{"1": 1, "1": 2}', "'1' stands there twice"),
        (" " * (2**22 + 1), "its graph has 4,194,305 letters"),
        (json.dumps({str(i): {"class_type": "x", "inputs": {}} for i in range(5001)}), "its graph has 5,001 nodes"),
    ],
)  # fmt: skip
def test_graphs_that_cannot_be_read(text, sentence):
    with pytest.raises(ValueError, match=sentence):
        read(text, None)


def test_a_long_chain_is_followed_without_recursion():
    graph = {
        str(i): {"class_type": "x", "inputs": {"value": [str(i + 1), 0], "b": [str(i + 1), 0]}}
        for i in range(4000)
    }
    graph["s"] = {"class_type": "KSampler", "inputs": {"seed": ["0", 0], "positive": ["0", 0]}}
    graph["4000"] = {"class_type": "y", "inputs": {"value": 5, "text": "far away"}}
    assert found_in(graph).settings == {"seed": 5, "prompt": "far away"}


@pytest.mark.parametrize(
    "workflow", [{"nodes": 1}, {"nodes": [1, None, {"type": 3}], "links": {}}, {"links": [[1]]}]
)
def test_workflows_that_are_none(workflow):
    with pytest.raises(ValueError, match="its graph has no nodes"):
        read(None, json.dumps(workflow))


def test_a_workflows_oddities_are_passed_over():
    nodes = [
        {
            "id": [],
            "type": "KSampler",
            "widgets_values": "x",
            "inputs": [1, {"name": 2}, {"name": "a", "link": []}],
        },
        {"id": 5, "type": "EmptyLatentImage", "widgets_values": {"width": 8}, "inputs": 3},
    ]
    found = read(None, json.dumps({"nodes": nodes, "links": [[[], [], 0, 0], [1, 5], 7, None]}))
    assert found.settings == {}
