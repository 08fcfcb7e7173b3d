"""What a visitor asks of the third tab: a scene, a size, a seed; checked, and queued to be judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from fouriscale import FouriScaleConfig
from fouriscale.sampling.generate import check_request
from shapeworld import SAMPLING, Report, Scene, check, sample_scenes

from ..forms import FieldProblems, check_between
from ..jobs.high_resolution import PictureOrder, sample
from ..jobs.runner import PageJob
from ..workshop import Workshop
from .outlines import outlined
from .tally import Score, add

KIND, TAB = "scene", "world"
MODEL = "shapeworld/unet"
OBJECTS = {"one object": 1, "two objects": 2, "either": None}
SIZES = {"128 x 128": (128, 128), "256 x 256": (256, 256), "384 x 256": (256, 384), "512 x 512": (512, 512)}
_WHOLE_NUMBERS = (("number", "scene", 0, 10**9), ("seed", "seed", 0, 2**63 - 2))


@dataclass(frozen=True)
class JudgedScene:
    """One job's scene and size (height, width), and {method: (picture with outlines, report)}."""

    scene: Scene
    size: tuple[int, int]
    pictures: dict[str, tuple[Image.Image, Report]]


def scene_of(number: float, objects: str) -> Scene:
    """One of the world's scenes, by number."""
    return sample_scenes(1, seed=int(number), objects=OBJECTS[objects])[0]


def problems(workshop: Workshop, values: Mapping[str, Any]) -> FieldProblems:
    """What is wrong with the tab's values."""
    wrong = FieldProblems()
    for name, word, least, most in (*_WHOLE_NUMBERS, ("steps", "steps", 1, workshop.host.max_steps)):
        with wrong.at(name):
            check_between(word, values[name], least, most)
    for name, known in (("objects", OBJECTS), ("size", SIZES)):
        if values[name] not in known:
            wrong[name] = f"{name} is {values[name]!r}; it can be {', '.join(known)}"
    return wrong


def submit(workshop: Workshop, owner: str, values: Mapping[str, Any]) -> PageJob:
    """Queue a scene: sampled directly and with FouriScale, judged, and counted.

    Raises:
        ValueError: a value is wrong, or the queue is full.
    """
    problems(workshop, values).refuse()
    height, width = SIZES[values["size"]]
    scene = scene_of(values["number"], values["objects"])
    picture_order = PictureOrder(
        prompt=scene.caption,
        model=MODEL,
        height=height,
        width=width,
        seed=int(values["seed"]),
        steps=int(values["steps"]),
        guidance=SAMPLING["unet"].guidance,
        config=FouriScaleConfig.preset("shapeworld"),
    )
    check_request(height, width, [picture_order.seed], picture_order.steps, 1.0)
    folder = workshop.folders.of(owner, "scenes")

    def work(job: PageJob) -> JudgedScene:
        job.report(0, 0, f"loading {MODEL}")
        result = sample(workshop.models.pipeline(MODEL), picture_order, folder=folder, job=job)
        pictures = {}
        for picture in result.pictures:
            with Image.open(picture.path) as image:
                report = check(image, scene)
                pictures[picture.method] = outlined(image, report), report
            add(scores(folder), Score(picture.method, (height, width), report.repeated, report.correct))
        return JudgedScene(scene, (height, width), pictures)

    return workshop.runner.submit(work, owner=owner, kind=KIND)


def scores(folder: Path) -> Path:
    """The file of a browser's scores, in its folder of scenes."""
    return folder / "scores.jsonl"
