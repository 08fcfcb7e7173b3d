"""Every command with its parameters, read from the apps, so that a new option is tried without a word here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from hypothesis import strategies as st

import fouriscale.cli
import fouriscale.cli.commands
import padtone.cli
import padtone.cli.commands
from picturelab.bounds import Bound
from picturelab.cli.arguments import Bounded, Prompted

from .values import Value, texts, typed_numbers, typed_prompts

PROGRAMS = {
    "fouriscale": (fouriscale.cli.main, fouriscale.cli.commands.app),
    "padtone": (padtone.cli.main, padtone.cli.commands.app),
}
# What makes a command get past its first checks; parameters without a default only.
_USUAL = {
    "prompt": "a red circle",
    "size": "64x64",
    "model": "shapeworld/unet",
    "out": "OUT.png",
    "scale": "2",
}


@dataclass(frozen=True)
class Parameter:
    """One option or argument of a command.

    Attributes:
        switch: such as "--steps"; empty for an argument.
        kind: "flag", "number", "prompt", "file" or "text".
        bound: of a number that checks itself while it is parsed.
    """

    name: str
    switch: str
    kind: str
    required: bool
    bound: Bound | None

    def words(self, value: str) -> list[str]:
        if not self.switch:
            return [value]
        return [self.switch] if self.kind == "flag" else [f"{self.switch}={value}"]

    def hostile(self, files: list[str]) -> st.SearchStrategy[Value]:
        if self.kind == "number":
            return typed_numbers(self.bound)
        if self.kind == "prompt":
            return typed_prompts()
        if self.kind == "flag":
            return st.just(Value(""))
        named = st.sampled_from(files).map(Value)
        return named | texts.map(Value) if self.kind == "file" else texts.map(Value) | named


@dataclass(frozen=True)
class Command:
    """A command and its parameters."""

    program: str
    name: str
    parameters: tuple[Parameter, ...]

    def line(self, values: dict[str, str]) -> list[str]:
        """The words after the program's name; arguments stand at the end, where none is taken for an option."""
        options, arguments = [], []
        for parameter in self.parameters:
            if parameter.name in values:
                (options if parameter.switch else arguments).extend(parameter.words(values[parameter.name]))
        return [self.name, *options, "--", *arguments]


def commands() -> list[Command]:
    """Of both programs."""
    return [
        Command(program, name, tuple(map(_parameter, command.params)))
        for program, (_, app) in PROGRAMS.items()
        for name, command in typer.main.get_command(app).commands.items()
    ]


@st.composite
def lines(draw: Any, command: Command, inputs: Path) -> tuple[list[str], bool]:
    """A command line with one to three hostile values, and whether it has to be refused."""
    files = [
        *map(str, sorted(inputs.iterdir())),
        str(inputs),
        "/dev/null",
        str(inputs / "none" / "x"),
    ]
    values = {p.name: _usual(p, inputs) for p in command.parameters if p.required}
    if any(p.name == "out" for p in command.parameters):
        values.setdefault("out", _USUAL["out"])
    if command.parameters:
        chosen = draw(
            st.lists(st.sampled_from(command.parameters), min_size=1, max_size=3, unique_by=lambda p: p.name)
        )
    else:
        chosen = []
    refused = False
    for parameter in chosen:
        value = draw(parameter.hostile(files))
        values[parameter.name] = value.value
        refused = refused or value.refused
    return command.line(values), refused


def _usual(parameter: Parameter, inputs: Path) -> str:
    if parameter.kind == "file" and parameter.name != "out":
        return str(inputs / {"jobs": "good.jsonl"}.get(parameter.name, "good.png"))
    return _USUAL.get(parameter.name, "1")


def _parameter(parameter: Any) -> Parameter:
    described = parameter.type_descriptor
    parse = described.parameter_info.parser
    kind = {int: "number", float: "number", Path: "file", bool: "flag"}.get(described.annotation, "text")
    is_option = parameter.param_type_name == "option"
    return Parameter(
        name=parameter.name,
        switch=parameter.opts[0] if is_option else "",
        kind="prompt" if isinstance(parse, Prompted) else "number" if isinstance(parse, Bounded) else kind,
        required=parameter.required,
        bound=parse.bound if isinstance(parse, Bounded) else None,
    )
