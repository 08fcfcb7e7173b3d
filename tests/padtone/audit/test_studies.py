"""Prompts and studies as they lie in configs/, and files of one's own."""

import dataclasses
from collections import Counter

import pytest

import shapeworld
from padtone.audit import studies
from padtone.audit.arms import IDP_ARMS, ITE_ARMS
from padtone.audit.prompts import Prompts, read_prompts, scene_prompts, studies_folder
from padtone.audit.studies import Study, beside_paper, load_study
from picturelab.worlds import world

KINDS = (
    "fine detail",
    "imagination",
    "simple detail",
    "style and format",
    "complex",
    "linguistic structure",
    "perspective",
    "quantity",
)


def test_our_prompts():
    """400, fifty a kind, all different, none so long that it leaves no padding in 77 tokens."""
    ours = read_prompts(studies_folder() / "prompts.yaml")
    assert Counter(ours.kinds) == dict.fromkeys(KINDS, 50)
    assert len({text.lower() for text in ours.texts}) == 400
    assert max(len(text.split()) for text in ours.texts) < 40
    few = ours.first(11)
    assert set(Counter(few.kinds).values()) == {1, 2}
    assert set(few.kinds) == set(KINDS)
    assert few.texts[0] == ours.texts[0]


@pytest.mark.parametrize("name", ["sd2", "sdxl", "sd3", "flux", "ldm"])
def test_studies(name):
    study = load_study(name)
    assert (study.seeds, study.count) == (10, 400)
    assert {"num_inference_steps", "guidance_scale"} <= study.call.keys()
    for figure in study.paper:
        group, arm, _ = studies._split(figure)
        assert arm in {"ite": ("full", *ITE_ARMS), "idp": (*IDP_ARMS, "clean")}[group]


def test_beside_paper_by_hand():
    names = {
        "ite full to_prompt": 0.33,
        "ite padding kid": 31.09,
        "idp clean to_full": 0.46,
        "ite eos to_prompt": 0.3,
    }
    study = Study(title="t", model="m", seeds=2, count=3, call={}, setup="s", paper=names)
    score = {"mean": 0.31, "low": 0.3, "high": 0.32}
    ite = {
        "full": {"to_prompt": score},
        "padding": {"kid": {"mean": 0.0123, "deviation": 0.001}},
        "clean": {"to_full": score},
    }
    rows = beside_paper(study, {"arms": {"ite": ite, "idp": {}}})["rows"]
    assert [row["ours"] for row in rows] == [0.31, 12.3, 0.31, None]
    assert [row["text"] for row in rows] == [
        "0.310 (0.300 to 0.320)",
        "12.30 ± 1.00",
        "0.310 (0.300 to 0.320)",
        None,
    ]
    assert [row["paper"] for row in rows] == list(names.values())
    assert rows[1]["name"] == "ITE, padding: KID x 1000"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title: x\nsize: 3\n", "does not know size"),
        ("title: x\n", "lacks model, seeds, count, call, setup"),
        ("- a\n", "must be a mapping"),
        (
            "title: x\nmodel: m\nseeds: 2\ncount: 2\ncall: {}\nsetup: s\npaper: {ite full: 1}\n",
            "'ite full' is no",
        ),
    ],
)
def test_bad_study(tmp_path, text, message):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ValueError, match=message):
        load_study(str(tmp_path / "mine.yaml"))


def test_unknown_study():
    with pytest.raises(ValueError, match="study is 'sd4'; it can be flux, ldm, sd2, sd3, sdxl"):
        load_study("sd4")


def test_prompt_files(tmp_path):
    text = tmp_path / "p.txt"
    text.write_text("# mine\na dog\n\n  a cat  \n")
    assert read_prompts(text) == Prompts(("a dog", "a cat"))
    kinds = tmp_path / "p.yaml"
    kinds.write_text("pets: [a dog, a cat]\nfood: [bread]\n")
    assert read_prompts(kinds) == Prompts(("a dog", "a cat", "bread"), ("pets", "pets", "food"))
    assert read_prompts(kinds).first(2) == Prompts(("a dog", "bread"), ("pets", "food"))
    with pytest.raises(ValueError, match="count is 4; there are 3"):
        read_prompts(kinds).first(4)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("p.txt", "a dog\na dog\n", "holds 'a dog' twice"),
        ("p.txt", "a dog\n", "holds 1 prompts"),
        ("p.yaml", "- a dog\n- a cat\n", "must map kinds to lists"),
        ("p.yaml", "pets: [a dog, 3]\n", "holds 3, which is no text"),
        ("p.yaml", "pets: [", "is no YAML"),
        ("q.txt", None, "cannot be read"),
    ],
)
def test_bad_prompts(tmp_path, name, text, message):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        read_prompts(tmp_path / name)


def test_shapeworld_prompts_are_judged_by_the_checker():
    prompts = scene_prompts(world(), 40)
    assert len(set(prompts.texts)) == 40
    assert set(prompts.kinds) == {"one object", "two objects"}
    drawn = {scene.caption: scene for scene in shapeworld.sample_scenes(200, seed=4000)}
    scene, other = drawn[prompts.texts[0]], drawn[prompts.texts[1]]
    attributes = {f"{name} correct": 1.0 for name in ("colour", "shape", "count")}
    attributes |= {} if scene.relation is None else {"relation correct": 1.0}
    right = {"all correct": 1.0, "background correct": 1.0, "objects correct": 1.0} | attributes
    assert prompts.judge(scene.render(128, 128), 0) == right
    elsewhere = dataclasses.replace(scene, background=other.background)  # the same objects on another ground
    only_objects = {"all correct": 0.0, "background correct": 0.0, "objects correct": 1.0} | attributes
    assert scene.background != other.background
    assert prompts.judge(elsewhere.render(128, 128), 0) == only_objects
    assert prompts.judge(other.render(128, 128), 0)["all correct"] == 0.0
