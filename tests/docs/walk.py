"""Walks over a page of the documentation: every fenced block is run, parsed, or marked as output.

Python blocks of a page run in order with names in common, command lines between them, all in one folder. What only a
reader has stands in that folder as a small one: a model at path/to/sd15 and FOLDER, a jobs file, a ControlNet.
"""

from __future__ import annotations

import contextlib
import json
import re
import runpy
import shlex
import tomllib
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

import fouriscale.cli.commands
import padtone.cli.commands
from benchmarks.pictures import Block, blocks
from fouriscale.config_kinds import named_config
from fouriscale.hooks.patch import current_state
from picturelab.batch.jobs import parse
from picturelab.batch.order import BatchOrder
from picturelab.batch.run import read_plan
from tests.docs.pages import ROOT

# Command lines that are parsed and not run, and why.
PARSED_ONLY = {
    r"^fouriscale .*path/to/sd15.safetensors": "gigabytes of weights",
    r"^fouriscale validate": "weights from a hub",
    r"^fouriscale borders": "minutes; tests/fouriscale/borders measures a tiny UNet",
    r"^fouriscale explain --model sdxl": "a quarter of a minute; tests/fouriscale/reports explains it",
    r"^fouriscale explain --model flux": "half a minute; tests/fouriscale/reports explains a smaller one",
    r"^fouriscale generate .*joint-masked .*--compare": "fifty steps; tests/end_to_end samples fewer",
    r"^fouriscale page": "serves until it is stopped; tests/ui starts it",
    r"^fouriscale batch jobs.yaml": "several processes, Ray or an object store: tests/picturelab and tests/faults",
    r"^padtone audit": "minutes to hours; tests/padtone/audit runs audits of small models",
}
# Python blocks that another test runs, by page and first line.
RUN_ELSEWHERE = {
    ("docs/page.md", "from gradio_client import Client"): "tests/ui/test_page.py",
}

# A folder of a checkout or a name, its extras, and where in git it lies.
_REQUIREMENT = re.compile(
    r"(?P<name>[./\w-]+)(\[(?P<extras>[\w,]+)\])?( @ git\+URL(#subdirectory=(?P<part>\w+))?)?"
)


@dataclass
class Walk:
    """What a page's blocks left behind.

    Attributes:
        names: of the Python blocks.
        images: (width, height) of each Python block's `image`, where it made one.
        attached: after each Python block that has a `pipe` with a UNet, whether FouriScale is on it.
        commands: the command lines that were run.
        plans: how many jobs each YAML grid has.
    """

    names: dict[str, Any] = field(default_factory=dict)
    images: list[tuple[int, int]] = field(default_factory=list)
    attached: list[bool] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    plans: list[int] = field(default_factory=list)


def walk(page: str) -> Walk:
    """Account for every block of a page, in the current folder.

    Raises:
        AssertionError: a block is of no language that somebody accounts for.
    """
    found = blocks((ROOT / page).read_text())
    done = Walk()
    for block in found:  # a file that Python reads may be shown after it
        if block.language == "yaml":
            _yaml(block, done)
    for block in found:
        where = f"{page}, line {block.line}"
        if block.language == "python":
            _python(page, block, where, done)
        elif block.language == "sh":
            for line in block.text.splitlines():
                _command(line, where, done)
        elif block.language == "json":
            for number, line in enumerate(block.text.splitlines(), 1):
                parse(json.loads(line), number)
        else:
            assert block.language in ("text", "yaml"), f"{where}: nobody knows what {block.language!r} is"
    return done


def shortened(code: str) -> str:
    """The same Python with fewer steps and pixels, and the preset of the small model at path/to/sd15."""
    code = re.sub(r"num_inference_steps=25", "num_inference_steps=2", code)
    code = re.sub(r"(height=\d+, width=\d+)\)\.images", r"\1, num_inference_steps=2).images", code)
    code = code.replace("height=1024, width=1536", "height=256, width=384")
    return code.replace("height=1024, width=1024", "height=256, width=256").replace('"sd15"', '"shapeworld"')


def _python(page: str, block: Block, where: str, done: Walk) -> None:
    elsewhere = RUN_ELSEWHERE.get((page, block.text.splitlines()[0]))
    if elsewhere:
        assert Path(page).name in (ROOT / elsewhere).read_text(), f"{elsewhere} runs {where} no more"
        return
    done.names.pop("image", None)
    exec(compile(shortened(block.text), where, "exec"), done.names)
    if "image" in done.names:
        done.images.append(done.names["image"].size)
    if "pipe" in done.names:
        done.names["pipe"].set_progress_bar_config(disable=True)
        done.attached.append(current_state(done.names["pipe"]) is not None)


def _yaml(block: Block, done: Walk) -> None:
    """A block that begins with `# NAME.yaml` is also a file for the others."""
    named = re.match(r"# (\w+\.yaml)", block.text)
    path = Path(named[1] if named else "block.yaml")
    path.write_text(block.text)
    if "prompts" in yaml.safe_load(block.text):
        done.plans.append(read_plan(BatchOrder(jobs=path, out="planned")).total)
    else:
        named_config(str(path))


def _command(line: str, where: str, done: Walk) -> None:
    words = shlex.split(line, comments=True)
    assert words, f"{where}: an empty line is no command"
    program, rest = words[0], words[1:]
    if program in ("fouriscale", "padtone"):
        _parse(
            {"fouriscale": fouriscale.cli.commands.app, "padtone": padtone.cli.commands.app}[program], rest
        )
        if not any(re.search(pattern, line) for pattern in PARSED_ONLY):
            _run(program, rest, where)
            done.commands.append(line)
    elif program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert set(rest) <= set(targets), f"{where}: the Makefile has no {rest}"
    elif program == "pip":
        _pip(rest, where)
    else:
        assert program in ("python", "torchrun"), f"{where}: nobody checks {program}"
        _module(rest[rest.index("-m") + 1 :], where)


def _parse(commands: typer.Typer, words: list[str]) -> None:
    """Read the words as the command line does, and stop before the command runs."""
    command = typer.main.get_command(commands)
    context = command.make_context("command", list(words))
    while hasattr(command, "resolve_command"):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, rest, parent=context)


def _run(program: str, words: list[str], where: str) -> None:
    main = {"fouriscale": fouriscale.cli.main, "padtone": padtone.cli.main}[program]
    words = [word.replace("0-18", "0-6") for word in words]  # the small model has fewer blocks
    if words[0] in ("generate", "ite", "idp"):
        words += ["--steps", "2" if "--cascade" in words else "1"]  # one step leaves nothing to finish with
    code = None
    try:
        main(words)
    except SystemExit as end:
        code = end.code
    assert not code, f"{where}: {program} {' '.join(words)} ends with exit code {code}"


def _module(words: list[str], where: str) -> None:
    """`python -m MODULE FILE ...`, which only trains here: its words are parsed."""
    assert words[0] == "shapeworld.train", f"{where}: nobody parses the words of {words[0]}"
    functions: list[Any] = []
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # another test may have imported it
        patch.setattr(typer, "run", functions.append)
        runpy.run_module(words[0], run_name="__main__")
    commands = typer.Typer()
    commands.command()(functions[0])
    with contextlib.chdir(ROOT):  # the files that it is given are looked for
        _parse(commands, words[1:])
    for word in words[1:]:
        assert "/" not in word or (ROOT / word).exists(), f"{where}: there is no {word}"


def _pip(words: list[str], where: str) -> None:
    """Every folder, extra and name that pip is asked for is one of ours."""
    assert words.pop(0) == "install", where
    for word in words:
        if word in ("-c", "constraints.txt"):
            continue
        own = _REQUIREMENT.fullmatch(word)
        assert own, f"{where}: what is {word!r}?"
        folder = ROOT / (own["part"] or (own["name"] if own["name"].startswith(".") else "."))
        project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
        assert own["name"].startswith(".") or own["name"] == project["name"], f"{where}: {word}"
        extras = set((own["extras"] or "").split(",")) - {""}
        assert extras <= set(project.get("optional-dependencies", {})), f"{where}: {word}"
