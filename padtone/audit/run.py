"""Are a model's padding tokens used, and how many can go? Plan, pictures, figures, report."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from picturelab.runs.folder import OnProgress, RunFolder

from ..families.registry import family_of
from ..interventions.arguments import check_choices
from ..interventions.attention import AttentionShares, attention_to_padding
from ..reports.grid import RECIPE
from .arms import IDP_ARMS, ITE_ARMS, Painter, Reading, Work, keep_arm, partner, read_prompt

if TYPE_CHECKING:
    from PIL import Image

    from .clip import Clip

PACKAGES = ("torch", "diffusers", "transformers", "torchmetrics", "numpy")
FEWEST_PADDING = 5  # tokens; below, a fifth of the padding is empty
Judge = Callable[["Image.Image", int], dict[str, float]]


def store(folder: Path) -> RunFolder:
    """An audit's folder."""
    return RunFolder(folder, "an audit", RECIPE)


@dataclass(frozen=True)
class AuditSettings:
    """What an audit is run with; it is stored, and the same audit can only go on with the same.

    Attributes:
        model, clip: names for the report; loading is the caller's affair.
        prompts: all different.
        kinds: a kind for each prompt; empty: none.
        seeds: pictures per prompt and arm; seeds 0, 1, ...
        call: arguments for the pipeline's call.
        clean, pooled: see `padtone.encode`.
        batch: most pictures in one call of the pipeline.
        keeps: numbers of padding tokens for the keep-k curve; empty: 0, 1, 2, 4 ...
        looks: prompts whose attention is measured.
        precision, revision: what the model was loaded in, and which state of it, for the record.
    """

    model: str
    clip: str
    prompts: tuple[str, ...]
    kinds: tuple[str, ...] = ()
    seeds: int = 2
    call: dict[str, Any] = field(default_factory=dict)
    clean: str = "padding"
    pooled: str = "full"
    batch: int = 4
    keeps: tuple[int, ...] = ()
    looks: int = 4
    precision: str = "float32"
    revision: str | None = None

    def __post_init__(self) -> None:
        if self.seeds < 2:
            raise ValueError(
                f"seeds is {self.seeds}; 2 or more are needed, for their difference is the yardstick"
            )
        if len(set(self.prompts)) != len(self.prompts) or len(self.prompts) < 2:
            raise ValueError(f"an audit needs two or more prompts, all different; got {len(self.prompts)}")
        if self.kinds and len(self.kinds) != len(self.prompts):
            raise ValueError(f"there are {len(self.kinds)} kinds for {len(self.prompts)} prompts")
        if self.batch < 1 or self.looks < 1:
            raise ValueError(f"batch is {self.batch} and looks is {self.looks}; both are 1 or more")
        check_choices(self.clean, self.pooled)
        if any(k < 0 for k in self.keeps):
            raise ValueError(f"keeps is {list(self.keeps)}; numbers of padding tokens are 0 or more")


@dataclass(frozen=True)
class AuditPlan:
    """What an audit will make.

    Attributes:
        used: positions of the prompts that leave enough padding; the others are left out.
        keeps: numbers of padding tokens to keep, below what most prompts have.
        ite, idp: arms; idp is empty where it says nothing that ITE doesn't.
        notes: what was left out and why, sentences.
    """

    readings: tuple[Reading, ...]
    used: tuple[int, ...]
    keeps: tuple[int, ...]
    ite: tuple[str, ...]
    idp: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def padding(self) -> int:
        """Padding tokens of the typical prompt (the median)."""
        return statistics.median_low(sum(self.readings[i].padding) for i in self.used)

    def dropped(self, keep: int) -> int:
        """Padding tokens that go for the typical prompt when each encoder keeps `keep`."""
        return statistics.median_low(self.readings[i].dropped(keep) for i in self.used)


def make_plan(pipe: Any, settings: AuditSettings) -> AuditPlan:
    """Read the prompts and decide what can be asked of this pipeline.

    Raises:
        ValueError: the pipeline is unknown, hands its denoiser no padding, or the prompts leave none.
    """
    family = family_of(pipe)
    if not family.pads:
        raise ValueError(
            f"{family.title} hands the denoiser no padding, so there is none to audit: {family.note}"
        )
    readings = tuple(read_prompt(pipe, prompt, settings.call) for prompt in settings.prompts)
    used = tuple(i for i, r in enumerate(readings) if r.longest >= FEWEST_PADDING)
    if len(used) < 2:
        most = max(r.longest for r in readings)
        raise ValueError(
            f"an audit needs two prompts that leave {FEWEST_PADDING} padding tokens or more; "
            f"here at most {most} are left: {family.note}"
        )
    notes = []
    if len(used) < len(readings):
        notes.append(
            f"{len(readings) - len(used)} of {len(readings)} prompts leave fewer than {FEWEST_PADDING} "
            "padding tokens and were left out."
        )
    ite, idp = ITE_ARMS, IDP_ARMS if family.joint and not family.denoiser_masks else ()
    if not all(readings[i].eos for i in used):
        ite, idp = (tuple(arm for arm in arms if arm != "eos") for arms in (ite, idp))
        notes.append("The text has no end token, so the arm that keeps it alone was left out.")
    if not family.joint:
        notes.append(
            "The denoiser reads the text by cross-attention and never changes it, so swapping rows inside "
            "it (IDP) is the same as swapping them before it (ITE): only ITE was run."
        )
    elif family.denoiser_masks:
        notes.append("The denoiser masks padding by itself, so IDP has nothing to swap: only ITE was run.")
    typical = statistics.median_low(readings[i].longest for i in used)
    keeps = settings.keeps or (0, *(2**n for n in range(typical.bit_length())))
    return AuditPlan(readings, used, tuple(sorted({k for k in keeps if k < typical})), ite, idp, tuple(notes))


@dataclass(frozen=True)
class Piece:
    """One unit of work: its name, the prompt's position, and what to make; None: measure the attention."""

    key: str
    prompt: int
    work: Work | None


class Audit:
    """One audit in one folder: `paint`, then `results`.

    Args:
        judge: figures of a picture that some ground truth gives, by the prompt's position.
    """

    def __init__(self, pipe: Any, settings: AuditSettings, folder: Path, judge: Judge | None = None) -> None:
        self.pipe, self.settings, self.judge = pipe, settings, judge
        self.plan = make_plan(pipe, settings)
        self.store = store(folder)
        self.versions = {name: version(name) for name in PACKAGES}
        self.painter = Painter(pipe, settings.call, settings.clean, settings.pooled, settings.batch)

    def paint(self, progress: OnProgress | None = None) -> None:
        """Make every picture that is not there yet.

        Raises:
            ValueError: the folder holds an audit with other settings or versions.
        """
        given = asdict(self.settings) | {"versions": self.versions, "machine": machine(self.pipe)}
        del given["clip"]  # another one may look at the same pictures
        self.store.begin(given)
        pieces = self.pieces()
        todo = [piece for piece in pieces if self.store.piece(piece.key) is None]
        if any(piece.work and piece.work.kind == "plain" for piece in todo):
            self._warm_up()
        for i, piece in enumerate(todo):
            if progress:
                progress("pictures", len(pieces) - len(todo) + i, len(pieces))
            self._finish(piece)
        if progress:
            progress("pictures", len(pieces), len(pieces))

    def pieces(self) -> list[Piece]:
        """All units of work, in order. They don't depend on one another.

        All numbers of kept tokens of a prompt follow each other, so that a busy machine slows all alike.
        """
        made: list[Piece] = []
        seeds = tuple(range(self.settings.seeds))
        for i in self.plan.used:
            prompt, other = self.settings.prompts[i], self.settings.prompts[self.partner(i)]
            work = [Work("plain", prompt, seeds, (keep_arm(k),)) for k in (None, *self.plan.keeps)]
            for seed in seeds:
                work.append(Work("ite", prompt, (seed,), self.plan.ite, other, f"{i}"))
                if self.plan.idp:
                    work.append(Work("idp", prompt, (seed,), self.plan.idp, salt=f"{i}"))
            made += [Piece(f"p{i:03} {piece_name(w)}", i, w) for w in work]
        looks = self.plan.used[: self.settings.looks]
        return made + [Piece(f"p{i:03} attention", i, None) for i in looks]

    def results(self, clip: Clip, progress: OnProgress | None = None) -> dict[str, Any]:
        """The content of report.json, see `padtone.audit.results.results`."""
        from .results import results

        return results(self, clip, progress)

    def partner(self, i: int) -> int:
        """Position of the prompt that lends `i` its padding."""
        used = self.plan.used
        return used[partner([self.plan.readings[j] for j in used], used.index(i))]

    def _finish(self, piece: Piece) -> None:
        work = piece.work
        if work is None:
            prompt = self.settings.prompts[piece.prompt]
            shares = attention_to_padding(self.pipe, prompt, seed=0, **self.settings.call)
            self.store.finish(piece.key, {"attention": plain_shares(shares)}, {})
            return
        made, seconds = self.painter.make(work)
        pictures = {}
        for (arm, seed), image in made.items():
            pictures[picture_name(arm, piece.prompt, seed)] = image, self.recipe(work, arm, seed)
        self.store.finish(piece.key, {"seconds": round(seconds, 6)}, pictures)

    def recipe(self, work: Work, arm: str, seed: int) -> dict[str, Any]:
        """What a picture carries: enough to make it again."""
        settings = asdict(self.settings)
        kept = ("model", "revision", "precision", "call", "clean", "pooled", "batch")
        made = {"command": "audit", "arm": arm, "seed": seed, "work": asdict(work)}
        return (
            made
            | {name: settings[name] for name in kept}
            | {
                "versions": self.versions,
                "machine": machine(self.pipe),
            }
        )

    def _warm_up(self) -> None:
        """Two steps, so that the first timed call does not pay for what happens once."""
        call = dict(self.settings.call)
        if "sigmas" not in call and "timesteps" not in call:
            call["num_inference_steps"] = 2
        painter = Painter(self.pipe, call, batch=self.settings.batch)
        painter.plain(self.settings.prompts[self.plan.used[0]], range(self.settings.seeds))


def remake(pipe: Any, recipe: dict[str, Any]) -> Image.Image:
    """The picture of a recipe that an audit wrote, made in the same batch as then.

    Raises:
        ValueError: the recipe lacks an entry.
    """
    try:
        painter = Painter(pipe, recipe["call"], recipe["clean"], recipe["pooled"], recipe["batch"])
        work = recipe["work"] | {name: tuple(recipe["work"][name]) for name in ("seeds", "arms")}
        made, _ = painter.make(Work(**work))
        return made[recipe["arm"], recipe["seed"]]
    except (KeyError, TypeError) as error:
        raise ValueError(f"the recipe is no audit's: {error} is missing or wrong") from None


def piece_name(work: Work) -> str:
    return work.arms[0] if work.kind == "plain" else f"s{work.seeds[0]} {work.kind}"


def picture_name(arm: str, prompt: int, seed: int) -> str:
    return f"{arm.replace('/', ' of ').replace(' ', '-')}/p{prompt:03}-s{seed}.png"


def plain_shares(shares: AttentionShares) -> dict[str, Any]:
    """Attention as plain numbers: per group, a table of (layers, steps), averaged over heads."""
    tables = {}
    for place, group in enumerate(shares.groups):
        layers = [layer[:, :, place].mean(1).tolist() for layer in shares.layers]
        if any(map(any, layers)):
            tables[group] = [[round(share, 6) for share in layer] for layer in layers]
    return tables


def machine(pipe: Any) -> dict[str, Any]:
    """Where it runs: pixels and seconds depend on it."""
    device = pipe._execution_device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {"device": name, "threads": torch.get_num_threads()}
