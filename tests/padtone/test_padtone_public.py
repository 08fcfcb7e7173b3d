"""The names that padtone offers."""

import padtone


def test_all_is_sorted_and_there():
    assert padtone.__all__ == sorted(padtone.__all__)
    for name in padtone.__all__:
        value = getattr(padtone, name)
        assert value.__module__.startswith("padtone.")
        assert value.__doc__
        assert name in dir(padtone)


def test_homes_are_complete():
    assert sorted(name for names in padtone._HOMES.values() for name in names) == padtone.__all__
