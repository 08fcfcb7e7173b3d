"""What jobs say of their files."""

import pytest

from fouriscale.sampling.recipe import read
from picturelab.batch.jobs import parse
from picturelab.batch.order import BatchOrder
from picturelab.embedded import texts_of
from picturelab.remarks import Remark
from tests.picturelab.batch_rows import manifest, row


def job(**more):
    return parse({"prompt": "a cat"} | more, 1)


def test_the_format_names_the_file_and_not_the_group():
    jobs = [job(), job(format="png"), job(format="webp", quality="80"), job(format="jpeg", a1111="false")]
    assert [one.file for one in jobs] == ["1.png", "1.png", "1.webp", "1.jpg"]
    assert len({one.alike() for one in jobs}) == 1
    assert (jobs[2].quality, jobs[3].a1111) == (80, False)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"format": "gif"}, r"format is 'gif': must be png, webp or jpeg"),
        ({"format": 3}, r"format is 3: "),
        ({"quality": 90}, r"quality is 90, and PNG keeps pixels as they are"),
        ({"quality": 0, "format": "webp"}, r"quality is 0: must be a whole number from 1 to 100"),
        ({"format": "webp", "size": "16384x64"}, r"width 16384, height 64 is too large for WebP"),
        ({"format": "jpeg", "prompt": "红" * 10_000, "negative_prompt": "红" * 10_000}, r"have 60,000 bytes"),
        ({"a1111": "perhaps"}, r"a1111 is 'perhaps': "),
    ],
)
def test_what_cannot_be_made_is_told_with_the_line(keys, sentence):
    with pytest.raises(ValueError, match=sentence):
        job(**keys)


def test_what_an_order_cannot_be():
    assert BatchOrder("jobs.jsonl", "out").file_defaults == {}
    with pytest.raises(ValueError, match="format='gif': must be"):
        BatchOrder("jobs.jsonl", "out", format="gif")
    with pytest.raises(ValueError, match="quality is 90, and PNG"):
        BatchOrder("jobs.jsonl", "out", quality=90)


@pytest.mark.slow
def test_a_batch_in_three_formats_is_one_group(make, tmp_path):
    out = tmp_path / "out"
    rows = [
        row(1),
        row(2, format="webp", quality=50),
        row(3, format="jpeg", a1111=False),
        row(4, keep="full", format="webp"),
    ]
    result = make(rows, out)
    assert (result.done, result.failed) == (4, 0)
    assert sorted(file.name for file in out.glob("?.*")) == ["1.png", "2.webp", "3.jpg", "4.webp"]
    assert len({entry["group"] for entry in manifest(out) if entry["id"] != "4"}) == 1
    assert [read(out / name)["batch_size"] for name in ("1.png", "2.webp", "3.jpg")] == [3, 3, 3]
    assert "parameters" in texts_of(out / "2.webp").texts
    assert "parameters" not in texts_of(out / "3.jpg").texts
    assert "padtone" in texts_of(out / "4.webp").texts
    assert make(rows, out).made == 0
    (out / "2.webp").unlink()
    (out / "plan.json").unlink()  # it is made again from the pictures, whatever their format
    with pytest.warns(Remark, match="plan.json is lost or damaged; it is made anew"):
        assert make(rows, out).made == 1


@pytest.mark.slow
def test_a_batchs_own_format_is_that_of_jobs_that_name_none(make, tmp_path):
    rows = [row(1), row(2, format="png")]
    make(rows, tmp_path / "out", format="webp", quality=50, a1111=False)
    assert sorted(file.name for file in (tmp_path / "out").glob("?.*")) == ["1.webp", "2.png"]
    assert set(texts_of(tmp_path / "out" / "2.png").texts) == {"fouriscale"}
    with pytest.raises(ValueError, match=r"the same in other groups or files \(.*--format"):
        make(rows, tmp_path / "out")
