"""The parameters text of AUTOMATIC1111's web UI: written for its readers, and read from its pictures. Pure.

The prompt stands first, then "Negative prompt:" with the negative one, then one line of "Key: value" with commas in
between. A value with a comma, a colon or a line end is a JSON string. The last line is one of parameters if three of
them stand there at least.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .samplers import SCHEDULES
from .settings import ForeignSettings, size_from

PROGRAM = "AUTOMATIC1111's web UI, or one that writes as it does"
_NEGATIVE = "Negative prompt:"
_LEAST = 3  # parameters that make a line one of parameters
_LONGEST = 2**20  # letters of a text
_MOST = 500  # parameters that are read
_KEY = re.compile(r"\s*(\w[\w /-]{0,80}):\s*")
_WEIGHTS = re.compile(r"(?<!\\)[([]")  # of A1111's syntax: (more:1.2), [less]
_NETWORK = re.compile(r"<(?:lora|lyco|hypernet):[^<>]{1,200}>")
_STRING = json.JSONDecoder(strict=False)
# Which of our settings a parameter is.
_NUMBERS = {"Steps": "steps", "CFG scale": "guidance", "Seed": "seed"}
# What changes a picture, and what nothing here does in the same way.
_CHANGES = {
    "Hires upscale": "it was enlarged and finished at another size, which is not the size that is named",
    "Denoising strength": "it was drawn from another picture, or finished from a smaller one",
    "Clip skip": "the text encoder's last layers were left out, which nothing here does",
}
_NOT_SAID = ("Sampler", "Schedule type", "Size", "Model", *_NUMBERS)


def text_of(
    prompt: str,
    negative: str | None,
    parameters: Mapping[str, Any],
    loras: Sequence[tuple[str, float]] = (),
) -> str | None:
    """The text of a picture; None: A1111's readers would take it for something else.

    Args:
        prompt: as our pipelines read it, where brackets are letters.
        parameters: in A1111's words; they stand there in this order. Three at least.
        loras: (name, scale), which A1111 has in the prompt.
    """
    networks = [f"<lora:{name}:{scale:g}>" for name, scale in loras]
    first, second = " ".join([_escaped(prompt), *networks]), _escaped(negative or "")
    words = {name: text for name, value in parameters.items() if (text := str(value).strip())}
    last = ", ".join(f"{name}: {_quoted(word)}" for name, word in words.items())
    lines = [first, *([f"{_NEGATIVE} {second}"] if second else []), last]
    text = "\n".join(lines)
    said = parse(text)
    want = [part.split() for part in (first, second)]
    return text if said[2] == words and [part.split() for part in said[:2]] == want else None


def parse(text: str) -> tuple[str, str, dict[str, str]]:
    """The prompt, the negative one and the parameters of a text, in A1111's words."""
    *lines, last = text.strip().split("\n")
    parameters = _parameters(last)
    if len(parameters) < _LEAST:
        lines, parameters = [*lines, last], {}
    prompts: tuple[list[str], list[str]] = ([], [])
    negative = False
    for line in map(str.strip, lines):
        begins = line.startswith(_NEGATIVE)
        negative = negative or begins
        prompts[negative].append(line.removeprefix(_NEGATIVE).strip() if begins else line)
    return "\n".join(prompts[False]).strip(), "\n".join(prompts[True]).strip(), parameters


def read(text: str) -> ForeignSettings:
    """What a picture's text says.

    Raises:
        ValueError: it is too long.
    """
    if len(text) > _LONGEST:
        raise ValueError(f"its parameters have {len(text):,} letters; {_LONGEST:,} are read at most")
    prompt, negative, said = parse(text)
    found = ForeignSettings(PROGRAM)
    if not said:
        found.remark("there is no line of parameters, such as Steps: 20, Sampler: Euler, Seed: 1")
    found.take_prompt("prompt", _unescaped(prompt))
    found.take_prompt("negative_prompt", _unescaped(negative))
    for name, ours in _NUMBERS.items():
        found.take_number(ours, said.get(name))
    width, x, height = said.get("Size", "").partition("x")
    if x:
        size_from({"width": width, "height": height}, found)
    found.take_sampler(*_sampler(said.get("Sampler"), said.get("Schedule type")))
    if said.get("Model"):
        found.settings["model"] = said["Model"]
    for name, value in said.items():
        if name not in _NOT_SAID:
            found.add_other(name, value)
        if name in _CHANGES:
            found.remark(f"{name} is {value[:40]}: {_CHANGES[name]}")
    for part in (prompt, negative):
        if _NETWORK.search(part):
            found.remark("the prompt names LoRAs in pointed brackets, which are letters here: use --lora")
        if _WEIGHTS.search(part):
            found.remark("the prompt has weights in brackets, such as (word:1.2), which are letters here")
    return found.close()


def _sampler(name: str | None, schedule: str | None) -> tuple[str | None, str | None]:
    """Older versions write the schedule after the sampler's name: DPM++ 2M Karras."""
    for word in SCHEDULES:
        if name and schedule is None and name.endswith(f" {word}"):
            return name.removesuffix(f" {word}"), word
    return name, schedule


def _escaped(prompt: str) -> str:
    """A prompt as A1111 reads it: brackets are weights there, unless a backslash stands before them.

    A line that would begin the negative prompt is put behind the one before it: for text encoders a line end is a
    space.
    """
    letters = re.sub(r"[\\()\[\]]", r"\\\g<0>", prompt)
    return re.sub(rf"\s*\n\s*(?={re.escape(_NEGATIVE)})", " ", letters).strip()


def _unescaped(prompt: str) -> str:
    """A prompt of A1111's as our pipelines read it."""
    return re.sub(r"\\([\\()\[\]])", r"\1", prompt)


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False) if re.search(r'[,:\n"]', value) else value


def _parameters(line: str) -> dict[str, str]:
    """The parameters of a line; of a name that stands there twice the last one counts."""
    found: dict[str, str] = {}
    place = 0
    while place < len(line) and len(found) < _MOST:
        key = _KEY.match(line, place)
        if key is None:
            place = _after_comma(line, place)
            continue
        place = key.end()
        value = None
        if line.startswith('"', place):
            try:
                value, place = _STRING.raw_decode(line, place)
            except ValueError:  # no end of the string, or an escape that there is none of
                value = None
        comma = _after_comma(line, place)
        found[key[1].strip()] = line[place:comma].rstrip(",").strip() if value is None else value
        place = comma
    return found


def _after_comma(line: str, place: int) -> int:
    comma = line.find(",", place)
    return len(line) if comma < 0 else comma + 1
