"""What a folder's run was begun with: plan.json, and whether the run can go on."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from .. import recipes
from ..remarks import remark
from ..text_lengths import may_leave_out
from . import contents
from .instruments import instrument
from .jobs import Job
from .manifest import Entry, Record, of_status
from .plan import Group, GroupPlan
from .stores import PLAN, Store, picture_file, read_plan_note, writing

_COMPARED = ("device", "dtype", "threads")  # what else decides pictures to the last bit
_LOOKED_AT = 200  # pictures whose recipes are compared with their jobs where the plan is lost


def earlier(store: Store, plan: GroupPlan, record: Record) -> dict[str, Any]:
    """What an earlier run of the folder was begun with; empty where there was none, or nothing came of it.

    Raises:
        ValueError: plan.json is lost, and the pictures are of other jobs.
    """
    if not record.entries:
        return {}
    note = read_plan_note(store)
    if note is None:
        remark(
            f"{store.address}/{PLAN} is lost or damaged; it is made anew from the jobs file and the pictures"
        )
        note = _from_pictures(store, plan, record)
    if not record.count("done"):  # nothing that could differ from what is made now
        return {key: value for key, value in note.items() if key in ("plan", "source", "versions")}
    return note


def settle(before: dict[str, Any], now: dict[str, Any], plan: GroupPlan, record: Record) -> None:
    """Check that a folder's run can go on: with these settings, and in a world that is still the same.

    Args:
        before: of `earlier`.

    Raises:
        ValueError: pictures would differ from those that are there.
    """
    if "contents" in before and contents.changed(before["contents"], plan.contents):
        sentence = contents.changed(before["contents"], _made(plan, record))
        if sentence:
            raise ValueError(sentence)
    if before.get("plan", now["plan"]) != now["plan"]:
        if before.get("source", plan.jobs_file.sha256) != plan.jobs_file.sha256:
            what = "a run of other jobs: the jobs file, or a list that it names, has changed since or is another one"
        else:
            what = (
                "a run of other jobs, or of the same in other groups or files "
                "(--batch, --model, --skip-bad, --format, --quality, --no-a1111)"
            )
        raise ValueError(f"the folder holds {what}: give the same, or another folder")
    if now["pad_text"] and not before.get("pad_text", True):
        raise ValueError(
            "the folder holds a run begun with texts at their true length instead of --pad-text; give the same, or "
            "another folder"
        )
    differing = [name for name in _COMPARED if before.get(name, now[name]) != now[name]]
    if differing:
        was = ", ".join(f"{name} {before[name]} instead of {now[name]}" for name in differing)
        raise ValueError(f"the folder holds a run begun with {was}; give the same, or another folder")


def check_settings(store: Store, plan: GroupPlan, record: Record) -> None:
    """Check that jobs mean what they meant when the folder's pictures were made.

    Of every kind of jobs one picture is looked at, of `_LOOKED_AT` kinds at most.

    Raises:
        ValueError: pictures would differ from those that are there.
    """
    groups = {group.number: group for group in plan.groups}
    firsts: dict[int, tuple[Entry, Group]] = {}
    for entry in of_status(record, "done"):
        if entry.group in groups:
            group = groups[entry.group]
            firsts.setdefault(group.kind, (entry, group))
    for entry, group in list(firsts.values())[:_LOOKED_AT]:
        job = next((job for job in plan.jobs(group) if job.id == entry.id), None)
        recipe = _recipe(store, entry, job) if job else None
        if job is None or recipe is None:
            continue
        if changed := instrument(job.instrument).changed_settings(job, recipe):
            raise ValueError(
                f"the folder holds pictures made with {changed}, which the same jobs mean now, such as {entry.file}: "
                "make the batch in another folder"
            )


def write_plan(
    store: Store, jobs: Path, plan: GroupPlan, before: dict[str, Any], now: dict[str, Any], left: bool
) -> None:
    """Note what a run is begun with, where that is not noted yet.

    Args:
        left: whether there is something to make; or else a note of an older version stays as it is.

    Raises:
        ValueError: it cannot be written.
    """
    versions = recipes.versions()
    if changed := recipes.changed_versions(before.get("versions", versions)):
        remark(
            f"versions differ from those that the folder was begun with, so pixels may too: {', '.join(changed)}"
        )
    note = now | {
        "jobs": str(jobs),
        "source": plan.jobs_file.sha256,
        "total": plan.total,
        "groups": len(plan.groups),
        "versions": before.get("versions", versions),
        "contents": before.get("contents", {}) | plan.contents,
        "text_encoders": plan.encoders,
        "text_lengths": None if plan.lengths is None else plan.lengths.sentence(),
    }
    written = read_plan_note(store)
    if written is None or (left and written != note):
        with writing(store):
            store.write(PLAN, json.dumps(note, indent=1).encode())


def _made(plan: GroupPlan, record: Record) -> dict[str, str]:
    """The contents of what pictures were made from that are there."""
    done = {entry.id for entry in of_status(record, "done")}
    groups = {entry.group for entry in of_status(record, "done")}
    jobs = (job for group in plan.groups if group.number in groups for job in plan.jobs(group))
    return plan.contents_of(job for job in jobs if job.id in done)


def _from_pictures(store: Store, plan: GroupPlan, record: Record) -> dict[str, Any]:
    """What plan.json said, as far as pictures and their manifest do.

    Raises:
        ValueError: they are of other jobs.
    """
    jobs = {job.id: (group.number, job) for group in plan.groups for job in plan.jobs(group)}
    done = list(of_status(record, "done"))
    note: dict[str, Any] = {"plan": plan.digest()}
    leaving_out = {model for model in {job.model for _, job in jobs.values()} if may_leave_out(model)}
    for entry in done:
        number, _ = jobs.get(entry.id, (None, None))
        if number != entry.group:
            raise _other_jobs(store, entry)
    for entry in done[:: max(1, len(done) // _LOOKED_AT)]:
        job = jobs[entry.id][1]
        recipe = _recipe(store, entry, job)
        if recipe is None:
            continue
        if (recipe.get("prompt"), recipe.get("seed")) != (job.prompt, job.seed):
            raise _other_jobs(store, entry)
        note |= {name: recipe[name] for name in _COMPARED if name in recipe}
        note["device"] = str(note.get("device", "cpu")).split(":")[0]
        padded = "encoding" not in recipe and not job.pad_text and job.model in leaving_out
        note["pad_text"] = note.get("pad_text", False) or padded
    return note


def _recipe(store: Store, entry: Entry, job: Job) -> dict[str, Any] | None:
    """Of a picture that is what it was."""
    content, digest = picture_file(store, entry)
    if content is None or digest != entry.sha256:  # `verify` tells of it
        return None
    text = recipes.chunk_of(io.BytesIO(content), instrument(job.instrument).chunk)
    return recipes.values_of(text) if text else None


def _other_jobs(store: Store, entry: Entry) -> ValueError:
    return ValueError(
        f"{store.address} has lost its {PLAN} and holds a run of other jobs: the picture of {entry.id!r} is "
        "another one there; give the jobs file that it was begun with, or another folder"
    )
