from tests.matrix import table as matrix_table


def pytest_addoption(parser):
    parser.addoption(
        "--write-table", action="store_true", help="write docs/compatibility.md instead of comparing with it"
    )


def pytest_configure(config):
    config.stash[matrix_table.RESULTS] = {}
