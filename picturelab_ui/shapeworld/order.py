"""What a visitor asks of the third tab: a scene, a size, a seed; checked, and queued to be judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from fouriscale import FouriScaleConfig
from picturelab.bounds import BOUNDS
from shapeworld import SAMPLING, Report, Scene, check, sample_scenes

from ..forms import FieldProblems, check_between, check_one_of
from ..jobs.high_resolution import PictureOrder, sample
from ..jobs.page_job import PageJob
from ..visitors import Visitor
from ..workshop import Workshop
from .outlines import outlined
from .tally import Score, add

KIND, TAB = "scene", "world"
MODEL = "shapeworld/unet"
OBJECTS = {"one object": 1, "two objects": 2, "either": None}
SIZES = {"128 x 128": (128, 128), "256 x 256": (256, 256), "384 x 256": (256, 384), "512 x 512": (512, 512)}


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
    wrong = scene_problems(values["number"], values["objects"])
    for name, least, most in (("seed", 0, int(BOUNDS["seed"].most)), ("steps", 1, workshop.host.max_steps)):
        with wrong.at(name):
            check_between(name, values[name], least, most)
    with wrong.at("size"):
        check_one_of("size", values["size"], tuple(SIZES))
    return wrong


def scene_problems(number: Any, objects: Any) -> FieldProblems:
    """What is wrong with a scene's number and its kind of objects."""
    wrong = FieldProblems()
    with wrong.at("number"):
        check_between("scene", number, 0, 10**9)
    with wrong.at("objects"):
        check_one_of("objects", objects, tuple(OBJECTS))
    return wrong


def submit(workshop: Workshop, visitor: Visitor, values: Mapping[str, Any]) -> PageJob:
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
    folder = workshop.folders.of(visitor.name, "scenes")

    def work(job: PageJob) -> JudgedScene:
        job.report(0, 0, f"loading {MODEL}")
        result = sample(workshop.models.pipeline(MODEL), picture_order, folder=folder, job=job)
        pictures = {}
        for picture in result.pictures:
            with Image.open(picture.path) as image:
                report = check(image, scene)
                pictures[picture.method] = outlined(image, report), report
            add(_scores(folder), Score(picture.method, (height, width), report.repeated, report.correct))
        return JudgedScene(scene, (height, width), pictures)

    return workshop.submit(work, visitor, KIND, folder, MODEL)


def scores_of(workshop: Workshop, browser: str) -> Path:
    """The file of a browser's scores."""
    return _scores(workshop.folders.of(browser, "scenes"))


def _scores(folder: Path) -> Path:
    return folder / "scores.jsonl"
