import pyarrow
import pytest
import yaml
from pyarrow import parquet

from picturelab.batch.sources import open_jobs_file


def rows(source):
    return [(source.number(i), source.row(i)) for i in range(len(source))]


def test_jsonl_counts_lines_as_an_editor_does(tmp_path):
    path = tmp_path / "jobs.jsonl"
    path.write_text('{"prompt": "ä"}\n\n  \n{"prompt": "b"}')
    assert rows(open_jobs_file(path)) == [(1, {"prompt": "ä"}), (4, {"prompt": "b"})]


def test_rows_are_read_in_any_order(tmp_path):
    path = tmp_path / "jobs.jsonl"
    path.write_text("".join(f'{{"seed": {i}}}\n' for i in range(50)))
    source = open_jobs_file(path)
    assert [source.row(i)["seed"] for i in (40, 3, 49, 0)] == [40, 3, 49, 0]


@pytest.mark.parametrize(("line", "said"), [("{", "it is not JSON"), ("[1]", "it is not a JSON object")])
def test_a_damaged_line_is_said(tmp_path, line, said):
    path = tmp_path / "jobs.jsonl"
    path.write_text(line)
    with pytest.raises(ValueError, match=said):
        open_jobs_file(path).row(0)


def test_csv_with_quotes_and_newlines(tmp_path):
    path = tmp_path / "jobs.csv"
    path.write_text('\ufeffprompt,seed,steps\n"a, b",1,\n"two\nlines",2,3\n\nplain,4,5\n', encoding="utf-8")
    source = open_jobs_file(path)
    expected = [
        (2, {"prompt": "a, b", "seed": "1"}),
        (3, {"prompt": "two\nlines", "seed": "2", "steps": "3"}),
        (6, {"prompt": "plain", "seed": "4", "steps": "5"}),
    ]
    assert rows(source) == expected
    assert source.row(1) == expected[1][1]
    path.write_text("prompt,seed\na\n")
    with pytest.raises(ValueError, match="it has 1 cells where the header has 2"):
        open_jobs_file(path).row(0)


def test_parquet(tmp_path):
    path = tmp_path / "jobs.parquet"
    parquet.write_table(pyarrow.table({"prompt": ["a", "b"], "seed": [1, None]}), path)
    assert rows(open_jobs_file(path)) == [(1, {"prompt": "a", "seed": 1}), (2, {"prompt": "b"})]
    path.write_text("no parquet")
    with pytest.raises(ValueError, match="is no Parquet file"):
        open_jobs_file(path)


def grid(tmp_path, **values):
    path = tmp_path / "grid.yaml"
    path.write_text(yaml.safe_dump(values))
    return open_jobs_file(path)


def test_a_grid_is_every_combination_seeds_fastest(tmp_path):
    source = grid(
        tmp_path,
        prompts=["a", "b"],
        seeds="0-1",
        sizes=["64x64", "128x64"],
        configs=["none", {"preset": "shapeworld", "stop": 0.5}],
        steps=3,
    )
    made = [source.row(i) for i in range(len(source))]
    assert len(made) == 16
    assert made[0] == {
        "steps": 3,
        "size": "64x64",
        "preset": "none",
        "prompt": "a",
        "seed": 0,
        "id": "64x64-none-p0-s0",
    }
    assert made[1]["seed"] == 1
    assert made[7] == {
        "steps": 3,
        "size": "64x64",
        "preset": "shapeworld",
        "config": {"stop": 0.5},
        "prompt": "b",
        "seed": 1,
        "id": "64x64-c1-p1-s1",
    }
    assert len({row["id"] for row in made}) == 16


def test_a_grid_takes_arms_and_a_file_of_prompts(tmp_path):
    (tmp_path / "prompts.txt").write_text("a\n\nb\n")
    source = grid(tmp_path, prompts="prompts.txt", arms=["full", "padding 1/5"])
    assert [source.row(i)["id"] for i in range(4)] == [
        "full-p0",
        "full-p1",
        "padding_1_5-p0",
        "padding_1_5-p1",
    ]
    before = source.sha256
    (tmp_path / "prompts.txt").write_text("a\nc\n")
    assert grid(tmp_path, prompts="prompts.txt", arms=["full", "padding 1/5"]).sha256 != before


def test_a_grid_of_a_trillion_is_not_expanded(tmp_path):
    source = grid(tmp_path, prompts=[str(i) for i in range(1000)], seeds="0-999999999")
    assert len(source) == 10**12
    assert source.row(10**12 - 1)["seed"] == 999_999_999


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"prompts": ["a"], "colour": 1}, "has no use for 'colour'"),
        ({"prompts": []}, "prompts is \\[\\]; it is a list"),
        ({"prompts": ["a"], "seeds": "3-1"}, "seeds is '3-1'; it is a list .* or a range such as 0-99"),
        ({"prompts": ["a"], "configs": ["none"], "preset": "none"}, "gives preset and configs"),
        ({"seeds": [1]}, "is no grid"),
    ],
)
def test_what_is_wrong_with_a_grid_is_said(tmp_path, values, said):
    with pytest.raises(ValueError, match=said):
        grid(tmp_path, **values)


@pytest.mark.parametrize(
    ("name", "said"), [("a.txt", "jobs files end in .jsonl"), ("none.csv", "cannot be read")]
)
def test_files_that_cannot_be_read(tmp_path, name, said):
    with pytest.raises(ValueError, match=said):
        open_jobs_file(tmp_path / name)


def test_an_empty_file_and_a_wrong_encoding(tmp_path):
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(ValueError, match="holds no job"):
        open_jobs_file(tmp_path / "empty.jsonl")
    (tmp_path / "latin.csv").write_bytes("prompt\nä".encode("latin-1"))
    with pytest.raises(ValueError, match="is not UTF-8"):
        open_jobs_file(tmp_path / "latin.csv")
