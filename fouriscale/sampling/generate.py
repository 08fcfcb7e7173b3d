"""Make pictures with a loaded pipeline: its own call, one generator a picture, and a recipe for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from picturelab.bounds import check
from picturelab.models import origin
from picturelab.pipeline import Pipeline
from picturelab.recipes import versions
from picturelab.reports.grid import labelled_row
from picturelab.text_lengths import encoded_as

from ..config_kinds import Config, config_of
from ..hooks.patch import current_state
from ..hooks.pipelines import denoiser_of
from ..maths.sizes import SIZE_MULTIPLE, check_size
from ..presets import TRANSFORMER, UNET
from . import recipe as recipes
from . import transformers
from .cascade import Cascade, config_for_run
from .cascade_checks import check_cascade
from .fitting import check_fits
from .images import Order, sample_alone, sample_together
from .inputs import Inputs
from .prompts import Texts
from .run import OnLatents, OnStep
from .schedulers import recorded_scheduler
from .wrapping import check_wrap

_USUAL_CASCADE = Cascade()


@dataclass(frozen=True)
class Picture:
    """An image and the recipe that makes it again."""

    image: Image.Image
    recipe: recipes.Recipe


def generate(
    pipe: Pipeline,
    prompt: str | Sequence[str],
    *,
    height: int,
    width: int,
    seed: int | Sequence[int] = 0,
    steps: int | None = None,
    guidance: float | None = None,
    negative_prompt: str | None = None,
    config: Config | None = None,
    inputs: Inputs | None = None,
    vae_tiling: bool | None = None,
    on_step: OnStep | None = None,
    on_latents: OnLatents | None = None,
    texts: Sequence[Texts] | None = None,
    cascade: Cascade | None = None,
) -> list[Picture]:
    """One picture a prompt, all in one batch; with a transformer each in a call of its own.

    Args:
        pipe: a text-to-image pipeline with a UNet or a transformer that FouriScale knows; left as it was.
        prompt: one or several.
        height, width: pixels.
        seed: of each picture's initial noise, which depends on nothing else; one for all or one each.
        steps, guidance: None takes `sampling_defaults`.
        negative_prompt: for all pictures.
        config: FouriScale's settings; None samples directly.
        inputs: a picture to start from, a mask; with a UNet also ControlNets and LoRAs.
        vae_tiling: whether the VAE decodes in tiles; None does where the decoder would not fit into memory.
        on_step, on_latents: called after every step; what they raise ends the run.
        texts: each prompt's encodings, from `prompts.encode` with this pipeline; None encodes them here.
        cascade: sample at the training size first, and finish that at `height` x `width`; up to a tenth beyond the
            training size there is nothing to finish, so that it is sampled once. None samples once.

    Raises:
        ValueError: a value is out of range, two of them do not go together, or FouriScale cannot be applied to the
            pipeline.
        TypeError: the config is for another kind of denoiser.
    """
    prompts = [prompt] if isinstance(prompt, str) else list(prompt)
    seeds = [seed] * len(prompts) if isinstance(seed, int) else list(seed)
    usual_steps, usual_guidance = sampling_defaults(pipe)
    steps = usual_steps if steps is None else steps
    guidance = usual_guidance if guidance is None else float(guidance)
    check_request(height, width, seeds, steps, guidance)
    inputs = inputs or Inputs()
    denoiser = TRANSFORMER if transformers.has_transformer(pipe) else UNET
    inputs.check_steps(steps, denoiser=denoiser)
    check_cascade(cascade, inputs, steps, direct=config is None, config=config, size=(height, width))
    if len(seeds) != len(prompts) or not prompts:
        raise ValueError(
            f"{len(prompts)} prompts and {len(seeds)} seeds: give at least one prompt and one seed each"
        )
    if config is None and current_state(pipe):
        raise ValueError(
            "FouriScale is applied to this pipeline: give its config, or call remove_fouriscale(pipe) first"
        )
    check_wrap(pipe, config, (height, width))
    check_fits(pipe, height, width, len(prompts))
    orders = [Order(*order) for order in zip(prompts, seeds, strict=True)]
    shared: dict[str, Any] = dict(
        size=(height, width), steps=steps, guidance=guidance, negative=negative_prompt, config=config,
        vae_tiling=vae_tiling, on_step=on_step, on_latents=on_latents, inputs=inputs, cascade=cascade,
    )  # fmt: skip
    if denoiser == TRANSFORMER:
        transformers.refuse(pipe, inputs, cascade, (height, width))
        made = sample_alone(pipe, orders, **shared)
    else:
        made = sample_together(pipe, orders, texts=texts, **shared)
    recorded = _shared_recipe(pipe) | dict(
        negative_prompt=negative_prompt,
        height=height,
        width=width,
        steps=steps,
        guidance=guidance,
        config=None if config is None else config.resolved().to_dict(),
        batch_size=made.batch_size,
        vae_tiling=made.vae_tiling,
        inputs=made.inputs,
        cascade=None if made.cascade is None else made.cascade.model_dump(),
    )
    return [
        Picture(
            image,
            recipes.Recipe(prompt=order.prompt, seed=order.seed, batch_index=i % made.batch_size, **recorded),
        )
        for i, (image, order) in enumerate(zip(made.images, orders, strict=True))
    ]


def compare(pipe: Pipeline, prompt: str, *, config: Config, **settings: Any) -> Picture:
    """One prompt sampled directly and with FouriScale, side by side in one labelled picture.

    Takes and raises what `generate` does; `cascade` is for FouriScale's.
    """
    # FouriScale first: a config that does not fit the model shows before the time is spent.
    (scaled,) = generate(pipe, prompt, config=config, **settings)
    (direct,) = generate(pipe, prompt, config=None, **settings | {"cascade": None})
    image = labelled_row([("direct", direct.image), ("FouriScale", scaled.image)])
    return Picture(image, scaled.recipe.model_copy(update={"compare": True}))


def cascade(
    pipe: Pipeline,
    prompt: str | Sequence[str],
    *,
    height: int,
    width: int,
    strength: float = _USUAL_CASCADE.strength,
    upsampling: str = _USUAL_CASCADE.upsampling,
    config: Config | None = None,
    **settings: Any,
) -> list[Picture]:
    """One picture a prompt, sampled at the training size, enlarged bicubically and finished with FouriScale.

    Args:
        pipe: a text-to-image pipeline with a UNet, or with a transformer that diffusers has image to image for; left
            as it was.
        prompt: one or several.
        height, width: of the finished pictures, in pixels.
        strength: how much of the run is sampled at that size, in (0, 1], as in image to image.
        upsampling: what is enlarged, the first pictures' "pixels" or, with a UNet, their "latents".
        config: what they are finished with; None takes what is applied to the pipeline, or else its preset, a UNet's
            in fast mode.
        settings: more that `generate` takes, such as `seed`, `steps` and `guidance`.

    Raises:
        ValueError: see `generate`.
    """
    parts, applied = Cascade(strength=strength, upsampling=upsampling), current_state(pipe)
    chosen = config or (applied.config if applied else config_for_run(denoiser_of(pipe), parts))
    return generate(pipe, prompt, height=height, width=width, config=chosen, cascade=parts, **settings)


def remake(pipe: Pipeline, recipe: recipes.Recipe, on_step: OnStep | None = None) -> Image.Image:
    """The picture of a recipe once more. Sets torch's thread count to the recorded one.

    Args:
        pipe: the recipe's model, on its device and in its dtype; its scheduler is replaced.
        recipe: from `Recipe.parse(read(path))`.
        on_step: called after every step.

    Raises:
        ValueError: the recipe's values are out of range, or a file that it names has changed or gone.
    """
    torch.set_num_threads(recipe.threads)
    pipe.scheduler = recorded_scheduler(recipe.scheduler, recipe.steps)
    config = None if recipe.config is None else config_of(recipe.config)
    settings: dict[str, Any] = dict(
        height=recipe.height,
        width=recipe.width,
        seed=recipe.seed,
        steps=recipe.steps,
        guidance=recipe.guidance,
        negative_prompt=recipe.negative_prompt,
        inputs=Inputs.from_recorded(recipe.inputs),
        vae_tiling=recipe.vae_tiling,
        on_step=on_step,
        cascade=None if recipe.cascade is None else Cascade(**recipe.cascade),
    )
    if recipe.compare and config is not None:
        return compare(pipe, recipe.prompt, config=config, **settings).image
    # Its neighbours in the batch do not matter, their number does.
    with encoded_as(pipe, recipe.encoding):
        batch = generate(pipe, [recipe.prompt] * recipe.batch_size, config=config, **settings)
    return batch[recipe.batch_index].image


def check_request(height: int, width: int, seeds: Sequence[int], steps: int, guidance: float) -> None:
    """Refuse what no pipeline could sample, before anything is loaded.

    Raises:
        ValueError: a value is out of range.
    """
    check_size(height, width, SIZE_MULTIPLE)
    check("height", height)
    check("width", width)
    for seed in seeds:
        check("seed", seed)
    check("batch", len(seeds))
    check("steps", steps)
    check("guidance", guidance)


def sampling_defaults(pipe: Pipeline) -> tuple[int, float]:
    """Steps and guidance: those that the model's folder names, and else the pipeline's own."""
    return transformers.usual_settings(type(pipe), transformers.config_of_denoiser(pipe), origin(pipe).model)


def _shared_recipe(pipe: Pipeline) -> dict[str, Any]:
    where, denoiser = origin(pipe), denoiser_of(pipe)
    settings = {k: v for k, v in pipe.scheduler.config.items() if not k.startswith("_")}
    return dict(
        model=where.model,
        revision=where.revision,
        scheduler={"class": type(pipe.scheduler).__name__, "config": settings},
        threads=torch.get_num_threads(),
        dtype=str(denoiser.dtype).removeprefix("torch."),
        device=str(pipe.device),
        versions=versions(),
    )
