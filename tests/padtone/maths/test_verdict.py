"""The decision rules on figures made up for each case."""

import dataclasses

import numpy as np
import pytest

from padtone.maths import verdict
from padtone.maths.verdict import DIFFUSION, IGNORED, INCONCLUSIVE, TEXT, Figures, Noise

PROMPTS, SEEDS = 12, 2


def table(mean, spread=0.01, salt=0):
    random = np.random.default_rng(salt)
    return mean + spread * random.standard_normal((PROMPTS, SEEDS))


def vary(prompts, seeds=0.12):
    """How far apart an arm's pictures of two prompts are, and of two seeds."""
    return table(prompts, salt=1)[:, 0], table(seeds, salt=2)[:, 0]


def figures(to_prompt, to_full, salt, own=0.0, varies=0.05):
    return Figures(
        table(to_prompt, salt=salt),
        table(to_full, salt=salt + 1),
        table(own / 2, salt=salt + 2),
        table(own, salt=salt + 3),
        *vary(varies),
    )


FULL = Figures(table(0.33), np.ones((PROMPTS, SEEDS)), table(0.2), table(0.3), *vary(0.9))
NOISE = Noise(to_full=table(0.12)[:, 0], to_prompt=np.full(PROMPTS, 0.02))
LIKE_FULL = figures(0.33, 0.97, salt=10, own=0.3)
LIKE_CLEAN = figures(0.12, 0.45, salt=20)
BETWEEN = figures(0.25, 0.70, salt=30, own=0.25, varies=0.5)
FAINT = figures(0.13, 0.46, salt=40, own=0.06, varies=0.4)  # a tenth of the prompt, in every picture


def named(
    prompt=LIKE_FULL,
    padding=LIKE_CLEAN,
    other=LIKE_FULL,
    clean=LIKE_CLEAN,
    inside=None,
    removed=LIKE_FULL,
):
    ite = {"prompt": prompt, "padding": padding, "other padding": other, "clean": clean}
    return verdict.judge(FULL, ite, {} if inside is None else {"padding": inside}, removed, NOISE)


@pytest.mark.parametrize(
    ("case", "expected", "words"),
    [
        ({}, IGNORED, "changes the picture by no more"),
        ({"inside": LIKE_CLEAN}, IGNORED, "shows nothing of the prompt"),
        (
            {"padding": BETWEEN},
            TEXT,
            "Padding alone shows some of the prompt. Yet an empty text's padding does as",
        ),
        ({"other": BETWEEN}, TEXT, "Another prompt's padding changes the picture. Yet"),
        ({"prompt": BETWEEN}, TEXT, "An empty text's padding changes the picture."),
        ({"prompt": BETWEEN, "padding": BETWEEN}, TEXT, "of the prompt and an empty text's padding changes"),
        (
            {"prompt": BETWEEN, "padding": BETWEEN, "other": BETWEEN},
            TEXT,
            "of the prompt, another prompt's padding changes the picture and an empty text's padding does so too.",
        ),
        ({"padding": BETWEEN, "inside": BETWEEN}, TEXT, "shows some"),
        ({"inside": BETWEEN}, DIFFUSION, "denoiser writes into it"),
        ({"inside": FAINT}, DIFFUSION, "denoiser writes into it"),
        ({"padding": FAINT}, TEXT, "Padding alone shows some of the prompt."),
        ({"inside": dataclasses.replace(FAINT, between_prompts=vary(0.11)[0])}, IGNORED, "shows nothing"),
        (
            {"inside": dataclasses.replace(FAINT, between_prompts=vary(0.12)[0])},
            INCONCLUSIVE,
            "lost in the noise",
        ),
        ({"inside": BETWEEN, "removed": BETWEEN}, DIFFUSION, "denoiser writes into it"),
        ({"removed": BETWEEN}, INCONCLUSIVE, "something constant. Leave it in"),
        ({"clean": LIKE_FULL}, INCONCLUSIVE, "no effect of text can be seen"),
    ],
)
def test_rules(case, expected, words):
    found = named(**case)
    assert found.name == expected
    assert words in found.reason
    assert found.sees == ("clean" not in case)
    assert len(found.findings) == (14 if "inside" in case else 11)


def test_unclear_is_inconclusive():
    """An effect as large as the yardstick, give or take: neither yes nor no."""
    edge = Figures(
        table(0.33), 1 - NOISE.to_full[:, None] + table(0, 0.05, 5), table(0.2), table(0.3), *vary(0.9)
    )
    for case in ({"prompt": edge}, {"other": edge}, {"removed": edge}):
        assert named(**case).name == INCONCLUSIVE
    assert "though inside the denoiser" in named(prompt=edge, inside=BETWEEN).reason


def test_few_prompts_are_inconclusive():
    cut = lambda f: Figures(*(getattr(f, name)[:5] for name in Figures.__dataclass_fields__))  # noqa: E731
    like = cut(LIKE_FULL)
    ite = {"prompt": like, "padding": cut(BETWEEN), "other padding": like, "clean": cut(LIKE_CLEAN)}
    noise = Noise(NOISE.to_full[:5], NOISE.to_prompt[:5])
    found = verdict.judge(cut(FULL), ite, {}, cut(LIKE_FULL), noise)
    assert found.name == INCONCLUSIVE
    assert found.reason == "There are 5 prompts; a verdict needs 6 or more."
    assert not found.sees


def test_finding_by_hand():
    """Excess above 0 for every prompt: yes; at 0 for every prompt: no; around 0: unclear."""
    noise = np.full(6, 0.5)
    for excess, answer in ((np.full(6, 0.1), "yes"), (np.zeros(6), "no"), (np.array([1, -1] * 3), "unclear")):
        found = verdict.finding("?", "to_full", noise + excess, noise)
        assert found.answer == answer
        assert found.effect - found.noise == pytest.approx(excess.mean())


def test_between_seeds_by_hand():
    values = np.array([[1.0, 2.0, 4.0], [0.0, 0.0, 0.0]])
    assert verdict.between_seeds(values) == pytest.approx([(1 + 3 + 2) / 3, 0])
    with pytest.raises(ValueError, match="two seeds or more"):
        verdict.between_seeds(values[:, :1])


@pytest.mark.parametrize(
    ("answers", "smallest"),
    [
        ({0: "no", 1: "no", 2: "no"}, 0),
        ({0: "yes", 1: "no", 2: "no"}, 1),
        ({0: "no", 1: "yes", 2: "no"}, 2),  # what holds for 0 by luck does not hold from 0 on
        ({0: "no", 1: "no", 2: "unclear"}, None),
    ],
)
def test_smallest_keep(answers, smallest):
    curve = [verdict.KeepPoint(k, (), answer) for k, answer in answers.items()]
    assert verdict.smallest_keep(curve) == smallest


@pytest.mark.parametrize(
    ("answers", "undecided"),
    [
        ({0: "no", 1: "no", 2: "no"}, None),
        ({0: "unclear", 1: "no", 2: "no"}, 0),
        ({0: "yes", 1: "unclear", 2: "no"}, 1),
        ({0: "yes", 1: "no", 2: "unclear"}, 1),
        ({0: "no", 1: "yes", 2: "no"}, None),
        ({0: "no", 1: "no", 2: "yes"}, None),
    ],
)
def test_undecided_keep(answers, undecided):
    curve = [verdict.KeepPoint(k, (), answer) for k, answer in answers.items()]
    assert verdict.undecided_keep(curve) == undecided


@pytest.mark.parametrize(("answer", "none"), [("yes", True), ("no", False), ("unclear", False)])
def test_none_can_go(answer, none):
    curve = [verdict.KeepPoint(0, (), "yes"), verdict.KeepPoint(4, (), answer)]
    assert verdict.none_can_go(verdict.Verdict(TEXT, "", (), sees=True), curve) is none
    assert not verdict.none_can_go(verdict.Verdict(TEXT, "", (), sees=False), curve)


def test_chance_seldom_makes_a_verdict(monkeypatch):
    """Padding that does nothing beyond what another seed does, 100 times: "used" comes up in few."""
    monkeypatch.setattr("padtone.maths.metrics.RESAMPLES", 1000)
    random = np.random.default_rng(0)
    draw = lambda mean, spread: mean + spread * random.standard_normal((PROMPTS, SEEDS))  # noqa: E731
    vary = lambda: (draw(0.13, 0.03).mean(1), draw(0.15, 0.03).mean(1))  # noqa: E731
    used = 0
    for _ in range(100):
        seeds = draw(0.15, 0.03)
        noise = Noise(seeds.mean(1), verdict.between_seeds(draw(0.33, 0.02)))
        full = Figures(draw(0.33, 0.02), np.ones((PROMPTS, SEEDS)), draw(0.2, 0.02), draw(0.3, 0.02), *vary())
        clean, padding = (
            Figures(draw(0.1, 0.02), draw(0.4, 0.03), draw(0, 0.02), draw(0, 0.03), *vary()) for _ in range(2)
        )
        swapped = [
            Figures(draw(0.33, 0.02), 1 - draw(0.13, 0.03), *[draw(0.3, 0.02)] * 2, *vary()) for _ in range(2)
        ]
        ite = {"prompt": swapped[0], "other padding": swapped[1], "padding": padding, "clean": clean}
        used += verdict.judge(full, ite, {}, swapped[0], noise).name == TEXT
    # Pictures differ from the full one by little less than another seed's, which is the hardest case.
    assert used <= 5
