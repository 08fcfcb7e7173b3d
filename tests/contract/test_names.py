"""The names that the instruments offer."""

import importlib

import pytest

import fouriscale
import padtone


@pytest.mark.parametrize("package", [fouriscale, padtone], ids=lambda package: package.__name__)
def test_all_is_sorted_there_and_documented(package):
    assert package.__all__ == sorted(package.__all__)
    for name in package.__all__:
        value = getattr(package, name)
        assert value.__module__.startswith(f"{package.__name__}.")
        assert value.__doc__
        assert name in dir(package)


@pytest.mark.parametrize("package", [fouriscale, padtone], ids=lambda package: package.__name__)
def test_what_is_no_name_says_so(package):
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'nothing'"):
        package.nothing  # noqa: B018


@pytest.mark.parametrize(("module", "name"), [("padtone.clip", "Clip"), ("padtone.report", "write_report")])
def test_doors_that_were_documented_stay(module, name):
    assert getattr(importlib.import_module(module), name) is getattr(padtone, name)
