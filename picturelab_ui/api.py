"""The page's endpoints for programs: the same work as the tabs', in the same queue."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import gradio as gr
from gradio.data_classes import FileData

from fouriscale.reports.explain import sentences
from padtone.maths.roles import check_rows, chosen_rows, row_roles

from .high_resolution import order
from .high_resolution import tab as high_resolution
from .high_resolution.config_fields import to_fields
from .jobs.padding_tokens import audit, audit_prompts
from .jobs.runner import PageJob
from .models import usual_settings
from .padding_tokens.order import check_audit
from .padding_tokens.tokens import read_tokens
from .workshop import Workshop

_OWNER = ""  # programs have no browser: their files go to the common folder


def build(workshop: Workshop) -> None:
    """Add the endpoints; to be called inside the page's Blocks."""
    usual = order.start(workshop)
    model, side = usual["model"], usual["width"]

    def generate(
        prompt: str = usual["prompt"],
        height: int = side,
        width: int = side,
        seed: int = 0,
        steps: int = usual["steps"],
        preset: str = order.AUTO,
        compare: bool = True,
    ) -> list[dict]:
        """Sample a picture with FouriScale; with `compare` directly too. Returns PNGs that carry their recipes."""
        with _sentences():
            values = order.start(workshop) | to_fields(order.config_for_choice(workshop, model, preset))
            values |= dict(prompt=prompt, height=height, width=width, seed=seed, steps=steps, preset=preset)
            values["sampling"] = order.BOTH if compare else order.SCALED
            result = _result(high_resolution.submit(workshop, _OWNER, values))
        return [_file(picture.path) for picture in result.pictures]

    def explain(model: str = model, height: int = side, width: int = side) -> dict:
        """What FouriScale would do for a model and a size, and what it would cost. Nothing is loaded."""
        with _sentences():
            workshop.models.check(model)
            steps, _ = usual_settings(model)
            config = workshop.models.config(model)
            explanation = workshop.models.explain(model, int(height), int(width), steps, config)
        return asdict(explanation) | {"active": explanation.active, "sentences": sentences(explanation)}

    def encode(prompt: str = usual["prompt"], keep: str = "full") -> dict:
        """The tokens of a prompt with their roles, and which of the denoiser's text rows `keep` names."""
        with _sentences():
            check_rows(keep)
            entries = read_tokens(workshop, model, prompt)
            rows = max((entry.rows.stop for entry in entries if entry.rows is not None), default=0)
            kept = chosen_rows(entries, keep, rows)
        return {
            "encoders": [entry.to_dict() for entry in entries],
            "roles": row_roles(entries, rows),
            "kept": kept,
        }

    def audit_endpoint(
        prompts: list[str] = [],  # noqa: B006 (never changed; shown as the default)
        seeds: int = 2,
        steps: int = usual["steps"],
    ) -> tuple[dict, dict]:
        """Are the padding tokens used, and how many can go? Returns report.json and the report as a page."""
        with _sentences():
            chosen = audit_prompts(model, "\n".join(prompts), 8)
            check_audit(workshop, len(chosen.texts), seeds)
            folder = workshop.folders.of(_OWNER, "audits")

            def work(job: PageJob) -> Any:
                pipe = workshop.models.pipeline(model)
                return audit(pipe, chosen, seeds=seeds, steps=steps, folder=folder, job=job)

            result = _result(workshop.runner.submit(work))
        return result.results, _file(result.page)

    for name, endpoint in (
        ("generate", generate), ("explain", explain), ("encode", encode), ("audit", audit_endpoint),
    ):  # fmt: skip
        gr.api(endpoint, api_name=name, concurrency_limit=4)


def _result(job: PageJob) -> Any:
    """A job's result, once it is there.

    Raises:
        ValueError: the job failed.
    """
    job.wait()
    if job.state != "done":
        raise ValueError(job.error or "the job was cancelled")
    return job.result


def _file(path: Any) -> dict[str, Any]:
    return FileData(path=str(path), orig_name=path.name).model_dump()


@contextmanager
def _sentences() -> Iterator[None]:
    """Bad input reaches the caller as its sentence."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise gr.Error(str(error), print_exception=False) from error
