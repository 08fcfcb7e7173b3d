"""One prompt of an audit that has no pictures, or none of some arms, or damaged ones; a full disk."""

import errno
import functools
import json
import math
import os
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from padtone.audit.arms import ITE_ARMS, Work, read_prompt
from padtone.audit.painter import Painter
from padtone.audit.plan import make_plan, pieces_of
from padtone.audit.run import Audit
from padtone.audit.settings import AuditSettings
from padtone.cli.audit import _left_out_lines
from padtone.maths import verdict
from padtone.maths.roles import TokenRoles
from padtone.reports.page import render
from padtone.runs.audit import carry_out
from picturelab import files
from picturelab.remarks import Remark
from tests.tiny import painters

ODD = "a cat"


@pytest.fixture(autouse=True)
def _families(monkeypatch):
    monkeypatch.setattr("padtone.families.registry._REGISTERED", dict(painters.FAMILIES))


def settings(*prompts, **more):
    values = {"batch": 16, "keeps": (0,), "looks": 1, **more}
    return AuditSettings("built", "tiny", prompts or painters.PROMPTS, **values)


def run(pipe, folder, *prompts, **more):
    audit = Audit(pipe, settings(*prompts, **more), folder)
    audit.paint()
    return audit, audit.results(painters.clip())


def refusing(pipe, word, method="encode_prompt"):
    """The pipeline's method refuses texts with a word."""
    original = getattr(pipe, method)

    @functools.wraps(original)
    def refuse(prompt=None, *args, **more):
        texts = [prompt] if isinstance(prompt, str) else prompt or []
        if any(word in text for text in texts):
            raise ValueError(f"{word} is refused")
        return original(prompt, *args, **more)

    setattr(pipe, method, refuse)
    return pipe


@pytest.fixture(scope="module")
def without(tmp_path_factory):
    """Results of the six prompts alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("padtone.families.registry._REGISTERED", dict(painters.FAMILIES))
        return run(painters.build("copying encoder"), tmp_path_factory.mktemp("six") / "a")[1]


def test_an_encoding_that_is_not_finite_leaves_the_prompt_out_of_the_swapped_arms(tmp_path, without):
    pipe = painters.build("copying encoder")
    (word,) = pipe.tokenizer("cat", add_special_tokens=False).input_ids
    pipe.text_encoder.table[word] = math.nan
    audit, results = run(pipe, tmp_path / "a", *painters.PROMPTS, ODD)
    why = "its text encoding holds numbers that are not finite"
    own = [f"ite {arm}" for arm in ITE_ARMS if arm not in ("clean", "eos", "other padding")]
    (entry,) = (entry for entry in results["left_out"] if entry["why"] == why)
    assert entry == {"prompt": 6, "text": ODD, "arms": own, "why": why}  # the end token holds no word
    # It lends its padding, too.
    assert {arm for e in results["left_out"] if e["prompt"] != 6 for arm in e["arms"]} == {
        "ite other padding"
    }
    arms = results["arms"]["ite"]
    assert [arms[arm]["left_out"] for arm in ("full", "clean", "padding")] == [0, 0, 1]
    assert [arms[arm]["images"] for arm in ("full", "clean", "padding")] == [14, 14, 12]
    # An arm is compared over what it and the full text both have: as if the prompt were not there.
    assert arms["padding"]["to_full"] == without["arms"]["ite"]["padding"]["to_full"]
    assert arms["padding"]["own_full"] == without["arms"]["ite"]["padding"]["own_full"]
    # One of the others borrows its padding, so that arm has five prompts, and a verdict needs six.
    assert results["verdict"] == verdict.INCONCLUSIVE
    assert results["reason"] == "There are 5 prompts; a verdict needs 6 or more."
    assert {f["question"]: f["prompts"] for f in results["findings"]}[
        "Does padding alone show the prompt?"
    ] == 6
    json.dumps(results, allow_nan=False)
    page = render(results, audit.run_folder)
    assert "What was left out" in page
    assert why in page
    assert _left_out_lines([entry], tmp_path)[0].endswith(f"'{ODD}' ({why})")


@pytest.mark.parametrize("method", ["encode_prompt", "__call__"])
def test_a_prompt_that_is_refused_is_left_out_of_all_arms(tmp_path, without, method):
    pipe = painters.build("copying encoder")
    if method == "__call__":  # Python looks for it in the class
        pipe.__class__ = type("CrossPaint", (type(pipe),), {})
        original = type(pipe).__call__

        @functools.wraps(original)
        def call(self, prompt=None, **more):
            if prompt == ODD:
                raise ValueError("cat is refused")
            return original(self, prompt, **more)

        type(pipe).__call__ = call
    else:
        refusing(pipe, "cat")
    _, results = run(pipe, tmp_path / "a", ODD, *painters.PROMPTS)
    (entry,) = results["left_out"]
    assert entry == {"prompt": 0, "text": ODD, "arms": [], "why": "cat is refused"}
    assert results["settings"]["prompts_used"] == [1, 2, 3, 4, 5, 6]
    assert results["verdict"] == without["verdict"]
    for arm in ("full", "padding", "prompt", "clean"):
        assert results["arms"]["ite"][arm]["to_full"] == without["arms"]["ite"][arm]["to_full"]
    again = Audit(pipe, settings(ODD, *painters.PROMPTS), tmp_path / "a")
    calls = pipe.calls
    again.paint()
    assert pipe.calls == calls  # what is left out is done, too


def test_too_few_prompts_are_a_sentence_and_no_folder(tmp_path):
    with pytest.raises(ValueError, match=r"needs two prompts .* here 1 can be used \(dog is refused\)"):
        Audit(
            refusing(painters.build("copying encoder"), "dog"),
            settings("a dog", "a red dog", "a cat"),
            tmp_path,
        )
    pipe = painters.build("copying encoder")
    wrong = Audit(pipe, settings(call={"num_inference_steps": 2, "height": 64}), tmp_path / "a")
    with pytest.raises(TypeError, match="height"):
        wrong.paint()
    assert not (tmp_path / "a").exists()


def test_a_clip_that_gives_no_numbers_is_said(tmp_path):
    class Blind(type(painters.clip())):
        def pictures(self, images):
            seen = super().pictures(images)
            return replace(seen, embeds=torch.full_like(seen.embeds, torch.nan))

    sound = painters.clip()
    audit = Audit(painters.build("zero padding"), settings(), tmp_path / "a")
    audit.paint()
    with pytest.raises(
        ValueError, match=r"0 of 6 prompts have pictures of the arm 'full'.*no finite numbers"
    ):
        audit.results(Blind(sound.model, sound.tokenizer, sound.processor))


def test_prompts_are_read_by_the_rows_that_encoders_share(monkeypatch):
    """Of different lengths, too: a row counts once."""
    roles = ("bos", "prompt", "eos", "padding", "padding")
    more = ("bos", "prompt", "prompt", "eos", "padding")
    first, second = (
        TokenRoles(name, ("x",) * 5, (1,) * 5, each, range(5))
        for name, each in (("one", roles), ("two", more))
    )
    third = TokenRoles("three", ("x",) * 2, (1,) * 2, ("prompt", "padding"), range(5, 7))
    short = TokenRoles("short", ("x",) * 3, (1,) * 3, ("bos", "eos", "padding"), range(3))
    pooled = TokenRoles("pooled", ("x",) * 4, (1,) * 4, ("bos", "eos", "padding", "padding"), None)

    def read(*entries):
        monkeypatch.setattr(
            "padtone.audit.arms.encode_prompts", lambda *_: SimpleNamespace(roles=[list(entries)])
        )
        reading = read_prompt(None, "a", {})
        return reading.padding, reading.start, reading.eos

    assert read(first, second, third) == ((1, 1), (4, 1), True)
    assert read(first, third) == ((2, 1), (3, 1), True)
    assert read(first, short) == read(short, first) == ((2,), (3,), True)
    assert read(third, pooled) == ((1,), (1,), False)


@pytest.mark.parametrize("where", ["padtone.audit.painter.pipe_arguments", "the pipeline"])
def test_swapped_arms_that_are_refused_are_left_out(tmp_path, monkeypatch, where):
    pipe = painters.build("zero padding")
    painter = Painter(pipe, {}, batch=4)
    work = Work("ite", "a red dog", (0, 1), ("prompt", "padding", "clean"), "a cat")

    def refuse(*_, **__):
        raise ValueError("rows are refused")

    assert len(painter.make(work).pictures) == 6
    if where == "the pipeline":
        pipe.__class__ = type("CrossPaint", (type(pipe),), {"__call__": refuse})
    else:
        monkeypatch.setattr(where, refuse)
    painted = painter.make(work)
    assert painted.pictures == {}
    assert painted.left_out == dict.fromkeys(("ite prompt", "ite padding", "ite clean"), "rows are refused")


def spoil(path, how):
    content = path.read_bytes()
    path.unlink()
    if how == "folder":
        path.mkdir()
    elif how != "gone":
        path.write_bytes(
            {
                "empty": b"",
                "cut": content[: len(content) // 2],
                "list": b"[]",
                "other keys": b'{"minutes": 1}',
                "no number": b'{"seconds": NaN}',
                "words": b"not JSON \xff",
            }[how]
        )


@pytest.mark.slow
def test_damaged_pieces_and_pictures_are_made_again(tmp_path):
    folder = tmp_path / "a"
    audit, before = run(painters.build("register"), folder, looks=6)
    pictures = {path: path.read_bytes() for path in folder.glob("images/*/*.png")}
    notes = {path: path.read_text() for path in folder.glob("pieces/*attention.json")}
    kinds = ("empty", "cut", "gone", "folder", "list", "other keys", "no number", "words")
    for i, how in enumerate(kinds):
        spoil(folder / "pieces" / f"p{i % 6:03}-{'full' if i < 6 else 's0-ite'}.json", how)
    for i, how in enumerate(kinds[:5]):
        spoil(folder / "images" / "idp-padding" / f"p{i:03}-s0.png", how)
    spoil(folder / "pieces" / "p000-attention.json", "cut")
    swapped = [folder / "images" / "keep-0" / f"p00{i}-s1.png" for i in (4, 5)]
    for path, other in zip(swapped, swapped[::-1], strict=True):
        path.write_bytes(pictures[other])

    again = Audit(painters.build("register"), audit.settings, folder)
    again.paint()
    assert {path: path.read_bytes() for path in pictures} == pictures
    assert {path: path.read_text() for path in notes} == notes
    # 8 pieces, 5 of pictures, 2 of swapped ones, 1 of attention; and the warm-up.
    assert again.pipe.calls == 8 + 5 + 2 + 1 + 1
    after = again.results(painters.clip())
    assert after["findings"] == before["findings"]
    assert after["arms"] == before["arms"]


def test_a_full_folder_in_a_files_place_is_said(tmp_path):
    run(painters.build("zero padding"), tmp_path / "a", "a dog", "a cat")
    path = tmp_path / "a" / "pieces" / "p000-full.json"
    spoil(path, "folder")
    (path / "mine").write_text("x")
    with pytest.raises(ValueError, match=r"p000-full.json is a folder, and a file belongs there"):
        run(painters.build("zero padding"), tmp_path / "a", "a dog", "a cat")
    assert (path / "mine").read_text() == "x"


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["settings.json", "p001-full.json", "p000-s1.png", "p000-attention.json", "report.json", "report.html"],
)
def test_a_full_disk_is_a_sentence_and_the_next_run_goes_on(tmp_path, monkeypatch, name):
    folder = tmp_path / "a"
    order = functools.partial(
        carry_out, settings=settings("a red dog", "a blue cat"), folder=folder, clip=painters.clip()
    )
    replace = os.replace

    def full(source, target):
        if os.path.basename(target) == name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "replace", full)
        with pytest.raises(ValueError, match=r"cannot be written \(No space left on device\)"):
            order(painters.build("zero padding"))
    assert not list(folder.rglob("*.part"))
    pipe = painters.build("zero padding")
    results, page = order(pipe)
    assert page.is_file()
    assert json.loads((folder / "report.json").read_text()) == results
    if name.startswith("report"):
        assert pipe.calls == 0


@pytest.mark.slow
def test_what_looked_before_is_known_by_its_content(tmp_path):
    order = functools.partial(carry_out, settings=settings("a red dog", "a blue cat"), folder=tmp_path / "a")
    clip = painters.clip()
    order(painters.build("zero padding"), clip=clip)
    order(painters.build("zero padding"), clip=clip)  # warnings are errors here
    state = {key: value.clone() for key, value in clip.model.state_dict().items()}
    clip.model.visual_projection.weight.data *= -1
    try:
        with pytest.warns(Remark, match="looked at before with another weights"):
            order(painters.build("zero padding"), clip=clip)
    finally:
        clip.model.load_state_dict(state)


def test_a_plan_knows_why_a_prompt_is_not_used():
    long = "a red green blue circle square cat dog on in the left of and large small"
    plan = make_plan(painters.build("zero padding"), settings(*painters.PROMPTS, long))
    assert plan.left_out == {6: f"it leaves {plan.readings[6].longest} padding tokens, fewer than 5"}
    assert {piece.prompt for piece in pieces_of(plan, settings(*painters.PROMPTS, long))} == set(range(6))
