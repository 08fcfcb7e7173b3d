"""Hostile values for every option of every command: exit code 0 or 2, one sentence, no traceback, nothing left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .commands import Command, commands, lines
from .conftest import examples
from .trial import outcome

pytestmark = pytest.mark.usefixtures("no_work")
COMMANDS = commands()


def test_every_command_is_tried_and_its_numbers_are_known():
    names = {f"{command.program} {command.name}" for command in COMMANDS}
    assert {
        "fouriscale generate",
        "fouriscale page",
        "fouriscale batch",
        "padtone audit",
        "padtone ite",
    } <= names
    kinds = {p.name: p.kind for command in COMMANDS for p in command.parameters}
    assert [kinds[name] for name in ("steps", "prompt", "image", "compare", "size")] == [
        "number", "prompt", "file", "flag", "text",
    ]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: f"{command.program}-{command.name}")
def test_hostile_options(command: Command, inputs: Path):
    @examples(14)
    @given(st.data())
    def trial(data: Any) -> None:
        line, refused = data.draw(lines(command, inputs))
        ended = outcome(command.program, line)
        fault = ended.fault(refused)
        assert not fault, (
            f"{fault}: {command.program} {json.dumps(line)[:600]}\n{ended.err[-1500:]}\n{ended.left}"
        )

    trial()
