"""The page's endpoints for programs: the same work as the tabs', in the same queue, within the same limits."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import gradio as gr
from gradio.data_classes import FileData

from fouriscale.reports.explain_model import explanation_sentences
from padtone.maths.roles import check_rows, chosen_rows, row_roles
from picturelab.bounds import shown

from .errors import sentence, without_paths
from .high_resolution import order
from .high_resolution import tab as high_resolution
from .high_resolution.config_fields import to_fields
from .jobs.page_job import PageJob
from .padding_tokens import order as padding_order
from .padding_tokens import tab as padding_tokens
from .padding_tokens.tokens import tokens_of
from .visitors import visitor_of
from .workshop import Workshop

ENDPOINTS = ("audit", "encode", "explain", "generate")
_LOOK = 0.05  # seconds between two looks at a job


def build(workshop: Workshop) -> None:
    """Add the endpoints; to be called inside the page's Blocks.

    None of them holds a thread while its job waits: many callers may wait at once.
    """
    usual = order.start(workshop)
    model, side = usual["model"], usual["width"]

    async def generate(
        prompt: str = usual["prompt"],
        height: int = side,
        width: int = side,
        seed: int = 0,
        steps: int = usual["steps"],
        preset: str = order.AUTO,
        compare: bool = True,
        request: gr.Request | None = None,
    ) -> list[dict]:
        """Sample a picture with FouriScale; with `compare` directly too. Returns PNGs that carry their recipes."""
        with _sentences():
            if not isinstance(compare, bool):
                raise ValueError(f"compare is {shown(compare)}: must be true or false")
            values = order.start(workshop) | to_fields(order.config_for_choice(workshop, model, preset))
            values |= dict(prompt=prompt, height=height, width=width, seed=seed, steps=steps, preset=preset)
            values["sampling"] = order.BOTH if compare else order.SCALED
            job = await asyncio.to_thread(high_resolution.submit, workshop, visitor_of(request), values)
            result = await _result(workshop, job)
        return [_file(picture.path) for picture in result.pictures]

    async def explain(model: str = model, height: int = side, width: int = side) -> dict:
        """What FouriScale would do for a model and a size, and what it would cost. Nothing is loaded."""
        with _sentences():
            order.check_sides(height, width)
            return await asyncio.to_thread(_explanation, workshop, model, int(height), int(width))

    async def encode(
        prompt: str = usual["prompt"], keep: str = "full", request: gr.Request | None = None
    ) -> dict:
        """The tokens of a prompt with their roles, and which of the denoiser's text rows `keep` names."""
        with _sentences():
            if not isinstance(keep, str):
                raise ValueError(f"keep is {shown(keep)}: must be text")
            check_rows(keep)
            address = visitor_of(request).address
            group = f"program's prompts {address}" if address else ""
            entries = await tokens_of(workshop, group, model, prompt)
            rows = max((entry.rows.stop for entry in entries if entry.rows is not None), default=0)
            kept = chosen_rows(entries, keep, rows)
        return {
            "encoders": [entry.to_dict() for entry in entries],
            "roles": row_roles(entries, rows),
            "kept": kept,
        }

    async def audit(
        prompts: list[str] = [],  # noqa: B006 (never changed; shown as the default)
        seeds: int = 2,
        steps: int = usual["steps"],
        request: gr.Request | None = None,
    ) -> tuple[dict, dict]:
        """Are the padding tokens used, and how many can go? Returns report.json and the report as a page."""
        with _sentences():
            if not isinstance(prompts, list):
                raise ValueError(f"prompts is {shown(prompts)}: must be a list of texts")
            audit_order = padding_order.read_audit(workshop, model, steps, prompts, _OUR_PROMPTS, seeds)
            job = padding_tokens.submit_audit(workshop, visitor_of(request), audit_order)
            result = await _result(workshop, job)
        return result.results, _file(result.page)

    for name, endpoint in zip(ENDPOINTS, (audit, encode, explain, generate), strict=True):
        gr.api(endpoint, api_name=name, concurrency_limit=None)


_OUR_PROMPTS = 8  # of an audit that is given none


def _explanation(workshop: Workshop, model: str, height: int, width: int) -> dict[str, Any]:
    workshop.models.check(model)
    steps, _ = workshop.models.usual_settings(model)
    config = workshop.models.config(model)
    explanation = workshop.models.explain(model, height, width, steps, config)
    return asdict(explanation) | {
        "active": explanation.active,
        "sentences": explanation_sentences(explanation),
    }


async def _result(workshop: Workshop, job: PageJob) -> Any:
    """A job's result, once it is there. The job ends when the call is cancelled.

    Raises:
        ValueError: the job failed.
    """
    try:
        while not job.finished:
            await asyncio.sleep(_LOOK)
    finally:
        workshop.runner.cancel(job)
    if job.state != "done":
        raise ValueError(job.error or "the job was cancelled")
    for remark in job.remarks:
        gr.Warning(without_paths(remark))
    return job.result


def _file(path: Any) -> dict[str, Any]:
    return FileData(path=str(path), orig_name=path.name).model_dump()


@contextmanager
def _sentences() -> Iterator[None]:
    """What goes wrong reaches the caller as a sentence."""
    try:
        yield
    except Exception as error:
        raise gr.Error(sentence(error), print_exception=False) from error
