"""Where settings are kept: a denoiser has all, each of its pipelines its own. They are put there, replaced, dropped."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ..maths.wrap import NOWHERE, Axes
from .applied import ATTRIBUTE, Applied
from .attachment import Attachment
from .pipelines import OwnLoop, bare_unet, denoiser_of, unet_of
from .rotary_attachment import RotaryAttachment


def settings_of(pipe: Any) -> list[Any]:
    """Those that a pipeline could follow, or all of a UNet's; the first is the one that counts."""
    denoiser = denoiser_of(pipe)
    attachment: Any = getattr(denoiser, ATTRIBUTE, None)
    if bare_unet(pipe) is denoiser:
        return list(attachment.entries[::-1]) if attachment else []
    own: Any = vars(pipe).get(ATTRIBUTE)  # perhaps on a denoiser that the pipeline had before
    followed = attachment.followed(pipe) if attachment else []
    return followed if own is None or own in followed else [own, *followed]


def own_wrap(pipe: Any) -> Axes:
    """The axes that `apply_wrap` was given for the settings that count."""
    return next((entry.own_wrap for entry in settings_of(pipe)), NOWHERE)


def host_of(entry: Any) -> Any:
    """What `apply_fouriscale` or `apply_wrap` was given."""
    return entry.denoiser if isinstance(entry.pipe, OwnLoop) else entry.pipe


def put(entry: Any) -> None:
    """Let settings hold, in place of those that the pipeline had, or for a UNet of all; wrapping alone leaves the
    pipelines theirs."""
    kind = Attachment if isinstance(entry, Applied) else RotaryAttachment
    attachment: Any = getattr(entry.denoiser, ATTRIBUTE, None) or kind(entry.denoiser)
    host = host_of(entry)
    earlier = [vars(host).get(ATTRIBUTE)]
    if host is entry.denoiser:
        earlier = [one for one in settings_of(host) if entry.config or isinstance(one.pipe, OwnLoop)]
    attachment.put(entry)  # may refuse; then nothing has changed
    entry.wrap_parts()
    for other in earlier:
        if other is not None:
            drop(other)
    if isinstance(entry, Applied):
        entry.follow_the_unet(_move)
    else:
        entry.follow_the_pipeline()
    if host is not entry.denoiser:
        vars(host)[ATTRIBUTE] = entry


def drop(entry: Any) -> None:
    attachment: Any = getattr(entry.denoiser, ATTRIBUTE, None)
    if attachment is not None:
        attachment.drop(entry)
    entry.close()
    host = host_of(entry)
    if vars(host).get(ATTRIBUTE) is entry:
        del vars(host)[ATTRIBUTE]


def put_anew(entry: Any, config: Any, own_wrap: Axes = NOWHERE) -> None:
    """Let other settings hold in place of these."""
    put(type(entry)(entry.pipe, entry.denoiser, config, own_wrap))


@contextlib.contextmanager
def kept(pipe: Any) -> Iterator[None]:
    """What is applied inside the block goes at its end, and what was there before is there again."""

    def own() -> list[Any]:
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
