"""Names that are imported when they are first asked for."""

import importlib
import sys

import pytest


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package whose module counts how often it is run."""
    folder = tmp_path / "lazy_example"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from picturelab.lazy import attach\n\n"
        "runs = []\n"
        "homes = {'two': 'numbers', 'nothing': 'numbers', 'far': 'far', 'lost': 'lost'}\n"
        "__getattr__, __dir__ = attach(__name__, homes)\n"
    )
    (folder / "numbers.py").write_text("import lazy_example\n\nlazy_example.runs.append(1)\ntwo = 2\n")
    (folder / "far.py").write_text("raise ModuleNotFoundError(\"No module named 'scipy'\", name='scipy')\n")
    (folder / "lost.py").write_text("import a_package_that_nobody_has\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("lazy_example")
    for name in ("lazy_example", "lazy_example.numbers"):
        sys.modules.pop(name, None)


def test_a_module_is_imported_when_its_name_is_asked_for_and_once(package):
    assert package.runs == []
    assert "lazy_example.numbers" not in sys.modules
    assert (package.two, package.two, package.runs) == (2, 2, [1])
    assert vars(package)["two"] == 2


def test_all_names_are_listed(package):
    assert {"two", "nothing", "runs"} <= set(dir(package))
    assert package.runs == []


def test_a_name_that_is_none(package):
    with pytest.raises(AttributeError, match="module 'lazy_example' has no attribute 'three'"):
        _ = package.three
    assert package.runs == []


def test_a_name_whose_extra_is_missing(package):
    sentence = r"^lazy_example\.far needs scipy: .*pip install .*\[audit\]' brings it$"
    with pytest.raises(ModuleNotFoundError, match=sentence):
        _ = package.far
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'a_package_that_nobody_has'$"):
        _ = package.lost
