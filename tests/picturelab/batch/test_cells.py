"""CSV as the spreadsheets of all countries write it, and as people break it."""

import codecs
import re

import pytest

from picturelab.batch.sources import open_jobs_file


@pytest.fixture
def cells(tmp_path):
    """Rows of a CSV file of this text, by the numbers of their lines."""

    def read(content):
        path = tmp_path / "jobs.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        source = open_jobs_file(path)
        return {source.number(i): source.row(i) for i in range(len(source))}

    return read


RED = {"prompt": "a red circle, large", "seed": "1"}


@pytest.mark.parametrize(
    "content",
    [
        'prompt,seed\r\n"a red circle, large",1\r\n,\r\n , \r\n\r\n',
        'prompt,seed\r"a red circle, large",1\r,\r',
        "prompt;seed\r\na red circle, large;1\r\n;\r\n",
        "prompt\tseed\r\na red circle, large\t1\r\n\t\r\n",
        "prompt|seed\na red circle, large|1\n",
        'Prompt, SEED \n"a red circle, large",1\n',
        'prompt,seed,,\n"a red circle, large",1,,\n,,,\n',
        'prompt,seed\n"a red circle, large",1,,,\n',
        'comment,prompt,seed\n,"a red circle, large",1\n',
        codecs.BOM_UTF16_LE
        + "prompt\tseed\r\na red circle, large\t1\r\n".encode("utf-16-le"),  # "Unicode Text"
    ],
)
def test_a_table_of_one_job(cells, content):
    assert cells(content) == {2: RED}


@pytest.mark.parametrize("first", ["sep=;\r\n", '"sep=;"\r\n', "SEP=;\n", "sep=;;;\r\n", "\ufeffsep=;\r\n"])
def test_excels_own_line_says_the_separator(cells, first):
    assert cells(first + "prompt;seed\r\na red circle, large;1\r\n") == {3: RED}


def test_empty_lines_before_the_header_count_as_lines(cells):
    assert cells('\n,,\nprompt,seed\n"a red circle, large",1\n') == {4: RED}


def test_names_of_several_words_and_decimal_commas(cells):
    assert cells("Negative Prompt;Guidance\nblue;7,5\n") == {
        2: {"negative_prompt": "blue", "guidance": "7.5"}
    }
    assert cells("prompt,guidance\nblue,7.5\n") == {2: {"prompt": "blue", "guidance": "7.5"}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            'prompt,seed\na,1\n"a red circle,2\nb,3\n',
            "jobs.csv, line 3: a quote opens there that is not closed",
        ),
        ('prompt,seed\n"a\nb",1\nc,"2\n"d",3\n', "jobs.csv, line 4: a quote opens there that is not closed"),
        ('"prompt,seed\na,1\n', "line 1: a quote opens there that is not closed"),
        ("prompt,prompt,seed\na,b,1\n", "jobs.csv has 2 columns named 'prompt'"),
        ("Prompt,prompt,seed\na,b,1\n", "jobs.csv has 2 columns named 'prompt'"),
        (
            "x" * 200_000 + "\na",
            "jobs.csv, line 1: the header is damaged (a cell has more than 131,072 letters)",
        ),
        ("prompt,seed\n", "jobs.csv holds no job"),
        ("", "jobs.csv holds no job"),
        ("sep=;\n", "jobs.csv holds no job"),
        (b"PK\x03\x04", "is an Excel workbook or another ZIP archive"),
        (
            "prompt\nsüß".encode("cp1252"),
            "is not UTF-8 (invalid start byte at byte 8, in line 2); save it as UTF-8",
        ),
    ],
)
def test_files_of_which_it_cannot_be_told_what_they_say(cells, content, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        cells(content)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a" * 200_000 + ",1", "it is damaged (a cell has more than 131,072 letters)"),
        ('"' + "a" * 200_000, "it is damaged (a cell has more than 131,072 letters)"),
        ('"a" red circle,1', "it is damaged (',' expected after '\"')"),
        ("a,1,2", "it has 3 cells where the header has 2"),
        ("a", "it has 1 cells where the header has 2"),
    ],
)
def test_one_bad_line_is_one_bad_row(tmp_path, line, said):
    path = tmp_path / "jobs.csv"
    path.write_text(f"prompt,seed\nb,2\n{line}\nc,3\n")
    source = open_jobs_file(path)
    assert [source.number(i) for i in range(3)] == [2, 3, 4]
    with pytest.raises(ValueError, match=re.escape(said)):
        source.row(1)
    assert source.row(2) == {"prompt": "c", "seed": "3"}


def test_a_cell_without_a_heading(cells):
    with pytest.raises(ValueError, match="'mine' stands in a column without a name"):
        cells("prompt,\na,mine\n")
