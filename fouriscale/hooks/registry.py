"""Where settings are kept: a UNet has all, each of its pipelines its own. They are put there, replaced, and dropped."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from diffusers import UNet2DConditionModel

from picturelab.pipeline import UNetPipeline

from ..maths.wrap import NOWHERE, Axes
from .applied import ATTRIBUTE, Applied
from .attachment import Attachment
from .pipelines import OwnLoop, bare_unet, unet_of


def settings_of(pipe: UNetPipeline | UNet2DConditionModel) -> list[Applied]:
    """Those that a pipeline could follow, or all of a UNet's; the first is the one that counts."""
    unet = unet_of(pipe)
    attachment: Attachment | None = getattr(unet, ATTRIBUTE, None)
    if bare_unet(pipe) is unet:
        return attachment.entries[::-1] if attachment else []
    own: Applied | None = vars(pipe).get(ATTRIBUTE)  # perhaps on a UNet that the pipeline had before
    followed = attachment.followed(pipe) if attachment else []
    return followed if own is None or own in followed else [own, *followed]


def own_wrap(pipe: UNetPipeline | UNet2DConditionModel) -> Axes:
    """The axes that `apply_wrap` was given for the settings that count."""
    return next((entry.own_wrap for entry in settings_of(pipe)), NOWHERE)


def host_of(entry: Applied) -> Any:
    """What `apply_fouriscale` or `apply_wrap` was given."""
    return entry.unet if isinstance(entry.pipe, OwnLoop) else entry.pipe


def put(entry: Applied) -> None:
    """Let settings hold, in place of those that the pipeline had, or for a UNet of all; wrapping alone leaves the
    pipelines theirs."""
    attachment: Attachment = getattr(entry.unet, ATTRIBUTE, None) or Attachment(entry.unet)
    host = host_of(entry)
    earlier = [vars(host).get(ATTRIBUTE)]
    if host is entry.unet:
        earlier = [one for one in settings_of(host) if entry.config or isinstance(one.pipe, OwnLoop)]
    attachment.put(entry)  # may refuse; then nothing has changed
    entry.wrap_parts()
    for other in earlier:
        if other is not None:
            drop(other)
    if host is not entry.unet:
        entry.follow_the_unet(_move)
        vars(host)[ATTRIBUTE] = entry


def drop(entry: Applied) -> None:
    attachment: Attachment | None = getattr(entry.unet, ATTRIBUTE, None)
    if attachment is not None:
        attachment.drop(entry)
    entry.close()
    host = host_of(entry)
    if vars(host).get(ATTRIBUTE) is entry:
        del vars(host)[ATTRIBUTE]


@contextlib.contextmanager
def kept(pipe: UNetPipeline | UNet2DConditionModel) -> Iterator[None]:
    """What is applied inside the block goes at its end, and what was there before is there again."""

    def own() -> list[Applied]:
        return [entry for entry in settings_of(pipe) if host_of(entry) is bare_unet(pipe)]

    before = own()
    try:
        yield
    finally:
        if own() != before:  # where it was refused, nothing has changed
            for entry in own():
                drop(entry)
            for entry in before:
                put(entry)


def _move(entry: Applied) -> None:
    """The pipeline has been given another UNet: its settings go along."""
    put(Applied(entry.pipe, unet_of(entry.pipe), entry.config, entry.own_wrap))
