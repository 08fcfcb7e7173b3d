"""The two built wheels hold everything that they need and work from any folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fouriscale import preset_names

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with both distributions installed from their wheels, and nothing else."""
    built, target = tmp_path_factory.mktemp("built"), tmp_path_factory.mktemp("installed")
    for project in (ROOT, ROOT / "shapeworld"):
        run(
            sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", built, cwd=project
        )
    wheels = sorted(built.glob("*.whl"))
    assert len(wheels) == 2
    run(
        sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target, *wheels, cwd=built
    )
    return target


@pytest.fixture
def elsewhere(installed, tmp_path):
    """Runs Python in another folder, with the installed package ahead of the source tree."""
    environment = os.environ | {"PYTHONPATH": str(installed)}
    return lambda *arguments: run(sys.executable, *arguments, cwd=tmp_path, env=environment)


def run(*command, **settings):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **settings)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("package", ["fouriscale", "padtone", "picturelab", "picturelab_ui", "shapeworld"])
def test_every_file_of_a_package_is_inside(installed, package):
    """Templates, stylesheets, weights and py.typed too."""
    listed = run("git", "ls-files", "-z", "--", package, cwd=ROOT).split("\0")
    missing = {name for name in listed if name and not (installed / name).is_file()}
    left_out = {"shapeworld/LICENSE", "shapeworld/pyproject.toml"} if package == "shapeworld" else set()
    assert missing == left_out


def test_configs_are_inside_once(installed):
    inside = {file.relative_to(installed).as_posix() for file in installed.rglob("*.yaml")}
    shipped = [ROOT / "configs" / "presets", ROOT / "configs" / "studies"]
    files = [ROOT / "configs" / "words.yaml", *(file for folder in shipped for file in folder.glob("*.yaml"))]
    assert inside == {f"picturelab/{file.relative_to(ROOT).as_posix()}" for file in files}
    assert (installed / "picturelab" / "configs" / "validate.txt").is_file()


@pytest.mark.slow
def test_presets_and_components_are_inside(elsewhere, installed):
    script = (
        "import fouriscale, padtone, shapeworld\n"
        "from fouriscale.loading.single_file import COMPONENTS, tokenizers\n"
        "print(fouriscale.__file__, padtone.__file__, shapeworld.__file__, sep='\\n')\n"
        "print(fouriscale.preset_names(), fouriscale.FouriScaleConfig.preset('sdxl').floor)\n"
        "print(COMPONENTS, len(tokenizers('sdxl')))\n"
    )
    *packages, presets, components = elsewhere("-c", script).splitlines()
    assert [Path(file).parent.parent for file in packages] == [installed] * 3
    assert presets == f"{preset_names()} 0.6"
    assert components == f"{installed / 'fouriscale' / 'loading' / 'components'} 2"


@pytest.mark.slow
def test_the_command_works_with_the_embedded_model(elsewhere, installed, tmp_path):
    said = elsewhere(
        installed / "bin" / "fouriscale",
        *(
            "generate",
            "a large red circle",
            "--size",
            "136x128",
            "--steps",
            "1",
            "--device",
            "cpu",
            "--out",
            "a.png",
        ),
    )
    assert said == "width 136, height 128, seed 0, 1 steps, guidance 4: a.png\n"
    assert (tmp_path / "a.png").stat().st_size > 0
