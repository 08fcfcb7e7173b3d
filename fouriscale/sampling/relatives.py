"""Pipelines of another task with the same models: image to image, inpainting, ControlNets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from picturelab.pipeline import Pipeline

# What imports torch is imported where it is used, so that a command refuses a file at once.


class Task(NamedTuple):
    """What a pipeline does besides drawing from a prompt.

    Attributes:
        auto: diffusers' class that finds the pipeline where there is a UNet.
        suffix: of the names of its pipelines with a transformer.
        words: for messages.
    """

    auto: str
    suffix: str
    words: str


TEXT_TO_IMAGE = Task("AutoPipelineForText2Image", "Pipeline", "text-to-image")
IMAGE_TO_IMAGE = Task("AutoPipelineForImage2Image", "Img2ImgPipeline", "image-to-image")
INPAINTING = Task("AutoPipelineForInpainting", "InpaintPipeline", "inpainting")
# This one asks the transformer's config for what it has not.
_BROKEN = ("ChromaInpaintPipeline",)


def relative(pipe: Pipeline, task: Task, **extra: Any) -> Any:
    """A pipeline of another task with the same models, and as loud.

    Args:
        extra: models that it has besides, such as ControlNets.

    Raises:
        ValueError: see `class_for`.
    """
    import diffusers

    if hasattr(pipe, "transformer"):
        kind = class_for(type(pipe), task)
        # Not by `from_pipe`, which casts the models, and so the given pipeline's, to float32.
        found = kind(**{name: part for name, part in pipe.components.items() if part is not None})
    else:
        found = getattr(diffusers, task.auto).from_pipe(pipe, **extra)
    found.set_progress_bar_config(**getattr(pipe, "_progress_bar_config", {}))
    return found


def class_for(kind: type, task: Task) -> Any:
    """Diffusers' class for a task, of the family of a class of text-to-image pipelines with a transformer.

    Raises:
        ValueError: there is none that takes a strength.
    """
    import diffusers

    # By name, since diffusers' tables of them leave Chroma's out and have others that take no strength.
    name = kind.__name__.removesuffix("Pipeline") + task.suffix
    found = getattr(diffusers, name, None)
    if found is None or name in _BROKEN:
        raise ValueError(
            f"{kind.__name__} draws from a prompt alone: diffusers has no {task.words} pipeline for it that FouriScale "
            "could use; leave out the picture to start from, the mask or the cascade"
        )
    return found
