"""Which families' tests have passed is collected for the table of docs/padtone.md."""

import pytest

from tests.each_family import table


def pytest_addoption(parser):
    parser.addoption(
        "--write-families",
        action="store_true",
        help="write the table of docs/padtone.md instead of comparing it",
    )


def pytest_configure(config):
    config.stash[table.FAILED] = set()
    config.stash[table.RAN] = set()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    column = getattr(item.module, "COLUMN", None)
    name = getattr(item, "callspec", None) and item.callspec.params.get("name")
    if column is not None and name is not None:
        item.config.stash[table.RAN].add((name, column))
        if report.failed:
            item.config.stash[table.FAILED].add((name, column))
    return report


def pytest_collection_modifyitems(items):
    """The page is compared with what was found, so that comes last."""
    items.sort(key=lambda item: item.module.__name__.endswith("test_page"))
