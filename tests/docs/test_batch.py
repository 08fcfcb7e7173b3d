"""The weekend example of the README: its grid and its lines are jobs."""

import json
import re
from pathlib import Path

from picturelab.batch.jobs import Job, parse
from picturelab.batch.order import BatchOrder
from picturelab.batch.run import read_plan

ROOT = Path(__file__).parents[2]
README = (
    (ROOT / "README.md").read_text().split("## Thousands of pictures over the weekend\n")[1].split("\n## ")[0]
)


def test_the_grid_is_what_the_readme_says():
    plan = read_plan(BatchOrder(jobs=ROOT / "docs" / "weekend" / "jobs.yaml", out="weekend"))
    assert plan.total == 128
    assert "8 prompts x 4 seeds x 2 sizes\nx with and without FouriScale: 128 pictures" in README
    jobs = [job for group in plan.groups for job in plan.jobs(group)]
    assert {job.preset for job in jobs} == {"none", "shapeworld"}
    assert len({job.id for job in jobs}) == 128


def test_the_lines_are_jobs_and_the_table_has_every_key():
    lines = [json.loads(line) for line in re.findall(r"^\{.*\}$", README, re.MULTILINE)]
    assert len([parse(line, 1) for line in lines]) == 3
    keys = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\|[^|]+\|", README, re.MULTILINE))))
    assert keys - {"key"} == set(Job.model_fields) | {"size"}
