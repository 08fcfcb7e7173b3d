"""An audit in its folder: every picture of the plan, each piece once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from pydantic import ValidationError

from picturelab.failures import reason, told_as
from picturelab.pipeline import Pipeline
from picturelab.runs.folder import OnProgress
from picturelab.runs.places import check_folder, free_places, is_whole

from ..families.registry import family_of
from ..interventions.attention import attention_to_padding
from ..interventions.encoding import call_options
from ..interventions.ite import token_roles
from ..interventions.lengths import TimedLength, candidates, time_lengths
from ..maths.attention import AttentionShares
from ..recipe import RECIPE
from .arms import Work
from .folder import (
    ATTENTION,
    AuditPictures,
    LengthNotes,
    PieceNotes,
    TimedPrompt,
    picture_name,
    read_notes,
    run_folder,
)
from .intention import intention
from .painter import Painter
from .plan import Piece, make_plan, pieces_of
from .prompts import Judge
from .recipe import AuditRecipe, machine_of
from .results import results
from .scores import score
from .settings import AuditSettings

if TYPE_CHECKING:
    from .clip import Clip

_TIMED, _ROUNDS = 20.0, 5  # seconds and rounds at most in which the lengths of a text are timed
_TRIED = 8  # prompts, before what the pipeline refuses is taken for no prompt's fault
PACKAGES = ("torch", "diffusers", "transformers", "torchmetrics", "numpy")


class Audit:
    """One audit in one folder: `paint`, then `results`.

    Args:
        judge: figures of a picture that some ground truth gives, by the prompt's position.

    Raises:
        ValueError: the pipeline hands its denoiser no padding, or the prompts leave none, see `make_plan`.
    """

    def __init__(
        self, pipe: Pipeline, settings: AuditSettings, folder: Path, judge: Judge | None = None
    ) -> None:
        self.pipe, self.settings, self.judge = pipe, settings, judge
        self.plan = make_plan(pipe, settings)
        self.run_folder = run_folder(folder)
        self.versions = {name: version(name) for name in PACKAGES}
        self.painter = Painter(pipe, settings.call, settings.clean, settings.pooled, settings.batch)

    def paint(
        self, progress: OnProgress | None = None, announce: Callable[[str], None] | None = None
    ) -> None:
        """Make every picture that is not there yet.

        Args:
            announce: told in a sentence what will be made, once nothing can be refused any more.

        Raises:
            ValueError: the folder holds an audit with other settings or versions.
        """
        folder = self.run_folder.folder
        check_folder(folder)
        record = self._record()
        new = not folder.exists() or not any(folder.iterdir())
        if new:
            self._warm_up()  # what the pipeline refuses leaves no folder
        with told_as(f"{folder} cannot be written", OSError):
            self.run_folder.begin(record)
        free_places(folder)
        pieces = pieces_of(self.plan, self.settings)
        todo = [piece for piece in pieces if not self._is_done(piece)]
        if not new and any(piece.work and piece.work.kind == "plain" for piece in todo):
            self._warm_up()
        if announce:
            announce(intention(self.plan, self.settings, folder))
        total = _count(pieces)
        done = total - _count(todo)
        for piece in todo:
            if progress:
                progress("pictures", done, total)
            self._finish(piece)
            done += piece.pictures
        if progress:
            progress("pictures", total, total)

    @property
    def pictures(self) -> AuditPictures:
        """What the figures are computed from; some of it is missing until `paint` has come to its end."""
        return AuditPictures(
            self.settings, self.plan, self.run_folder, self.judge, self._machine(), self.versions
        )

    def results(self, clip: Clip, progress: OnProgress | None = None) -> dict[str, Any]:
        """The content of report.json, see `padtone.audit.results.results`."""
        return results(self.pictures, score(self.pictures, clip, progress))

    def timed_lengths(self, tokens_kept: int) -> TimedPrompt:
        """The typical prompt's text timed whole and trimmed to lengths from `tokens_kept` on, once in a folder."""
        key = f"lengths keep {tokens_kept}"
        try:
            return TimedPrompt.model_validate(self.run_folder.piece(key))
        except ValidationError:  # there is none, or it is damaged
            pass
        plan, call = self.plan, self.settings.call
        typical = next(i for i in plan.used if sum(plan.readings[i].padding) == plan.padding)
        prompt = self.settings.prompts[typical]
        entries = token_roles(self.pipe, prompt, **call_options(self.pipe, call))
        lengths = candidates(entries, tokens_kept, family_of(self.pipe).denoiser_masks)
        time_lengths(self.pipe, prompt, lengths, _TIMED, call, _ROUNDS)
        timed = TimedPrompt(prompt=typical, lengths=[_notes_of(length, lengths[0]) for length in lengths])
        self.run_folder.finish(key, timed.model_dump(), {})
        return timed

    def recipe(self, work: Work, arm: str, seed: int) -> AuditRecipe:
        """What a picture carries: enough to make it again."""
        settings = self.settings
        return AuditRecipe(
            arm=arm,
            seed=seed,
            work=work,
            model=settings.model,
            revision=settings.revision,
            precision=settings.precision,
            call=settings.call,
            clean=settings.clean,
            pooled=settings.pooled,
            batch=settings.batch,
            versions=self.versions,
            machine=machine_of(self.pipe),
        )

    def _record(self) -> dict[str, Any]:
        """What the pictures depend on."""
        record = self.settings.model_dump() | {"versions": self.versions, "machine": self._machine()}
        del record["clip"]  # another one may look at the same pictures
        config = getattr(self.pipe.scheduler, "config", None)  # no weights, so no revision tells of it
        if config is not None:
            settings = {name: value for name, value in config.items() if not name.startswith("_")}
            record["scheduler"] = {"class": type(self.pipe.scheduler).__name__, **settings}
        return record

    def _is_done(self, piece: Piece) -> bool:
        """Its notes can be read, and its pictures are there, undamaged and its own."""
        notes = read_notes(self.run_folder, piece.key)
        if notes is None or not notes.are_of(piece):
            return False
        work = piece.work
        return work is None or all(
            is_whole(self._path(arm, piece, seed), RECIPE, self.recipe(work, arm, seed).model_dump())
            for arm in map(work.name, work.arms)
            if arm not in notes.left_out
            for seed in work.seeds
        )

    def _finish(self, piece: Piece) -> None:
        work = piece.work
        pictures: dict[str, tuple[Any, dict[str, Any]]] = {}
        try:
            if work is None:
                notes = self._look(piece)
            else:
                painted = self.painter.make(work)
                seconds = None if painted.seconds is None else round(painted.seconds, 6)
                notes = PieceNotes(seconds=seconds, left_out=painted.left_out)
                pictures = {
                    picture_name(arm, piece.prompt, seed): (image, self.recipe(work, arm, seed).model_dump())
                    for (arm, seed), image in painted.pictures.items()
                }
        except torch.OutOfMemoryError:
            raise ValueError(
                f"batch={self.settings.batch}: so many pictures at once do not fit into the device's memory; give a "
                "smaller batch and another folder"
            ) from None
        self.run_folder.finish(piece.key, notes.model_dump(exclude_defaults=True), pictures)

    def _look(self, piece: Piece) -> PieceNotes:
        """Measure one prompt's attention."""
        prompt = self.settings.prompts[piece.prompt]
        try:
            shares = attention_to_padding(self.pipe, prompt, seed=0, **self.settings.call)
            return PieceNotes(attention=plain_shares(shares))
        except ValueError as error:  # shares that are not finite, too
            return PieceNotes(left_out={ATTENTION: reason(error)})

    def _path(self, arm: str, piece: Piece, seed: int) -> Path:
        return self.run_folder.folder / "images" / picture_name(arm, piece.prompt, seed)

    def _warm_up(self) -> None:
        """Two steps, so that the first timed call does not pay for what happens once.

        Raises:
            ValueError: the pipeline refuses what it is called with, and not for one prompt's sake.
        """
        call = dict(self.settings.call)
        if "sigmas" not in call and "timesteps" not in call:
            call["num_inference_steps"] = 2
        painter = Painter(self.pipe, call, batch=self.settings.batch)
        refused: ValueError | None = None
        for i in self.plan.used[:_TRIED]:
            try:
                painter.plain(self.settings.prompts[i], range(self.settings.seeds))
                return
            except ValueError as error:
                refused = refused or error
        assert refused is not None  # a plan has two prompts or more
        raise refused

    def _machine(self) -> dict[str, Any]:
        return machine_of(self.pipe).model_dump()


def _count(pieces: Sequence[Piece]) -> int:
    """Their pictures; measuring attention makes none."""
    return sum(piece.pictures for piece in pieces)


def _notes_of(length: TimedLength, whole: TimedLength) -> LengthNotes:
    speed = length.speedup(whole)
    return LengthNotes(
        treatment=length.treatment,
        tokens_kept=length.tokens_kept,
        rows=length.rows,
        seconds=round(length.median, 6),
        speedup=round(speed.median, 6),
        speedup_range=[round(speed.low, 6), round(speed.high, 6)],
    )


def plain_shares(shares: AttentionShares) -> dict[str, Any]:
    """Attention as plain numbers: per group, a table of (layers, steps), averaged over heads.

    Raises:
        ValueError: one is not finite.
    """
    tables = {}
    for place, group in enumerate(shares.groups):
        layers = [layer[:, :, place].mean(1).tolist() for layer in shares.layers]
        if not all(math.isfinite(share) for layer in layers for share in layer):
            raise ValueError(f"the attention to {group} holds numbers that are not finite")
        if any(map(any, layers)):
            tables[group] = [[round(share, 6) for share in layer] for layer in layers]
    return tables
