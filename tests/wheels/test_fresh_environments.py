"""The core's wheel in environments that hold nothing else, filled by pip's own index."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORLD = (
    "pip install 'fouriscale-padtone-shapeworld @ git+URL#subdirectory=shapeworld' brings it, "
    "with this repository's address for URL"
)

Run = Callable[..., subprocess.CompletedProcess[str]]


def built(project: Path, folder: Path) -> Path:
    """The wheel of a project."""
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
    subprocess.run(build, cwd=project, check=True, capture_output=True)
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(ROOT, tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(ROOT / "shapeworld", tmp_path_factory.mktemp("world"))


def environment(folder: Path, *requirements: str) -> Run:
    """Make an environment with some requirements; gives what runs its commands in an empty folder."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    pip.append("--no-compile")  # most modules are never imported
    # The very torch of constraints.txt: any other comes with CUDA.
    subprocess.run([*pip, "--constraint", ROOT / "constraints.txt", *requirements], check=True)
    elsewhere = folder / "elsewhere"
    # The builders of small models, without the packages that stand beside them in the tree.
    shutil.copytree(
        ROOT / "tests" / "tiny", elsewhere / "tests" / "tiny", ignore=shutil.ignore_patterns("data")
    )

    def run(command: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [folder / "bin" / command, *map(str, arguments)],
            cwd=elsewhere,
            env={"PYTHONPATH": str(elsewhere), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )

    return run


@pytest.fixture(scope="module")
def core(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return environment(tmp_path_factory.mktemp("core"), str(wheel))


@pytest.fixture(scope="module")
def with_commands(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return environment(tmp_path_factory.mktemp("cli"), f"{wheel}[cli]")


@pytest.fixture(scope="module")
def with_world(wheel: Path, world: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return environment(tmp_path_factory.mktemp("both"), f"{wheel}[cli]", str(world))


def test_the_wheel_is_small(wheel):
    assert wheel.stat().st_size < 2_000_000


def test_the_core_does_what_it_is_for(core):
    done = core("python", Path(__file__).parent / "uses_of_the_core.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "FouriScale applied and removed\npadtone.encode swapped rows\n"


@pytest.mark.parametrize("command", ["fouriscale", "padtone"])
@pytest.mark.parametrize("arguments", [(), ("--help",)], ids=["bare", "help"])
def test_without_its_extra_a_command_names_it(core, wheel, command, arguments):
    done = core(command, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Error: {command} needs accelerate, psutil: ")
    assert done.stderr.endswith(f"pip install '{wheel}[cli]' brings it\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("presets",), "sdxl"),
        (("explain", "--model", "sdxl", "--size", "2048x2048"), "width 2048, height 2048"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_commands_that_need_no_world(with_commands, arguments, sentence):
    done = with_commands("fouriscale", *arguments)
    assert done.returncode == 0, done.stderr
    assert sentence in done.stdout


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("fouriscale", ("generate", "x")),
        ("fouriscale", ("explain", "--size", "256x256")),
        ("fouriscale", ("demo",)),
        ("fouriscale", ("validate", "--model", "shapeworld/unet", "--out", "report")),
        ("padtone", ("roles", "x")),
        ("padtone", ("ite", "x")),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_without_the_world_a_command_says_how_to_get_it(with_commands, command, arguments):
    done = with_commands(command, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: the ")
    assert " is not installed; " in done.stderr
    assert done.stderr.endswith(f"{WORLD}\n")
    assert done.stderr.count("\n") == 1


def test_an_extra_that_is_missing_is_named(with_commands, wheel):
    done = with_commands("padtone", "audit", "--model", "some/model")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: padtone audit needs matplotlib, scipy, torchmetrics: ")
    assert done.stderr.endswith(f"pip install '{wheel}[audit]' brings it\n")


def test_both_wheels_together_make_a_picture_and_make_it_again(with_world):
    picture = ("generate", "a large red circle on a blue background", "--size", "192x128", "--steps", 2)
    for arguments in (
        (*picture, "--out", "a.png"),
        (*picture, "--out", "a.webp"),
        ("show", "a.webp"),
        ("remake", "a.webp", "--out", "again.png"),
    ):
        done = with_world("fouriscale", *arguments)
        assert done.returncode == 0, done.stderr
    pixels = (
        "from PIL import Image; print(Image.open('a.png').tobytes() == Image.open('again.png').tobytes())"
    )
    assert with_world("python", "-c", pixels).stdout == "True\n"
