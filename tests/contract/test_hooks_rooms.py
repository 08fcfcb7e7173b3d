"""Rooms of hooks are the only ones that touch somebody else's module, and here is who keeps that sentence true."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("fouriscale", "padtone", "picturelab")
# What a value that belongs to somebody else is called in these packages.
OTHERS = (
    "pipe",
    "pipeline",
    "module",
    "model",
    "unet",
    "denoiser",
    "transformer",
    "vae",
    "block",
    "conv",
    "ldm",
)

EXCEPTIONS = {
    # A loader prepares and marks what it has put together itself, before anybody has the pipeline.
    "padtone/families/ldm.py": ["ldm.tokenizer.model_max_length = ..."],
    "picturelab/models.py": ["setattr(pipe, _ORIGIN, ModelOrigin(model, state))"],
    # The scheduler that was asked for.
    "fouriscale/cli/generate.py": ["pipe.scheduler = ..."],
    "fouriscale/sampling/generate.py": ["pipe.scheduler = ..."],
    # Our own package, not a module of torch.
    "picturelab/lazy.py": ["setattr(sys.modules[package], name, value)"],
    # Costs are counted on a UNet or a transformer without values, built for that.
    "fouriscale/reports/explain.py": ["TorchFunctionMode"],
    "fouriscale/reports/transformer_cost.py": ["TorchFunctionMode"],
}


def touches(source: str) -> list[str]:
    """What a file does to modules and pipelines that are not its own, in its own words."""
    deeds = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            deeds += _call(node)
        elif isinstance(node, ast.Name | ast.Attribute):
            name = node.id if isinstance(node, ast.Name) else node.attr
            deeds += [name] if name == "TorchFunctionMode" else []
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Delete):
            targets = node.targets if isinstance(node, ast.Assign | ast.Delete) else [node.target]
            deeds += [f"{ast.unparse(target)} = ..." for target in _flat(targets) if _is_others(target)]
    return deeds


def _call(node: ast.Call) -> list[str]:
    function = node.func
    if isinstance(function, ast.Attribute):
        registers = function.attr.startswith("register_") and function.attr.endswith("_hook")
        return [f"{ast.unparse(function)}()"] if registers else []
    named = isinstance(function, ast.Name) and function.id in ("setattr", "delattr")
    return [ast.unparse(node)] if named and not _is_self(node.args[0]) else []


def _flat(targets: list[ast.expr]) -> list[ast.expr]:
    inner = (target.elts if isinstance(target, ast.Tuple | ast.List) else [target] for target in targets)
    return [target for group in inner for target in group]


def _is_others(target: ast.expr) -> bool:
    """An attribute, however deep, of something that is called what others' things are."""
    if not isinstance(target, ast.Attribute):
        return False
    root: ast.expr = target
    while isinstance(root, ast.Attribute | ast.Subscript):
        root = root.value
    return isinstance(root, ast.Name) and root.id in OTHERS


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def rooms(package: str) -> list[Path]:
    """A package's files outside its room of hooks."""
    folder = ROOT / package
    return [path for path in sorted(folder.rglob("*.py")) if folder / "hooks" not in path.parents]


@pytest.mark.parametrize("package", PACKAGES)
def test_only_rooms_of_hooks_touch_others_modules(package):
    files = {
        path.relative_to(ROOT).as_posix(): sorted(set(touches(path.read_text()))) for path in rooms(package)
    }
    assert len(files) > 20
    exceptions = {name: deeds for name, deeds in EXCEPTIONS.items() if name.startswith(f"{package}/")}
    assert {name: deeds for name, deeds in files.items() if deeds} == exceptions


@pytest.mark.parametrize("package", ["fouriscale", "padtone"])
def test_the_rooms_of_hooks_do(package):
    """So that the test above would see it."""
    deeds = [deed for path in (ROOT / package / "hooks").glob("*.py") for deed in touches(path.read_text())]
    assert any("register_forward_pre_hook" in deed for deed in deeds)


@pytest.mark.parametrize(
    ("source", "deed"),
    [
        ("module.register_forward_hook(look)", "module.register_forward_hook()"),
        ("setattr(pipe, 'encode_prompt', mine)", "setattr(pipe, 'encode_prompt', mine)"),
        ("pipe.encode_prompt = mine", "pipe.encode_prompt = ..."),
        ("a, module.scale = 1, 2", "module.scale = ..."),
        ("unet.mid_block.scale *= 2", "unet.mid_block.scale = ..."),
        ("del pipe.encode_prompt", "pipe.encode_prompt = ..."),
        ("class Mode(torch.overrides.TorchFunctionMode): pass", "TorchFunctionMode"),
    ],
)
def test_what_counts_as_touching(source, deed):
    assert touches(source) == [deed]


@pytest.mark.parametrize(
    "source",
    [
        "self.scale = 1",
        "report.scale = 1",
        "setattr(self, 'scale', 1)",
        "register_family(Pipe, family)",
        "pipe.to('cpu')",
    ],
)
def test_what_does_not(source):
    assert touches(source) == []
