"""What an installation may leave out."""

import shlex
import subprocess
import sys

import pytest

from picturelab import extras
from picturelab.extras import brings, brings_world, install_command, require

_OURS = """
import builtins, sys
usual = builtins.__import__
left_out = {"typer", "rich", "psutil", "fsspec", "filelock", "jinja2", "matplotlib", "gradio", "ray", "scipy"}

def ours_only(name, globals=None, locals=None, fromlist=(), level=0):
    ours = str((globals or {}).get("__name__")).startswith("picturelab")
    if ours and not level and name.split(".")[0] in left_out:
        raise ImportError(f"{globals['__name__']} imports {name}")
    return usual(name, globals, locals, fromlist, level)

builtins.__import__ = ours_only
import picturelab
from picturelab import extras, files, hooks, lazy, memory, models, notation, pipeline, quiet, recipes, settings, worlds
from picturelab.hooks import finite, stop
from picturelab.reports import grid
from picturelab.runs import folder, processes
from picturelab.batch import instruments, jobs, plan, order
assert not any(name.startswith("picturelab.cli") for name in sys.modules)
try:
    import picturelab.cli.run
except ImportError as error:
    print(error)
"""


@pytest.fixture
def installed_from(monkeypatch, tmp_path):
    """Have pip's note say that this project came from there; the current folder is `tmp_path`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(extras, "_pip", lambda: "pip")
    return lambda note: monkeypatch.setattr(extras, "_origin", lambda: note)


def test_in_a_checkout_the_command_names_its_folder(installed_from, tmp_path):
    here, elsewhere = tmp_path / "a place", tmp_path.parent / "elsewhere"
    for folder in (here, elsewhere):
        folder.mkdir(exist_ok=True)
        (folder / "pyproject.toml").touch()
    installed_from({"url": here.as_uri()})
    assert install_command("audit") == "pip install 'a place[audit]'"
    (here / "constraints.txt").touch()
    assert install_command("audit") == "pip install -c 'a place/constraints.txt' 'a place[audit]'"
    assert install_command(world=True) == "pip install -c 'a place/constraints.txt' './a place/shapeworld'"
    installed_from({"url": elsewhere.as_uri()})
    assert install_command("audit") == f"pip install '{elsewhere}[audit]'"
    assert install_command(world=True) == f"pip install {elsewhere}/shapeworld"


def test_from_git_the_command_names_the_address(installed_from):
    installed_from({"url": "https://example.org/us.git", "vcs_info": {"vcs": "git", "commit_id": "12"}})
    assert brings("lora") == (
        "pip install 'fouriscale-padtone[lora] @ git+https://example.org/us.git' brings it"
    )
    assert install_command(world=True) == (
        "pip install 'fouriscale-padtone-shapeworld @ git+https://example.org/us.git#subdirectory=shapeworld'"
    )


def test_a_wheel_brings_its_extras(installed_from, tmp_path):
    wheel = tmp_path / "ours.whl"
    wheel.touch()
    installed_from({"url": wheel.as_uri()})
    assert install_command("cli") == f"pip install '{wheel}[cli]'"
    assert "git+URL#subdirectory=shapeworld" in brings_world()


def test_where_nobody_knows_the_address_is_left_open(installed_from):
    installed_from({})
    assert brings("cluster") == (
        "pip install 'fouriscale-padtone[cluster] @ git+URL' brings it, with this repository's address for URL"
    )


def test_pip_is_that_of_this_python():
    """Whatever else is called so on the path."""
    words = shlex.split(install_command("cli"))
    pip = words[: words.index("install")]
    said = subprocess.run([*pip, "--version"], capture_output=True, text=True, check=True).stdout
    assert sys.prefix in said


def test_what_is_missing_is_named():
    require("padtone audit", "audit", "torch", "json")
    with pytest.raises(ValueError) as failure:  # noqa: PT011 (compared below)
        require("padtone audit", "audit", "json", "no_such_one", "nor_this")
    assert str(failure.value) == f"padtone audit needs no_such_one, nor_this: {brings('audit')}"


@pytest.mark.slow
def test_the_core_needs_no_extra():
    """Modules of ours that both instruments stand on, where only they may not import what extras bring."""
    run = subprocess.run([sys.executable, "-c", _OURS], capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, "picturelab.cli.run imports typer\n"), run.stderr
