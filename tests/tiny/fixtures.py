"""The tiny pipelines are shared; every test must leave those it used as it found them."""

import pytest
import torch

from tests.tiny import text_pipelines


def fingerprint(pipe) -> tuple:
    """All that a `with` block could forget to take back."""
    parts = {name: part for name, part in pipe.components.items() if isinstance(part, torch.nn.Module)}
    weights = {name: _weights(part) for name, part in parts.items()}
    hooks = {name: sum(map(_hooks, part.modules())) for name, part in parts.items()}
    own = [name for name in vars(pipe) if callable(vars(pipe)[name]) and name not in pipe.components]
    return weights, hooks, own, torch.overrides._get_current_function_mode_stack()


def _weights(module: torch.nn.Module) -> list[tuple[str, float]]:
    return [(key, float(weight.sum())) for key, weight in module.state_dict().items()]


def _hooks(module: torch.nn.Module) -> int:
    """Hooks of ours; transformers leaves some of its own on first use."""
    hooks = [*module._forward_pre_hooks.values(), *module._forward_hooks.values()]
    return sum(hook.__module__.startswith("padtone") for hook in hooks) + ("forward" in vars(module))


@pytest.fixture
def tiny():
    """`tiny(name)` is a family's tiny pipeline."""
    seen = {}

    def build(name: str):
        pipe = text_pipelines.pipeline(name)
        seen.setdefault(name, fingerprint(pipe))
        return pipe

    yield build
    for name, before in seen.items():
        assert fingerprint(text_pipelines.pipeline(name)) == before, f"{name} was left changed"
