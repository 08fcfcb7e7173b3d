"""The audit from end to end, on models that were built to have one property each."""

import json

import pytest
from PIL import Image

from padtone.audit.plan import make_plan, pieces_of
from padtone.audit.recipe import AuditRecipe, remake
from padtone.audit.run import Audit
from padtone.audit.settings import AuditSettings
from padtone.maths import verdict
from padtone.recipe import read_recipe
from tests.tiny import painters


@pytest.fixture(autouse=True)
def _families(monkeypatch):
    monkeypatch.setattr("padtone.families.registry._REGISTERED", dict(painters.FAMILIES))


def settings(**more):
    return AuditSettings(
        **{"model": "built", "clip": "tiny", "prompts": painters.PROMPTS, "batch": 16, **more}
    )


def run(name, folder, **more):
    audit = Audit(painters.build(name), settings(**more), folder)
    audit.paint()
    return audit.results(painters.clip())


def answers(results):
    found: dict[str, set] = {}
    for f in results["findings"]:
        found.setdefault(f["question"], set()).add(f["answer"])
    return {
        question: "yes" if "yes" in seen else "no" if seen == {"no"} else "unclear"
        for question, seen in found.items()
    }


PADDING = painters.LENGTH - 4  # three words and the end token


@pytest.mark.parametrize(
    ("name", "expected", "smallest"),
    [
        ("zero padding", verdict.IGNORED, 0),
        ("copying encoder", verdict.TEXT, 0),  # a copy is not needed
        ("moving encoder", verdict.TEXT, 1),
        ("register", verdict.DIFFUSION, 1),
        ("no register", verdict.IGNORED, 0),
    ],
)
def test_verdict(tmp_path, name, expected, smallest):
    results = run(name, tmp_path / "audit")
    assert results["verdict"] == expected
    assert results["keep_k"]["smallest"] == smallest
    assert results["droppable"] == PADDING - smallest
    assert results["padding"] == PADDING


def without_times(results):
    """A copy without what a clock has measured."""
    results = json.loads(json.dumps(results))
    del results["speedup"], results["keep_k"]["speedup_interval"]
    for row in results["keep_k"]["curve"]:
        del row["seconds"], row["speedup"], row["speedup_interval"]
    return results


@pytest.mark.slow
def test_killed_and_resumed_is_the_same(tmp_path):
    """Killed twice, once between two pictures of a piece; nothing that was finished is made again."""
    whole = painters.build("register")
    audit = Audit(whole, settings(), tmp_path / "whole")
    audit.paint()
    expected = audit.results(painters.clip())
    pieces = len(pieces_of(audit.plan, audit.settings))

    calls = 0
    for stop_at in (5, 3, None):
        pipe = painters.build("register")
        audit = Audit(pipe, settings(), tmp_path / "killed")
        if stop_at is not None:
            left = [stop_at]

            def save(*args, original=audit.run_folder.finish, left=left):
                left[0] -= 1
                if not left[0]:
                    first = next(iter(args[2]))
                    (tmp_path / "killed" / "images" / first).parent.mkdir(parents=True, exist_ok=True)
                    (tmp_path / "killed" / "images" / first).write_bytes(b"half a picture")
                    raise KeyboardInterrupt
                original(*args)

            object.__setattr__(audit.run_folder, "finish", save)
            with pytest.raises(KeyboardInterrupt):
                audit.paint()
        else:
            audit.paint()
        calls += pipe.calls
    done = len(list((tmp_path / "killed" / "pieces").iterdir()))
    assert done == pieces
    # Each start warms up once, and each kill loses the piece in the making (here of one call).
    assert calls == whole.calls + 2 + 2
    resumed = audit.results(painters.clip())
    assert without_times(resumed) == without_times(expected)

    again = Audit(painters.build("register"), settings(), tmp_path / "killed")
    again.paint()
    assert again.pipe.calls == 0
    assert again.results(painters.clip()) == resumed  # times too: they lie with the pieces


def test_other_settings_need_another_folder(tmp_path):
    audit = Audit(painters.build("zero padding"), settings(), tmp_path / "a")
    audit.run_folder.begin({"seeds": 2, "batch": 4, "machine": {"threads": 99}})
    with pytest.raises(ValueError, match="holds an audit begun with") as error:
        audit.paint()
    assert "batch 4 instead of 16" in str(error.value)
    assert "machine.threads 99 instead of" in str(error.value)
    assert "seeds" not in str(error.value)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="is not empty and does not hold an audit"):
        Audit(painters.build("zero padding"), settings(), tmp_path / "b").paint()


def test_plan_names_what_it_leaves_out(monkeypatch):
    pipe = painters.build("zero padding")
    long = "a red green blue circle square cat dog on in the left of and large small"
    plan = make_plan(pipe, settings(prompts=(*painters.PROMPTS, long)))
    assert plan.used == tuple(range(len(painters.PROMPTS)))
    assert "1 of 7 prompts leave fewer than 5 padding tokens" in plan.notes[0]
    assert plan.idp == ()
    assert "only ITE was run" in plan.notes[1]
    assert plan.keep_counts == (0, 1, 2, 4, 8)
    assert plan.dropped(4) == PADDING - 4
    assert make_plan(painters.build("register"), settings(keeps=(3, 0, 99))).keep_counts == (0, 3)
    with pytest.raises(ValueError, match="at most 3 are left"):
        make_plan(pipe, settings(prompts=(long, f"{long} old")))


def test_others_padding_comes_without_its_words(tmp_path):
    """Rows are swapped by position: a longer prompt's words must not come along with its padding."""
    prompts = ("a dog", "a big old dog under a tree", "a red cat sitting", "the cat on a red square")
    audit = Audit(painters.build("copying encoder"), settings(prompts=prompts), tmp_path)
    starts = [reading.start[0] for reading in audit.plan.readings]
    partners = [audit.plan.partner(i) for i in range(4)]
    assert starts == [3, 8, 5, 7]
    assert partners[0] == 2  # nobody is as short: the shortest of the others
    assert all(starts[p] <= starts[i] and p != i for i, p in list(enumerate(partners))[1:])
    for i, p in enumerate(partners):
        work = next(
            piece.work
            for piece in pieces_of(audit.plan, audit.settings)
            if piece.prompt == i and piece.work.kind == "ite"
        )
        mixed = audit.painter.texts(work)["other padding"]["prompt_embeds"][0]
        ours, theirs = (audit.pipe.encode_prompt(prompts[n])[0][0] for n in (i, p))
        first = max(starts[i], starts[p])
        assert mixed[first:].equal(theirs[first:])
        assert mixed[:first].equal(ours[:first])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"seeds": 1}, "seeds is 1; 2 or more"),
        ({"prompts": ("a dog", "a dog")}, "all different"),
        ({"kinds": ("one",)}, "1 kinds for 6 prompts"),
        ({"batch": 0}, "batch=0: must be a whole number from 1 to 1024"),
        ({"clean": "zeros"}, "clean is 'zeros'"),
        ({"pooled": "none"}, "pooled is 'none'; it can be 'full' or 'clean'"),
        ({"keeps": (-1,)}, "keep=-1: must be a whole number from 0 to"),
    ],
)
def test_bad_settings(more, message):
    with pytest.raises(ValueError, match=message):
        settings(**more)


def test_pictures_can_be_made_again(tmp_path):
    """From what the picture itself carries, in a batch of the same members."""
    folder = tmp_path / "audit"
    Audit(painters.build("register"), settings(batch=4), folder).paint()
    for name in ("full", "keep-2", "ite-random-fifth", "idp-padding-2-of-5", "ite-other-padding"):
        path = folder / "images" / name / "p003-s1.png"
        recipe = read_recipe(path)
        assert recipe["work"]["prompt"] == painters.PROMPTS[3]
        again = remake(painters.build("register"), AuditRecipe.parse(recipe))
        with Image.open(path) as first:
            assert again.tobytes() == first.convert("RGB").tobytes()
    with pytest.raises(ValueError, match="'pooled' is missing"):
        AuditRecipe.parse({k: v for k, v in recipe.items() if k != "pooled"})
    with pytest.raises(ValueError, match=r"'work\.arms' is missing"):
        AuditRecipe.parse(recipe | {"work": {k: v for k, v in recipe["work"].items() if k != "arms"}})
    with pytest.raises(ValueError, match="'idp eos', 1"):
        AuditRecipe.parse(recipe | {"arm": "idp eos"})


def test_attention_is_where_it_was_put(tmp_path):
    """The register's picture reads padding alone in its last block, and nothing there without a register."""
    for name, share in (("register", 1.0), ("no register", 0.0)):
        audit = Audit(painters.build(name), settings(looks=2), tmp_path / name)
        for piece in pieces_of(audit.plan, audit.settings):
            if piece.work is None:
                audit.run_folder.begin({}) if not (tmp_path / name).exists() else None
                audit._finish(piece)
        from padtone.audit.results import _attention

        found = _attention(audit.pictures)
        padding = found["groups"].get("padding", {"layers": [[0.0]]})["layers"][-1]
        assert padding == pytest.approx([share] * len(padding), abs=1e-5)
        assert found["prompts"] == 2
        assert found["padding_rows"] == PADDING / painters.LENGTH


def test_lengths_are_timed_once_in_a_folder(tmp_path):
    audit = Audit(painters.build("register"), settings(), tmp_path / "audit")
    audit.run_folder.begin({})
    timed = audit.timed_lengths(1)
    whole, *others = timed.lengths
    assert (whole.treatment, whole.tokens_kept, whole.rows) == ("keep", None, painters.LENGTH)
    assert whole.speedup == 1
    assert [(one.treatment, one.tokens_kept, one.rows) for one in others[:2]] == [
        ("mask", 1, painters.LENGTH),
        ("trim", 1, painters.LENGTH - PADDING + 1),
    ]
    assert audit.timed_lengths(1) == timed
    (tmp_path / "audit" / "pieces" / "lengths-keep-1.json").write_text('{"prompt": 0}')
    again = audit.timed_lengths(1)  # measured anew
    assert [one.rows for one in again.lengths] == [one.rows for one in timed.lengths]
