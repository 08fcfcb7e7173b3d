"""docs/padtone.md says what was found; `pytest tests/each_family --write-families` writes its table anew."""

from tests.each_family import table


def test_the_page_says_what_was_found(request):
    words = table.found(request.config.stash[table.RAN], request.config.stash[table.FAILED])
    missing = [name for name, row in words.items() if "not run" in row.values()]
    assert not missing, "the table is made of a whole run: pytest tests/each_family"
    page, rendered = table.PAGE.read_text(), table.render(words)
    if request.config.getoption("--write-families"):
        table.PAGE.write_text(page.replace(table.table_of(page), rendered))
    assert table.table_of(table.PAGE.read_text()) == rendered
