"""Writes .ci/hashes/ anew: the hashes of every file that pip may take for the pins of constraints.txt.

`make lock`, after constraints.txt or the extras have changed; it takes ten minutes. Versions and hashes come from pip's
own reports: as pip is set up on this machine, where files may lie on the disk, such as torch for the CPU alone, and as
it is set up nowhere; for this Linux, and for the oldest that torch runs on. Python 3.11 on x86-64.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONSTRAINTS = ROOT / "constraints.txt"
FOLDER = Path(__file__).parent / "hashes"
# torch's files ask for glibc 2.28, so no older Linux matters; what is for older ones runs there, too.
OLDEST_LINUX = [f"manylinux_2_{minor}_x86_64" for minor in range(28, 4, -1)]
OLDEST_LINUX += [f"manylinux{name}_x86_64" for name in (2014, 2010, 1)]
WEBSITE = ("mkdocs-material", "mkdocstrings[python]")  # of `make docs`, in an environment of its own
OURS = ("fouriscale-padtone", "fouriscale-padtone-shapeworld")

Pins = dict[str, str]
Hashes = Mapping[tuple[str, str], Iterable[str]]


def main(oldest: str) -> None:
    """Write the files.

    Args:
        oldest: the version of diffusers of `make test-oldest`.
    """
    everything = resolved(CONSTRAINTS.read_text(), ".[all,dev]", "./shapeworld[train]")
    relaxed = re.sub(r"(?m)^(diffusers|huggingface_hub)==.*\n", "", CONSTRAINTS.read_text())
    of_oldest = resolved(relaxed, f"diffusers=={oldest}", ".[audit,lora,dev]", "./shapeworld")
    quantisers = {name: pins(CONSTRAINTS)[name] for name in ("bitsandbytes", "torchao")}
    website = resolved(CONSTRAINTS.read_text(), *WEBSITE)
    torch = resolved(CONSTRAINTS.read_text(), f"torch=={everything['torch']}", plain=True)
    cuda = {name: version for name, version in torch.items() if name not in everything}
    # A file of its own for each build: in hash mode pip takes that of the index, whatever else lies on the disk.
    builds = torch_builds(everything.pop("torch"))
    of_oldest.pop("torch")
    others = {name: version for name, version in of_oldest.items() if everything.get(name) != version}
    hashes = all_hashes([everything | quantisers | website, others, cuda])
    for name, wanted in (
        ("all", everything),
        ("oldest", others),
        ("quantisers", quantisers),
        ("website", website),
        ("cuda", cuda),
    ):
        write(FOLDER / f"{name}.txt", wanted, hashes)
    for version, digest in builds.items():
        write(
            FOLDER / f"torch-{'cpu' if '+cpu' in version else 'cuda'}.txt",
            {"torch": version},
            {("torch", version): [digest]},
        )


def pins(path: Path) -> Pins:
    """{name as the index has it: version} of a file of pins."""
    lines = (line.partition("==") for line in path.read_text().splitlines() if re.match(r"\w", line))
    return {canonical(name): version.split()[0] for name, _, version in lines}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def resolved(constraints: str, *requirements: str, plain: bool = False) -> Pins:
    """What pip would install for some requirements, all of it."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(constraints)
        file.flush()
        report = ask_pip("--constraint", file.name, *requirements, plain=plain)
    found = {canonical(one["metadata"]["name"]): one["metadata"]["version"] for one in report}
    return {name: version.partition("+")[0] for name, version in found.items() if name not in OURS}


def all_hashes(sets: Iterable[Pins]) -> Hashes:
    """{(name, version): hashes} of all files that pip may take."""
    hashes: dict[tuple[str, str], set[str]] = defaultdict(set)
    for wanted in sets:
        requirements = [f"{name}=={version}" for name, version in wanted.items()]
        platform = [word for tag in OLDEST_LINUX for word in ("--platform", tag)]
        with tempfile.TemporaryDirectory() as nowhere:
            older = ["--target", nowhere, *platform]
            for plain in (False, True):
                for words in ([], older):
                    for one in ask_pip(
                        "--no-deps", "--only-binary", ":all:", *words, *requirements, plain=plain
                    ):
                        name = canonical(one["metadata"]["name"])
                        digest = one["download_info"]["archive_info"]["hashes"]["sha256"]
                        hashes[name, wanted[name]].add(digest)
    return hashes


def torch_builds(version: str) -> dict[str, str]:
    """{version: hash} of torch as it lies on this machine and as the index has it."""
    reports = (
        ask_pip("--no-deps", "--only-binary", ":all:", f"torch=={version}", plain=plain)
        for plain in (False, True)
    )
    return {
        one["metadata"]["version"]: one["download_info"]["archive_info"]["hashes"]["sha256"]
        for (one,) in reports
    }


def ask_pip(*words: str, plain: bool = False) -> list[dict]:
    """What `pip install` would install. `plain`: with none of this machine's settings but its certificates."""
    environment = dict(os.environ)
    if plain:
        environment = {k: v for k, v in environment.items() if not k.startswith("PIP_") or k == "PIP_CERT"}
        environment["PIP_CONFIG_FILE"] = os.devnull
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        command += ["--disable-pip-version-check", "--report", report.name, *words]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        return json.loads(Path(report.name).read_text())["install"]


def write(path: Path, wanted: Pins, hashes: Hashes) -> None:
    lines = ["# Written by `make lock`; do not edit."]
    for name, version in sorted(wanted.items()):
        entries = (f"    --hash=sha256:{digest}" for digest in sorted(hashes[name, version]))
        lines.append(" \\\n".join([f"{name}=={version}", *entries]))
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
