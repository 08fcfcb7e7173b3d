"""The report as a page: one file, the verdict first, for readers who never saw the paper."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from picturelab.failures import told_as
from picturelab.files import write_whole
from picturelab.reports.pages import data_address, environment
from picturelab.runs.folder import RunFolder

from ..audit.arms import ANOTHER_SEED, FULL
from ..audit.folder import run_folder
from ..audit.kid import KID_MINIMUM, KID_SUBSETS
from ..audit.more_prompts import within_reach
from ..maths import verdict
from ..maths.verdict import FEWEST_PROMPTS
from .deciding import came_in, deciding_sentence
from .evidence import ATTRIBUTES, attributes, places_chart, questions, token_places_chart
from .full_audit import full_audit
from .glance import cases
from .grids import all_grids, keep_grids, main_grids, without_yardstick
from .number import chosen_length, code_line, in_short, judged_sentence, keep_sentence, line_speed, up_to

GLANCE = "glance.png"  # in an audit's folder

HEADLINES = {
    verdict.IGNORED: "The padding tokens are ignored.",
    verdict.TEXT: "The padding tokens are used: the text encoder writes into them.",
    verdict.DIFFUSION: "The padding tokens are used: the denoiser works in them.",
    verdict.INCONCLUSIVE: "This audit could not decide.",
}
MEANINGS = {
    FULL: "prompt and padding as they are",
    "prompt": "the prompt's own words; padding from an empty text",
    "padding": "words from an empty text; the prompt's own padding",
    "clean": "an empty text: nothing but padding tokens",
    "eos": "the end token alone",
    "other padding": "the prompt's own words; another prompt's padding",
    "random fifth": "a fifth of the padding, drawn at random",
    ANOTHER_SEED: "prompt and padding as they are, from other noise: the yardstick",
} | {f"padding {i}/5": f"fifth {i} of 5 of the padding alone" for i in range(1, 6)}

FIGURES = {
    "to_full": "likeness to the full picture",
    "to_prompt": "CLIP score to the prompt",
    "own_full": "likeness to its own prompt's picture, beyond other prompts'",
    "own_prompt": "CLIP score to its own prompt, beyond other prompts",
    "between_prompts": "unlikeness of two prompts' pictures, beside two seeds'",
}


def write_report(results: Mapping[str, Any], folder: Path) -> Path:
    """Write `report.html` beside an audit's pictures.

    Args:
        results: the content of report.json.
        folder: the audit's folder, with its pictures.

    Raises:
        ValueError: a picture cannot be read, or the page cannot be written.
    """
    path = folder / "report.html"
    page = render(results, run_folder(folder))
    with told_as(f"{path} cannot be written", OSError):
        write_whole(path, page, sync=True)
    return path


def render(results: Mapping[str, Any], pictures: RunFolder) -> str:
    """The page."""
    from . import charts

    arms = results["arms"]
    full = full_audit(results, pictures.folder)
    ite = {arm: arms["ite"][arm] for arm in (FULL, ANOTHER_SEED, *without_yardstick(arms["ite"]))}
    noise = arms["ite"][ANOTHER_SEED]["to_full"]["mean"]
    return (
        environment("padtone.reports")
        .get_template("report.html.j2")
        .render(
            r=results,
            headline=HEADLINES[results["verdict"]],
            meanings=MEANINGS,
            figures=FIGURES,
            fewest=FEWEST_PROMPTS,
            deciding=deciding_sentence(results),
            came_in=came_in(results),
            kid_subsets=KID_SUBSETS,
            kid_minimum=KID_MINIMUM,
            worth_more=within_reach(results["more_prompts"]),
            can_go=in_short(results),
            up_to=up_to(results),
            code=code_line(results),
            why_keep=keep_sentence(results),
            line_speed=line_speed(results),
            chosen=chosen_length(results),
            judged_lengths=judged_sentence(results),
            full_audit=full,
            full_address=full.address(pictures.folder) if full else None,
            glance=_glance(pictures.folder / GLANCE),
            cases=cases(results, pictures),
            judged=judged_figures(arms["ite"][FULL]),
            with_kid=arms["ite"]["clean"]["kid"] is not None,
            ite=ite,
            main=main_grids(results, pictures),
            everything=all_grids(results, pictures),
            keeps=keep_grids(results, pictures),
            questions=questions(results),
            attributes=attributes(results),
            places_chart=places_chart(results),
            token_chart=token_places_chart(results),
            keep_chart=charts.keep_chart(results["keep_k"]["curve"], results["keep_k"]["padding"], noise),
            arm_charts=_arm_charts(arms, ite),
            attention_chart=_attention_chart(results["attention"]["groups"]),
        )
    )


def _glance(path: Path) -> str | None:
    """The picture that explains the verdict; None where there is none, as in audits made before there were any."""
    return data_address("image/png", path.read_bytes()) if path.is_file() else None


def _attention_chart(groups: Mapping[str, Any]) -> str | None:
    """None where nothing looks at padding or prompt, or nothing was measured."""
    from .charts import attention_chart

    wanted = [group for group in ("padding", "prompt") if group in groups]
    return attention_chart(groups, wanted) if wanted else None


def judged_figures(full: Mapping[str, Any]) -> list[str]:
    """Names of the figures that a ground truth gave, such as shapeworld's checker, but those of `attributes`."""
    apart = {f"{name} correct" for name in ATTRIBUTES if name != "background"}
    known = {"images", "left_out", "kid", "distance", "by_prompt", *FIGURES, *apart}
    return [name for name in full if name not in known]


def _arm_charts(arms: Mapping[str, Any], ite: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    from .charts import arm_chart

    groups = {"ite": ite} | ({"idp": arms["idp"]} if arms["idp"] else {})
    return {
        name: {
            "likeness": arm_chart(group, "to_full", "likeness to the full picture (CLIP)"),
            "score": arm_chart(group, "to_prompt", "CLIP score to the prompt"),
        }
        for name, group in groups.items()
    }
