"""What needs no model is answered before anything heavy is imported."""

import json
import subprocess
import sys

import pytest

JOINT = ("--model", "shapeworld/joint")
LATENTS = ("--cascade", "--cascade-upsampling", "latents")
# The words after `fouriscale` or `padtone`, and what the sentence says.
ANSWERS = [
    (["fouriscale", "generate", "a red circle", "--size", "250x136"], "width 248, height 136"),
    (["fouriscale", "generate", "a red circle", "--size", "99992x8"], "width=99992: must be"),
    (["fouriscale", "generate", "a red circle", "--preset", "sd16"], "unknown preset 'sd16'"),
    (["fouriscale", "generate", "a red circle", "--mode", "slow"], "mode='slow'"),
    (["fouriscale", "generate", "a red circle", "--dtype", "int8"], "unknown dtype 'int8'"),
    (["fouriscale", "generate", "a red circle", "--model", "no/such/folder"], "no model 'no/such/folder'"),
    (["fouriscale", "generate", "a red circle", "--model", "shapeworld/unte"], "shipped is shapeworld/unet,"),
    (["fouriscale", "generate", "a red circle", "--model", "sdxl"], "'sdxl' is a preset"),
    (["fouriscale", "generate", "a red circle", "--image", "absent.png"], "absent.png cannot be read"),
    (["fouriscale", "generate", "a red circle", "--lora", "absent.safetensors"], "lora 'absent.safetensors'"),
    (["fouriscale", "generate", "a red circle", "--control", "a=b.png"], "b.png cannot be read"),
    (["fouriscale", "generate", "a red circle", "--cascade-strength", "0.4"], "needs a cascade"),
    (["fouriscale", "generate", " "], "the prompt is empty: say what to draw"),
    (["fouriscale", "explain", "--size", "250x136"], "width 248, height 136"),
    (["fouriscale", "explain", "--size", "256x256", "--model", "sdxxl"], "'sdxxl' (did you mean 'sdxl'?)"),
    (["fouriscale", "explain", "--size", "256x256", "--model", "FLUX"], "did you mean 'flux'?"),
    (["fouriscale", "explain", "--size", "256x256", "--model", "a cat"], "; or a preset: "),
    (["fouriscale", "generate", "a red circle", "--model", "flux"], "'flux' is a preset"),
    (["fouriscale", "generate", "a red circle", "--rule", "ntk"], "rule='ntk': is a setting of transformers"),
    (["fouriscale", "generate", "a red circle", "--preset", "flux"], "and shapeworld/unet has a unet"),
    (["fouriscale", "generate", "a red circle", "--wrap", "sideways"], "wrap='sideways': must be one of"),
    (["fouriscale", "generate", "a red circle", "--wrap", "both", "--cascade"], "wrap='both' with a cascade"),
    (["fouriscale", "generate", "a red circle", *JOINT, "--mode", "fast"], "is no setting of a transformer"),
    (
        ["fouriscale", "generate", "a red circle", *JOINT, "--wrap", "sideways"],
        "wrap='sideways': must be one of",
    ),
    (["fouriscale", "generate", "a red circle", *JOINT, "--preset", "sd15"], "joint has a transformer"),
    (["fouriscale", "generate", "a red circle", *JOINT, *LATENTS], "a transformer's image to image starts"),
    (["fouriscale", "explain", "--size", "64x64", "--model", "flux", *LATENTS], "a transformer's image to"),
    (["fouriscale", "explain", "--size", "64x64", "--model", "flux", "--measure"], "flux has a transf"),
    (["fouriscale", "validate", "--out", "r", *JOINT, "--mode", "paper"], "is no setting of a transformer"),
    (["fouriscale", "validate", "--out", "r", "--model", "sd15"], "'sd15' is a preset"),
    (["fouriscale", "borders", "--out", "r", *JOINT], "has a transformer, which has no convolutions"),
    (["fouriscale", "borders", "--out", "r", "--pictures", "absent"], "pictures=absent: is no folder"),
    (["fouriscale", "page", "--model", "sdxl"], "'sdxl' is a preset"),
    (["fouriscale", "remake", "absent.png", "--out", "b.png"], "absent.png cannot be read"),
    (["padtone", "ite", "a red circle", "--model", "shapeworld/unte"], "shipped is shapeworld/unet,"),
    (["padtone", "roles", ""], "the prompt is empty: say what to draw"),
    (["padtone", "audit", "--model", "no/such/folder"], "no model 'no/such/folder'"),
]
_RUN = """
import contextlib, importlib.machinery, io, json, sys

class Refusal:
    def find_spec(self, name, path=None, target=None):
        heavy = name in ("torch", "diffusers", "transformers", "gradio")
        return importlib.machinery.ModuleSpec(name, self) if heavy else None

    def create_module(self, spec):
        raise ImportError(f"{spec.name} is imported")

    def exec_module(self, module): ...

sys.meta_path.insert(0, Refusal())
import fouriscale.cli, padtone.cli

answers = []
for program, *words in json.loads(sys.argv[1]):
    err = io.StringIO()
    with contextlib.redirect_stderr(err):
        try:
            {"fouriscale": fouriscale.cli, "padtone": padtone.cli}[program].main(words)
        except SystemExit as end:
            code = end.code
    answers.append([code, err.getvalue()])
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Exit code and stderr of each, all in one fresh Python in which nothing heavy can be imported."""
    words = json.dumps([words for words, _ in ANSWERS])
    folder = tmp_path_factory.mktemp("here")
    ran = subprocess.run(
        [sys.executable, "-c", _RUN, words], capture_output=True, text=True, check=True, cwd=folder
    )
    assert list(folder.iterdir()) == []
    return json.loads(ran.stdout)


def test_nothing_heavy_can_be_imported_there():
    ran = subprocess.run(
        [sys.executable, "-c", _RUN + "import torch", "[]"], capture_output=True, text=True, check=False
    )
    assert "ImportError: torch is imported" in ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(ANSWERS)), ids=lambda i: " ".join(ANSWERS[i][0]))
def test_answered_at_once(answers, number):
    code, err = answers[number]
    assert (code, err.count("\n")) == (2, 1), err
    assert err.startswith("Error: ")
    assert ANSWERS[number][1] in err
