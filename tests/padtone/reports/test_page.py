"""The page: one file, the verdict first, every figure from the report's content."""

import json
import re
from html.parser import HTMLParser

import pytest

from padtone.audit.run import Audit
from padtone.audit.settings import AuditSettings
from padtone.maths import verdict
from padtone.reports.evidence import attributes
from padtone.reports.index import write_index
from padtone.reports.number import code_line, in_short
from padtone.reports.page import HEADLINES, MEANINGS, render, write_report
from tests.padtone.reports.test_charts import drawing, words
from tests.tiny import painters

VOID = {"meta", "img", "br", "line", "circle"}


class Outline(HTMLParser):
    """Checks that tags close in order, and collects text, addresses and ids of what they hold."""

    def __init__(self, page):
        super().__init__()
        self.open, self.text, self.sources, self.links = [], [], [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "img":
            self.sources.append(given["src"])
            assert given["alt"]
        if "href" in given:
            self.links.append(given["href"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """{name: (content of report.json, folder)} of two built models."""
    done = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("padtone.families.registry._REGISTERED", dict(painters.FAMILIES))
        for name in ("zero padding", "register"):
            kinds = ("warm", "warm", "cold", "cold", "cold", "cold")
            settings = AuditSettings(
                name, "tiny", painters.PROMPTS, kinds, batch=16, keeps=(0, 1, 4), looks=1
            )
            audit = Audit(painters.build(name), settings, tmp_path_factory.mktemp("audit") / "a")
            audit.paint()
            done[name] = audit.results(painters.clip()), audit.run_folder
    return done


@pytest.mark.slow
@pytest.mark.parametrize("name", ["zero padding", "register"])
def test_page(made, name):
    results, folder = made[name]
    outline = Outline(render(results, folder))
    text = " ".join(" ".join(outline.text).split())
    assert all(source.startswith("data:image/") for source in outline.sources)
    assert outline.links == ["https://arxiv.org/abs/2501.06751"]
    first = text.index(HEADLINES[results["verdict"]])
    assert first < text.index("What this is about")
    assert first < text.index("Look at it")
    assert results["reason"] in text
    assert f"{in_short(results)} padding tokens can go" in text
    assert code_line(results) in "".join(outline.text)
    for arm, figures in results["arms"]["ite"].items():
        assert MEANINGS[arm] in text
        assert f"{figures['to_full']['mean']:.3f} {figures['to_full']['low']:.3f} to" in text
    assert ("Swapped inside the denoiser" in text) == (name == "register")
    assert "KID needs 50 pictures an arm; here are 12" in text
    assert "warm" in text
    assert "shapeworld's checker" not in text
    assert "Nobody can tell here" in text, "no checker, no attributes"
    assert results["end_token"]["sentence"] in text
    for question, answer in results["answers"].items():
        assert f"{question} {answer}" in text
    for finding in results["findings"]:
        assert f"{finding['excess']['low']:.3f}"[:5] in text


@pytest.mark.slow
def test_what_is_right_by_attribute(made):
    """As a checker would have judged it; no prompt of one object asks for a relation."""
    results, folder = made["register"]
    share = {"mean": 0.75, "low": 0.5, "high": 0.875}
    judged = {f"{name} correct": share for name in ("background", "colour", "shape", "count")}
    judged |= {"objects correct": share}
    arms = {group: {arm: f | judged for arm, f in of.items()} for group, of in results["arms"].items()}
    curve = [row | judged for row in results["keep_k"]["curve"]]
    changed = results | {"arms": arms, "keep_k": results["keep_k"] | {"curve": curve}}
    assert list(attributes(changed)["padding alone"].values()) == [share] * 4
    text = " ".join(" ".join(Outline(render(changed, folder)).text).split())
    assert "text background colour shape count" in text
    assert "empty text: chance 75% 50\u201388%" in text


def test_few_prompts_say_how_many_it_would_take(made):
    results, folder = made["zero padding"]
    sentence = "6 prompts cannot decide; about 20 prompts would, if the effects stay as they are here."
    more = {"prompts": 6, "verdict": 17, "number": None, "sentence": sentence}
    page = render(results | {"more_prompts": more}, folder)
    assert sentence in page
    assert "<code>--count</code>" in page
    assert "<code>--count</code>" not in render(results, folder)


@pytest.mark.slow
def test_what_cannot_be_dropped_gets_no_code(made):
    results, folder = made["register"]
    for name, droppable, sentence in (
        (verdict.TEXT, 0, "Leave the padding as it is"),
        (verdict.TEXT, None, "can go was not decided"),
        (verdict.INCONCLUSIVE, None, "So nothing is said"),
    ):
        keep_k = results["keep_k"] | {"smallest": None}
        changed = results | {"verdict": name, "droppable": droppable, "speedup": None, "keep_k": keep_k}
        page = render(changed, folder)
        assert sentence in page
        assert ("<b>not known with 6 prompts</b>" in page) == (droppable is None)
        assert "trim_padding" not in page


def test_the_fastest_length_is_named(made):
    results, folder = made["zero padding"]
    lengths = [
        {
            "treatment": name,
            "tokens_kept": k,
            "rows": rows,
            "seconds": s,
            "speedup": 0.4 / s,
            "speedup_range": [0.3 / s, 0.5 / s],
        }
        for name, k, rows, s in (
            ("keep", None, 12, 0.4),
            ("mask", 0, 12, 0.1),
            ("trim", 0, 4, 0.3),
            ("trim", 4, 8, 0.1),
        )
    ]
    timed = {"prompt": results["settings"]["prompts_used"][0], "lengths": lengths}
    changed = results | {"keep_k": results["keep_k"] | {"timed": timed}}
    page = render(changed, folder)
    assert "with padtone.trim_padding(pipe, keep=4):" in page
    assert "Taken is keep = 4, 8 rows: faster than the shortest beyond" in page
    assert "it keeps 4 where 0 would do, for 8 rows of text were the fastest" in page
    assert "speed of the denoiser" in page
    assert "trim_padding(pipe, keep=0)" in render(results, folder)


def test_page_escapes_what_people_typed(made):
    results, folder = made["zero padding"]
    settings = results["settings"] | {
        "prompts": ["<script>alert(1)</script>", *results["settings"]["prompts"][1:]]
    }
    page = render(results | {"model": "a<b>", "settings": settings}, folder)
    assert "<script>" not in page
    assert "a&lt;b&gt;" in page


def test_json_keeps_its_promised_keys(made):
    for results, _ in made.values():
        promised = {
            "model",
            "verdict",
            "droppable",
            "speedup",
            "arms",
            "keep_k",
            "attention",
            "settings",
            "versions",
        }
        assert promised <= results.keys()
        assert json.loads(json.dumps(results, allow_nan=False)) == results
        assert set(results["arms"]["ite"]) == {
            "full",
            "another seed",
            "prompt",
            "padding",
            "clean",
            "eos",
        } | {
            "other padding",
            "random fifth",
            *(f"padding {i}/5" for i in range(1, 6)),
        }
        assert results["arms"]["ite"]["padding"]["kid"] is None
    assert set(made["register"][0]["arms"]["idp"]) == set(results["arms"]["ite"]) - {
        "full",
        "another seed",
        "other padding",
        "clean",
    }


def test_index(made, tmp_path):
    page = write_index({"one": made["zero padding"][0], "two": made["register"][0]}, tmp_path).read_text()
    outline = Outline(page)
    assert outline.links == ["one/report.html", "two/report.html"]
    assert re.search(r'<p class="head">used in diffusion</p>', page)
    assert len(outline.sources) == 2, "two charts of both models"
    assert all({"zero padding", "register"} <= set(words(drawing(source))) for source in outline.sources)


@pytest.mark.slow
def test_report_is_the_same_each_time(made):
    results, folder = made["register"]
    first = write_report(results, folder.folder).read_text()
    assert write_report(results, folder.folder).read_text() == first
