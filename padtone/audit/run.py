"""An audit in its folder: every picture of the plan, each piece once."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from picturelab.pipeline import Pipeline
from picturelab.runs.folder import OnProgress

from ..interventions.attention import attention_to_padding
from ..maths.attention import AttentionShares
from .arms import Painter, Work
from .folder import AuditPictures, picture_name, run_folder
from .plan import Piece, make_plan, pieces_of
from .prompts import Judge
from .recipe import AuditRecipe, machine_of
from .results import results
from .scores import score
from .settings import AuditSettings

if TYPE_CHECKING:
    from .clip import Clip

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

    def paint(self, progress: OnProgress | None = None) -> None:
        """Make every picture that is not there yet.

        Raises:
            ValueError: the folder holds an audit with other settings or versions.
        """
        record = self.settings.model_dump() | {"versions": self.versions, "machine": self._machine()}
        del record["clip"]  # another one may look at the same pictures
        self.run_folder.begin(record)
        pieces = pieces_of(self.plan, self.settings)
        todo = [piece for piece in pieces if self.run_folder.piece(piece.key) is None]
        if any(piece.work and piece.work.kind == "plain" for piece in todo):
            self._warm_up()
        for i, piece in enumerate(todo):
            if progress:
                progress("pictures", len(pieces) - len(todo) + i, len(pieces))
            self._finish(piece)
        if progress:
            progress("pictures", len(pieces), len(pieces))

    @property
    def pictures(self) -> AuditPictures:
        """What the figures are computed from; some of it is missing until `paint` has come to its end."""
        return AuditPictures(
            self.settings, self.plan, self.run_folder, self.judge, self._machine(), self.versions
        )

    def results(self, clip: Clip, progress: OnProgress | None = None) -> dict[str, Any]:
        """The content of report.json, see `padtone.audit.results.results`."""
        return results(self.pictures, score(self.pictures, clip, progress))

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

    def _finish(self, piece: Piece) -> None:
        work = piece.work
        if work is None:
            prompt = self.settings.prompts[piece.prompt]
            shares = attention_to_padding(self.pipe, prompt, seed=0, **self.settings.call)
            self.run_folder.finish(piece.key, {"attention": plain_shares(shares)}, {})
            return
        images, seconds = self.painter.make(work)
        pictures = {
            picture_name(arm, piece.prompt, seed): (image, self.recipe(work, arm, seed).model_dump())
            for (arm, seed), image in images.items()
        }
        self.run_folder.finish(piece.key, {"seconds": round(seconds, 6)}, pictures)

    def _warm_up(self) -> None:
        """Two steps, so that the first timed call does not pay for what happens once."""
        call = dict(self.settings.call)
        if "sigmas" not in call and "timesteps" not in call:
            call["num_inference_steps"] = 2
        painter = Painter(self.pipe, call, batch=self.settings.batch)
        painter.plain(self.settings.prompts[self.plan.used[0]], range(self.settings.seeds))

    def _machine(self) -> dict[str, Any]:
        return machine_of(self.pipe).model_dump()


def plain_shares(shares: AttentionShares) -> dict[str, Any]:
    """Attention as plain numbers: per group, a table of (layers, steps), averaged over heads."""
    tables = {}
    for place, group in enumerate(shares.groups):
        layers = [layer[:, :, place].mean(1).tolist() for layer in shares.layers]
        if any(map(any, layers)):
            tables[group] = [[round(share, 6) for share in layer] for layer in layers]
    return tables
