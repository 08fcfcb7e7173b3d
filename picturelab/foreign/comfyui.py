"""The graph that ComfyUI writes into its pictures, read from the sampler backwards. Pure.

There are two forms of it: "prompt", what was run, as {id: {class_type, inputs}}, where an input is a value or
[id of another node, number of its output]; and "workflow", what is drawn on the screen, whose values stand in lists.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..bounds import shown
from ..textfiles import parse_json
from .settings import ForeignSettings, size_from

PROGRAM = "ComfyUI"
_LONGEST = 2**22  # letters of a graph
_MOST = 5000  # nodes of a graph
_SAMPLERS = ("KSampler", "KSamplerAdvanced", "SamplerCustom", "SamplerCustomAdvanced")
_TEXTS = (
    "text",
    "text_g",
    "t5xxl",
    "clip_l",
    "prompt",
    "string",
    "value",
)  # a node's text, the first that is there
_MODELS = ("ckpt_name", "unet_name", "model_name")
_LORAS = ("lora_name",)
_ZEROS = ("ConditioningZeroOut",)  # what stands before one has no effect
_OUTPUTS = ("SaveImage", "PreviewImage", "SaveImageWebsocket")
# The order of the values of a workflow's nodes; None is one that says nothing of the picture.
_WIDGETS: dict[str, tuple[str | None, ...]] = {
    "CheckpointLoaderSimple": ("ckpt_name",),
    "CLIPTextEncode": ("text",),
    "EmptyLatentImage": ("width", "height"),
    "EmptySD3LatentImage": ("width", "height"),
    "KSampler": ("seed", None, "steps", "cfg", "sampler_name", "scheduler", "denoise"),
    "KSamplerAdvanced": (None, "noise_seed", None, "steps", "cfg", "sampler_name", "scheduler"),
    "BasicScheduler": ("scheduler", "steps", "denoise"),
    "CFGGuider": ("cfg",),
    "FluxGuidance": ("guidance",),
    "KSamplerSelect": ("sampler_name",),
    "LoraLoader": ("lora_name",),
    "LoraLoaderModelOnly": ("lora_name",),
    "RandomNoise": ("noise_seed",),
    "UNETLoader": ("unet_name",),
}

Node = dict[str, Any]
Graph = dict[str, Node]


def read(prompt: str | None, workflow: str | None) -> ForeignSettings:
    """What a picture's graph says. Where it has both forms, "prompt" is what was run.

    Raises:
        ValueError: it is too long, no JSON, or no graph.
    """
    graph = _graph(prompt or "", _of_prompt) if prompt else _graph(workflow or "", _of_workflow)
    found = ForeignSettings(PROGRAM)
    samplers = [name for name, node in graph.items() if node["class_type"] in _SAMPLERS]
    if not samplers:
        found.remark(f"none of its {len(graph)} nodes is a sampler that is known here")
        return found.close()
    last = _last_sampler(graph, samplers)
    if len(samplers) > 1:
        found.remark(
            f"it has {len(samplers)} samplers; the settings are those of node {shown(last)}, the last one"
        )
    _Reading(graph, found).of_sampler(last)
    return found.close()


class _Reading:
    """Reads the nodes before a sampler; each search sees a node once, so that circles end."""

    def __init__(self, graph: Graph, found: ForeignSettings) -> None:
        self._graph, self._found = graph, found

    def of_sampler(self, sampler: str) -> None:
        found = self._found
        # Of a custom sampler the noise, the guider, the steps and the sampler are nodes of their own.
        found.take_number("seed", self._value(sampler, ("noise",), "seed", "noise_seed"))
        found.take_number("steps", self._value(sampler, ("sigmas",), "steps"))
        found.take_number("guidance", self._value(sampler, ("guider",), "cfg"))
        found.take_sampler(
            self._value(sampler, ("sampler",), "sampler_name"), self._value(sampler, ("sigmas",), "scheduler")
        )
        for name, ways in (("prompt", ("positive", "conditioning")), ("negative_prompt", ("negative",))):
            guider = self._link(self._graph[sampler]["inputs"].get("guider"))
            self._take_prompt(name, guider or sampler, ways)
        size = {name: self._value(sampler, ("latent_image",), name) for name in ("width", "height")}
        size_from(size, found)
        self._take_model(sampler)
        embedded = self._value(sampler, ("positive", "guider"), "guidance")
        if embedded is not None:
            found.add_other("guidance that the model reads", embedded)
        denoise = self._value(sampler, ("sigmas",), "denoise")
        if isinstance(denoise, int | float) and denoise < 1:
            found.remark(
                f"denoise is {shown(denoise)}: it was drawn from another picture, or finished from a smaller one"
            )

    def _take_prompt(self, name: str, node: str, ways: tuple[str, ...]) -> None:
        """Take the one text before a node; several are told instead."""
        texts = list(dict.fromkeys(self._texts(node, ways)))
        if len(texts) == 1:
            self._found.take_prompt(name, texts[0])
        elif texts:
            self._found.remark(f"{name} is mixed of {len(texts)} texts; none was taken")
            for number, text in enumerate(texts, 1):
                self._found.add_other(f"{name}, text {number}", text)

    def _texts(self, sampler: str, ways: tuple[str, ...]) -> Iterator[str]:
        for name in self._before(sampler, ways):
            inputs = self._graph[name]["inputs"]
            given = next((key for key in _TEXTS if isinstance(inputs.get(key), str)), None)
            if given is not None:
                yield inputs[given]

    def _take_model(self, sampler: str) -> None:
        for name in self._before(sampler, ("model", "guider")):
            inputs = self._graph[name]["inputs"]
            for key in _MODELS:
                if isinstance(inputs.get(key), str):
                    self._found.settings.setdefault("model", inputs[key][:4096])
            for key in _LORAS:
                if isinstance(inputs.get(key), str):
                    self._found.remark(f"it was made with the LoRA {shown(inputs[key])}: give it to --lora")

    def _value(self, start: str, ways: tuple[str, ...], *names: str) -> Any:
        """The first plain value of one of these names, at a node or at those before it."""
        for node in (start, *self._before(start, ways)):
            inputs = self._graph[node]["inputs"]
            for name in names:
                if name in inputs:
                    value = self._followed(inputs[name], name)
                    if value is not None:
                        return value
        return None

    def _followed(self, value: Any, name: str) -> Any:
        """A plain value, or that of the node which an input comes from; None: it is computed somewhere."""
        seen: set[str] = set()
        while (node := self._link(value)) is not None:
            inputs = self._graph[node]["inputs"]
            key = next((key for key in (name, "value") if key in inputs), None)
            if node in seen or key is None:
                return None
            seen.add(node)
            value = inputs[key]
        return None if isinstance(value, list | dict) else value

    def _before(self, start: str, ways: tuple[str, ...]) -> Iterator[str]:
        """The nodes that some inputs of a node come from, and all before those, the nearest first."""
        inputs = self._graph[start]["inputs"]
        waiting = deque(name for way in ways if (name := self._link(inputs.get(way))))
        seen = {start}
        while waiting:
            name = waiting.popleft()
            if name not in seen:
                seen.add(name)
                yield name
                if self._graph[name]["class_type"] not in _ZEROS:
                    links = map(self._link, self._graph[name]["inputs"].values())
                    waiting.extend(link for link in links if link)

    def _link(self, value: Any) -> str | None:
        """The node that an input comes from."""
        if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str | int):
            return str(value[0]) if str(value[0]) in self._graph else None
        return None


def _last_sampler(graph: Graph, samplers: list[str]) -> str:
    """The sampler that is nearest to a picture that was written; without one, the last in the file."""
    reading = _Reading(graph, ForeignSettings(PROGRAM))
    for name, node in graph.items():
        if node["class_type"] in _OUTPUTS:
            for before in reading._before(name, tuple(node["inputs"])):
                if before in samplers:
                    return before
    return samplers[-1]


def _graph(text: str, form: Callable[[Mapping[str, Any]], Graph]) -> Graph:
    if len(text) > _LONGEST:
        raise ValueError(f"its graph has {len(text):,} letters; {_LONGEST:,} are read at most")
    values = parse_json(text)
    if not isinstance(values, dict):
        raise ValueError("its graph is no JSON object")
    graph = form(values)
    if not graph:
        raise ValueError("its graph has no nodes")
    if len(graph) > _MOST:
        raise ValueError(f"its graph has {len(graph):,} nodes; {_MOST:,} are read at most")
    return graph


def _of_prompt(values: Mapping[str, Any]) -> Graph:
    return {
        name: {"class_type": node["class_type"], "inputs": node["inputs"]}
        for name, node in values.items()
        if isinstance(node, dict)
        and isinstance(node.get("class_type"), str)
        and isinstance(node.get("inputs"), dict)
    }


def _of_workflow(values: Mapping[str, Any]) -> Graph:
    """A workflow in the form of a prompt, as far as its nodes are known; the others are links alone."""
    nodes, links = values.get("nodes"), values.get("links")
    sources = {
        link[0]: str(link[1])
        for link in (links if isinstance(links, list) else ())
        if isinstance(link, list) and len(link) >= 4 and isinstance(link[0], int) and isinstance(link[1], int)
    }
    graph: Graph = {}
    for node in nodes if isinstance(nodes, list) else ():
        if isinstance(node, dict) and isinstance(node.get("type"), str):
            inputs = _widgets(node) | _links(node, sources)
            graph[str(node.get("id"))] = {"class_type": node["type"], "inputs": inputs}
    return graph


def _widgets(node: Node) -> dict[str, Any]:
    values = node.get("widgets_values")
    if isinstance(values, dict):
        return dict(values)
    names = _WIDGETS.get(node["type"], ())
    pairs = zip(names, values if isinstance(values, list) else (), strict=False)
    return {name: value for name, value in pairs if name is not None and not isinstance(value, list)}


def _links(node: Node, sources: Mapping[Any, str]) -> dict[str, Any]:
    inputs = node.get("inputs")
    return {
        entry["name"]: [sources[entry["link"]], 0]
        for entry in (inputs if isinstance(inputs, list) else ())
        if isinstance(entry, dict)
        and isinstance(entry.get("name"), str)
        and isinstance(entry.get("link"), int)
        and entry["link"] in sources
    }
