import codecs
import json
import re

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


def test_a_grid_of_millions_is_not_expanded_and_one_of_a_trillion_refused(tmp_path):
    prompts = [str(i) for i in range(1000)]
    source = grid(tmp_path, prompts=prompts, seeds="0-9999")
    assert len(source) == 10**7
    assert source.row(10**7 - 1)["seed"] == 9999
    with pytest.raises(
        ValueError,
        match=re.escape(
            "has 1,000 prompts x 1,000,000,000,000,000,000 seeds = 1,000,000,000,000,000,000,000 combinations; "
            "a grid has 10,000,000 at most"
        ),
    ):
        grid(tmp_path, prompts=prompts, seeds="0-999999999999999999")


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


@pytest.mark.parametrize("name", ["jobs.jsonl", "jobs.csv", "jobs.parquet", "jobs.yaml"])
def test_a_file_rewritten_in_place_is_read_as_it_was(tmp_path, name):
    def write(prompt):
        path = tmp_path / f"{prompt}.{name}"
        rows = [{"prompt": prompt, "seed": i} for i in range(3)]
        if name == "jobs.jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        elif name == "jobs.csv":
            path.write_text("prompt,seed\n" + "".join(f"{prompt},{i}\n" for i in range(3)))
        elif name == "jobs.parquet":
            parquet.write_table(pyarrow.Table.from_pylist(rows), path)
        else:
            path.write_text(f"prompts: [{prompt}]\nseeds: 0-2\n")
        return path

    path = write("circle")
    source = open_jobs_file(path)
    with path.open("r+b") as file:  # in place, as `cp` does
        file.write(write("square").read_bytes())
    assert [source.row(i)["prompt"] for i in range(3)] == ["circle"] * 3


def test_a_byte_order_mark_is_no_part_of_a_prompt(tmp_path):
    (tmp_path / "prompts.txt").write_bytes("\ufeffa red circle\r\na blue square\r\n".encode())
    (tmp_path / "grid.yaml").write_bytes(
        codecs.BOM_UTF16_LE + "prompts: prompts.txt\nseeds: 0\n".encode("utf-16-le")
    )
    source = open_jobs_file(tmp_path / "grid.yaml")
    assert [source.row(i)["prompt"] for i in range(2)] == ["a red circle", "a blue square"]
    (tmp_path / "jobs.jsonl").write_bytes(codecs.BOM_UTF16_LE + '{"prompt": "ä"}\r\n'.encode("utf-16-le"))
    assert rows(open_jobs_file(tmp_path / "jobs.jsonl")) == [(1, {"prompt": "ä"})]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "prompts-final.txt cannot be read (No such file or directory)"),
        ("süß".encode("cp1252"), "prompts-final.txt is not UTF-8 (invalid start byte at byte 1, in line 1)"),
        (b"PK\x03\x04", "prompts-final.txt is an Excel workbook"),
        (b" \n\n", "prompts-final.txt holds no prompt"),
    ],
)
def test_the_list_of_a_grid_is_named(tmp_path, content, said):
    if content is not None:
        (tmp_path / "prompts-final.txt").write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(said)):
        grid(tmp_path, prompts="prompts-final.txt")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prompts: [a]\nprompts: [b]", "is no YAML ('prompts' stands there twice"),
        ("prompts: &a [*a]", "is no YAML (what stands in line 1 has an alias of itself"),
        ("prompts: [a]\n1: b", "has no use for 1; keys are"),
        ("promts: [a]\nprompts: [b]", "has no use for 'promts' (did you mean 'prompts'?)"),
        ("prompts: [a]\nseeds: true", "seeds is True; it is a list"),
        ("- a", "is no grid"),
        ("", "is no grid"),
    ],
)
def test_yaml_that_is_no_grid(tmp_path, text, said):
    (tmp_path / "grid.yaml").write_text(text)
    with pytest.raises(ValueError, match=re.escape(said)):
        open_jobs_file(tmp_path / "grid.yaml")


def test_parquet_of_odd_kinds(tmp_path):
    path = tmp_path / "jobs.parquet"
    table = pyarrow.table(
        {
            "Prompt": pyarrow.array(["a", None, "b"]).dictionary_encode(),
            "seed": pyarrow.array([1, None, 2], pyarrow.uint8()),
            "config": [{"stop": 0.5}, None, None],
            "lora": [["a.safetensors"], None, []],
        }
    )
    parquet.write_table(table, path)
    assert rows(open_jobs_file(path)) == [
        (1, {"prompt": "a", "seed": 1, "config": {"stop": 0.5}, "lora": ["a.safetensors"]}),
        (3, {"prompt": "b", "seed": 2, "lora": []}),
    ]
    double = pyarrow.table([pyarrow.array(["a"]), pyarrow.array(["b"])], names=["prompt", "prompt"])
    parquet.write_table(double, path)
    with pytest.raises(ValueError, match="has 2 columns named 'prompt'"):
        open_jobs_file(path)
    path.write_bytes(path.read_bytes()[:-20] + b"PAR1")
    with pytest.raises(ValueError, match="is no Parquet file"):
        open_jobs_file(path)
    parquet.write_table(pyarrow.table({"prompt": [None, None]}), path)
    with pytest.raises(ValueError, match="holds no job"):
        open_jobs_file(path)
