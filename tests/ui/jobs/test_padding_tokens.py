"""PadTone's measurements as jobs, its chips, and the keep-k curve of one prompt."""

import re

import pytest
from PIL import Image

from padtone.audit.clip import Clip
from padtone.interventions.ite import ite
from padtone.maths.roles import TokenRoles
from padtone.recipe import read_recipe
from padtone.runs.request import Request, lay_out, make_arms
from picturelab import models
from picturelab_ui.jobs.curve import keep_curve
from picturelab_ui.jobs.padding_tokens import attention, audit_prompts, both_interventions
from picturelab_ui.jobs.runner import Runner
from picturelab_ui.padding_tokens.chips import chips

PROMPT = "a red circle"


@pytest.fixture(scope="module")
def pipe():
    pipe = models.load_pipeline()
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture
def run():
    """Runs work as a job; gives the job."""
    runner = Runner()

    def start(work):
        job = runner.submit(work)
        assert job.wait(120)
        return job

    yield start
    runner.close()


@pytest.mark.slow
def test_both_interventions_and_their_grids(run, pipe, tmp_path):
    arms = ["full", "padding", [1, 2]]
    settings = dict(seed=1, steps=2, folder=tmp_path)
    job = run(lambda own: both_interventions(pipe, PROMPT, arms, job=own, **settings))
    assert (job.error, job.done, job.of) == ("", 4, 4)
    pictures = job.result.pictures
    assert list(pictures["ite"]) == ["full", "padding", "[1, 2]"]
    assert list(pictures["idp"]) == ["donor", "full", "padding", "[1, 2]"]
    recipe = Request.parse(read_recipe(job.result.grids["ite"]))
    plain = ite(pipe, PROMPT, [1], ["full", "padding", (1, 2)], **recipe.call)
    assert [image[0].tobytes() for image in plain.values()] == [i.tobytes() for i in pictures["ite"].values()]
    with Image.open(job.result.grids["ite"]) as grid:
        assert (
            lay_out(recipe, make_arms(pipe, recipe)).tobytes() == grid.convert("RGB").tobytes()
        )  # `padtone remake` makes it again


def test_attention_is_a_table_a_group(run, pipe):
    groups = run(lambda own: attention(pipe, PROMPT, seed=0, steps=3, job=own)).result.groups
    assert {"prompt", "padding", "bos", "eos"} == set(groups)
    layers = len(groups["prompt"])
    assert all(len(table) == layers and len(row) == 3 for table in groups.values() for row in table)
    for layer in range(layers):
        for step in range(3):
            assert sum(table[layer][step] for table in groups.values()) == pytest.approx(1, abs=1e-4)


@pytest.mark.slow
def test_the_curve_ends_with_the_full_picture(pipe):
    progress = []
    call = dict(height=64, width=64, num_inference_steps=2, guidance_scale=4.0)
    clip = Clip.load("shapeworld/clip")
    curve = keep_curve(pipe, call, clip, PROMPT, [0, 1], lambda *now: progress.append(now))
    assert curve.padding == 19
    assert curve.keeps == (0, 1, 2, 4, 8, 16, None)
    assert curve.likeness[-1] == pytest.approx((1.0, 1.0), abs=1e-5)
    assert all(value < 1 for value in curve.likeness[0])
    assert curve.noise < 1
    assert progress == [("pictures", i, 8) for i in range(8)]
    rows = curve.rows()
    assert rows[0]["k"] == 0
    assert rows[0]["to_full"]["low"] == min(curve.likeness[0])
    assert rows[-1] == {"k": None, "to_full": rows[-1]["to_full"], "seconds": curve.seconds[-1]}
    with pytest.raises(ValueError, match=r"seeds is \[0\]"):
        keep_curve(pipe, call, clip, PROMPT, [0], lambda *now: None)
    with pytest.raises(ValueError, match="leaves no padding"):
        keep_curve(pipe, call, clip, "red " * 22, [0, 1], lambda *now: None)


def test_chips_fold_the_padding_and_escape_what_people_type():
    roles = ("bos", "prompt", "eos", "padding", "padding")
    entries = [
        TokenRoles("text_encoder", ("<s>", "<b>", "</s>", "", "!"), (0, 5, 1, 2, 2), roles, range(10, 15)),
        TokenRoles("text_encoder_2", ("x", "y"), (7, 8), ("prompt", "padding"), None, cut="the <end>"),
    ]
    page = chips(entries)
    assert re.findall(r'data-row="(\d+)"', page) == ["10", "11", "12", "13", "14"]
    assert "&lt;b&gt;</button>" in page
    assert "<b>" not in page
    assert page.count("<details>") == 1  # a single padding token is not folded
    assert "padding x 2" in page
    assert page.count(" disabled>") == 2  # the pooled vector has no rows
    assert "Cut off: the &lt;end&gt;" in page


def test_prompts_of_an_audit():
    assert audit_prompts("shapeworld/unet", "one\n\n two \n", 8).texts == ("one", "two")
    ours = audit_prompts("shapeworld/unet", "", 3)
    assert len(ours.texts) == 3
    assert ours.judge is not None
    assert len(audit_prompts("owner/name", "", 4).texts) == 4
    for typed in ("one", "one\none"):
        with pytest.raises(ValueError, match="two or more prompts, all different; got 1 different"):
            audit_prompts("shapeworld/unet", typed, 8)
