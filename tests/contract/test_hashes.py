"""The files of hashes that CI installs from say the versions that constraints.txt says."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".ci" / "hashes").glob("*.txt"))


@pytest.fixture(scope="module")
def pins():
    spec = importlib.util.spec_from_file_location("hashes", ROOT / ".ci" / "hashes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.pins


def hashes(path):
    """{pin as it is written: its hashes}."""
    blocks = re.split(r"\n(?=\w)", path.read_text().replace(" \\\n", " "))
    return {
        block.split()[0]: re.findall(r"--hash=sha256:([0-9a-f]{64})(?!\S)", block) for block in blocks[1:]
    }


def test_every_pin_has_hashes_and_nothing_else_does(pins):
    folder = ROOT / ".ci" / "hashes"
    everything, quantisers, website = (
        pins(folder / f"{name}.txt") for name in ("all", "quantisers", "website")
    )
    constraints = pins(ROOT / "constraints.txt")
    assert everything | quantisers | website | pins(folder / "torch-cuda.txt") == constraints
    assert not everything.keys() & quantisers.keys()
    assert website.items() <= constraints.items()


def test_the_oldest_diffusers_brings_what_it_needs_older_and_no_more(pins):
    oldest, newest = (pins(ROOT / ".ci" / "hashes" / f"{name}.txt") for name in ("oldest", "all"))
    version = re.search(r"(?m)^OLDEST := (\S+)", (ROOT / "Makefile").read_text())[1]
    assert oldest["diffusers"] == version
    assert (
        {name for name in oldest if oldest[name] != newest[name]}
        == set(oldest)
        <= {"diffusers", "huggingface-hub"}
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_entry_is_pinned_and_hashed(path):
    names = ["all", "cuda", "oldest", "quantisers", "torch-cpu", "torch-cuda", "website"]
    assert [path.stem for path in FILES] == names
    for pin, digests in hashes(path).items():
        assert re.fullmatch(r"[a-z0-9-]+==[\w.+]+", pin)
        assert digests, pin
        assert len(set(digests)) == len(digests)
    assert "://" not in path.read_text()  # no index is named


def test_both_builds_of_torch_are_there(pins):
    folder, version = ROOT / ".ci" / "hashes", pins(ROOT / "constraints.txt")["torch"]
    assert pins(folder / "torch-cpu.txt") == {"torch": f"{version}+cpu"}
    assert pins(folder / "torch-cuda.txt") == {"torch": version}


def test_ci_installs_from_them():
    assert "export HASHES=1\n" in (ROOT / ".ci" / "run").read_text()
