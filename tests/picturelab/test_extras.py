"""What an installation may leave out."""

import subprocess
import sys

import pytest

from picturelab.extras import brings, brings_world, require

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


def test_the_sentences():
    assert brings("cluster") == "pip install 'fouriscale-padtone[cluster]' brings it"
    assert brings_world().endswith("pip install ./shapeworld in a checkout of this repository")


def test_what_is_missing_is_named():
    require("padtone audit", "audit", "torch", "json")
    with pytest.raises(ValueError) as failure:  # noqa: PT011 (compared below)
        require("padtone audit", "audit", "json", "no_such_one", "nor_this")
    assert str(failure.value) == (
        "padtone audit needs no_such_one, nor_this: pip install 'fouriscale-padtone[audit]' brings it"
    )


@pytest.mark.slow
def test_the_core_needs_no_extra():
    """Modules of ours that both instruments stand on, where only they may not import what extras bring."""
    run = subprocess.run([sys.executable, "-c", _OURS], capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, "picturelab.cli.run imports typer\n"), run.stderr
