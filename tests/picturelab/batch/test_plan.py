import pytest

from picturelab.batch.plan import at_once, make_plan
from picturelab.batch.sources import open_jobs_file


@pytest.fixture
def plan(jobs_file):
    def made(rows, batch=None, check=lambda job: None, **settings):
        return make_plan(open_jobs_file(jobs_file(rows)), "some/model", batch, check, **settings)

    return made


def test_groups_are_alike_full_and_in_order_of_the_file(plan):
    made = plan([dict(prompt="a", size=["64x64", "64x128"][i % 2], seed=i) for i in range(10)], batch=3)
    assert [list(group.rows) for group in made.groups] == [[0, 2, 4], [6, 8], [1, 3, 5], [7, 9]]
    assert [group.number for group in made.groups] == [0, 1, 2, 3]
    assert [job.seed for job in made.jobs(made.groups[1])] == [6, 8]
    assert made.total == 10


def test_no_model_is_loaded_twice(plan):
    rows = [
        dict(prompt="a", model=f"m/{i % 2}", keep=["full", None][i // 2 % 2], steps=1 + i // 4)
        for i in range(8)
    ]
    made = plan(rows)
    loads = [(made.jobs(group)[0].instrument, made.jobs(group)[0].model) for group in made.groups]
    assert len(loads) == 8
    assert [load for i, load in enumerate(loads) if load not in loads[:i]] == loads[::2]


def test_a_group_has_about_four_megapixels():
    assert [at_once(side, side) for side in (64, 512, 1024, 2048, 4096)] == [16, 16, 4, 1, 1]
    assert at_once(None, None) == 4


def test_all_that_is_wrong_is_found_at_once(plan):
    def check(job):
        if job.seed == 3:
            raise ValueError("three is no good")

    rows = [dict(prompt="a", id=name, seed=i) for i, name in enumerate(["x", "y", "X", "z"])] + [dict(seed=9)]
    made = plan(rows, check=check)
    assert [(p.number, p.id) for p in made.problems] == [(3, "line-3"), (4, "z"), (5, "5")]
    assert [list(group.rows) for group in made.groups] == [[0, 1]]
    complaint = made.complaint("jobs.jsonl").splitlines()
    assert complaint[0] == "3 of 5 jobs in jobs.jsonl cannot be made:"
    assert complaint[1] == "  line 3: id is 'X', as in line 1; ids are file names, so all differ"
    assert complaint[2:] == ["  line 4: three is no good", "  line 5: prompt is missing"]


def test_equal_plans_have_equal_digests(plan):
    rows = [dict(prompt="a", seed=i) for i in range(6)]
    assert plan(rows, batch=4).digest() == plan(rows, batch=4).digest()
    assert plan(rows, batch=4).digest() != plan(rows, batch=3).digest()
    assert plan(rows).digest() != plan(rows[:5]).digest()


def test_groups_of_one_text_length(plan):
    prompts = ["a b", "a", "a b c", "a", "a b", "a", "a b c d"]
    rows = [dict(prompt=prompt, seed=i) for i, prompt in enumerate(prompts)] + [dict(prompt="x y", steps=2)]
    made = plan(rows, batch=2, length=lambda job: None if job.steps else len(job.prompt.split()))
    assert [list(group.rows) for group in made.groups] == [[1, 3], [5], [0, 4], [2], [6], [7]]
    saving = made.lengths
    assert (saving.jobs, saving.groups, saving.groups_of_file, saving.masked) == (7, 5, 4, 3)
    assert (saving.tokens, saving.padding) == (14, 1 + 2 + 1)
    assert saving.sentence() == (
        "7 jobs are in 5 groups of one text length each, without padding or mask; in the order of the file 3 of 4 "
        "groups would need a mask, and 22% of their text would be padding"
    )
    assert plan(rows).lengths is None
