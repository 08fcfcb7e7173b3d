"""The names that padtone offers."""

import re
from pathlib import Path

import padtone

ROOT = Path(__file__).parents[2]


def test_all_is_sorted_and_there():
    assert padtone.__all__ == sorted(padtone.__all__)
    for name in padtone.__all__:
        value = getattr(padtone, name)
        assert value.__module__.startswith("padtone.")
        assert value.__doc__
        assert name in dir(padtone)


def test_homes_are_complete():
    assert sorted(name for names in padtone._HOMES.values() for name in names) == padtone.__all__


def test_the_instruments_do_not_import_each_other():
    """What they share lies in picturelab and shapeworld, which import neither."""
    for package, others in (
        ("padtone", "fouriscale"),
        ("fouriscale", "padtone"),
        ("picturelab", "fouriscale|padtone"),
        ("shapeworld", "fouriscale|padtone"),
    ):
        for file in (ROOT / package).rglob("*.py"):
            imports = re.findall(rf"^\s*(?:from|import) (?:{others})\b.*", file.read_text(), re.MULTILINE)
            assert not imports, (file, imports)
