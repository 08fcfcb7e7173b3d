"""What tests share. No test reaches the network, nor the user's own cache of models."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest_plugins = ["tests.tiny.fixtures"]

_CACHE = tempfile.TemporaryDirectory(prefix="hub-cache-")
os.environ |= {"HF_HOME": _CACHE.name, "HF_HUB_OFFLINE": "1"}  # read when huggingface_hub is imported

import torch  # noqa: E402

from tests.tiny.shapeworld_pipeline import untrained_pipeline  # noqa: E402


def pytest_unconfigure() -> None:
    _CACHE.cleanup()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A diffusers folder of the shipped model's architecture, untrained."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "tiny"
    untrained_pipeline().save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def _thread_count() -> Iterator[None]:
    """Remaking a picture sets torch's thread count; the next test gets its own back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def run_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int | str | None, str, str]]:
    """Runs a command line's `main` in an empty folder; gives exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(main: Callable[[list[str]], None], *arguments: object) -> tuple[int | str | None, str, str]:
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return stopped.value.code, said.out, said.err

    return run
