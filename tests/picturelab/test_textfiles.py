"""Text files as editors, spreadsheets and phones save them."""

import codecs
import re

import pytest

from picturelab import textfiles
from picturelab.textfiles import lines, nearest, parse_json, read_json, read_text, read_yaml


@pytest.fixture
def file(tmp_path):
    def written(content):
        path = tmp_path / "list.txt"
        path.write_bytes(content)
        return path

    return written


TEXT = "ein roter Kreis, groß\r\nü二\n"


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        TEXT.encode("utf-32"),
        "\ufeffein roter Kreis, groß\r\n\ufeffü二\n".encode(),  # two files put together
    ],
)
@pytest.mark.parametrize("chunk", [1, 3, 2**20])
def test_encodings_that_say_what_they_are(file, monkeypatch, content, chunk):
    monkeypatch.setattr(textfiles, "_CHUNK", chunk)
    path = file(content)
    assert read_text(path) == TEXT
    # The first piece holds the mark, as whatever is read from a disk does.
    monkeypatch.setattr(textfiles, "_CHUNK", max(chunk, 4))
    copy, _ = textfiles.text_copy(path)
    with copy:
        assert copy.read().decode() == TEXT


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("rot\ngroß".encode("cp1252"), "list.txt is not UTF-8 (unexpected end of data at byte 7, in line 2)"),
        (
            "süß\n".encode("cp1252"),
            "is not UTF-8 (invalid start byte at byte 1, in line 1); save it as UTF-8",
        ),
        (TEXT.encode("utf-16")[:-1], "is not UTF-16 (truncated data at byte"),
        ("abc".encode("utf-16-le"), "(a zero byte in line 1): UTF-16 without a byte order mark has these"),
        (
            b"PK\x03\x04 and so on",
            "is an Excel workbook or another ZIP archive, no text; save it as UTF-8 text",
        ),
        (b"\xd0\xcf\x11\xe0\xa1", "is an old Excel workbook, no text"),
    ],
)
def test_others_are_told_with_the_place(file, content, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        read_text(file(content))


def test_the_place_is_right_across_chunks(file, monkeypatch):
    monkeypatch.setattr(textfiles, "_CHUNK", 4)
    with pytest.raises(ValueError, match=re.escape("(invalid continuation byte at byte 10, in line 3)")):
        textfiles.text_copy(file("ä\nö\nabcd".encode() + b"\xc3x"))


@pytest.mark.parametrize(
    ("name", "said"), [(".", "Is a directory"), ("none", "No such file"), ("/dev/zero", "it is a device")]
)
def test_what_is_no_file(tmp_path, name, said):
    with pytest.raises(ValueError, match=f"cannot be read .*{said}"):
        read_text(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1, "a": 2}', "'a' stands there twice"),
        ('{"b": {"a": 1, "a": 2}}', "'a' stands there twice"),
        ("{“a”: 1}", 'at letter 2, where “ stands: JSON takes straight quotes, "'),
        ("{'a': 1}", "at letter 2, where ' stands"),
        ("[" * 100_000, "it is nested too deeply"),
        ('{"a": ' + "9" * 5000 + "}", "Exceeds the limit (4300 digits)"),
    ],
)
def test_json_is_read_strictly(text, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_json(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3", "'a' stands there twice, in the mapping of line 1"),
        ("x:\n  - {a: 1, a: 1}", "'a' stands there twice, in the mapping of line 2"),
        ("a: &a [1, *a]", "what stands in line 1 has an alias of itself inside"),
        ("a: 2024-13-45", "month must be in 1..12"),
        ("[" * 5000, "it is nested too deeply"),
        ("a: [1", "expected ',' or ']', but got '<stream end>', in line 1"),
        ("a: !!python/object:os.system x", "could not determine a constructor"),
        ("a: \x01", "special characters are not allowed"),
    ],
)
def test_yaml_is_read_strictly(file, text, said):
    with pytest.raises(ValueError, match=r"list.txt is no YAML \(" + ".*" + re.escape(said)):
        read_yaml(file(text.encode()))


def test_aliases_may_repeat_but_not_explode(file):
    text = "base: &base {stop: 1}\nother: {<<: *base, stop: 2}\nsame: *base\n"
    assert read_yaml(file(text.encode())) == {"base": {"stop": 1}, "other": {"stop": 2}, "same": {"stop": 1}}
    lists = [
        f"- &{new} [{', '.join([f'*{old}'] * 9)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    bomb = "\n".join(["- &a [x, x, x, x, x, x, x, x, x]", *lists])
    with pytest.raises(
        ValueError, match=r"its aliases make 4.9e\+08 values of 19; they may add 100,000 at most"
    ):
        read_yaml(file(bomb.encode()))


def test_the_nearest_word():
    assert nearest("Promt", {"prompt", "seed"}) == " (did you mean 'prompt'?)"
    assert nearest("colour", {"prompt", "seed"}) == ""


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[]", "it is no JSON object"),
        (b"{", "Expecting property name"),
        (b'{"a": 1, "a": 2}', "'a' stands there twice"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b"\xff{}", "is not UTF-8"),
    ],
)
def test_json_that_is_none_is_one_sentence(file, content, reason):
    path = file(content)
    with pytest.raises(ValueError, match=rf"^{re.escape(str(path))} cannot be read \(.*{re.escape(reason)}"):
        read_json(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_json_of_any_editor(file, encoding):
    assert read_json(file('{"ä": 1}'.encode(encoding))) == {"ä": 1}
    with pytest.raises(ValueError, match=r"^its index is bad \(No such file or directory\)$"):
        read_json(file(b"").with_name("none.json"), "its index is bad")


def test_lines_and_their_numbers():
    text = " one \r\n\n# two\n\t\n  # three\nfour"
    assert lines(text) == [(1, "one"), (3, "# two"), (5, "# three"), (6, "four")]
    assert lines(text, comment="#") == [(1, "one"), (6, "four")]
