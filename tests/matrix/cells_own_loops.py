"""UNets without a pipeline, two at once, threads."""

from concurrent.futures import ThreadPoolExecutor

import diffusers
import numpy as np
import torch

from fouriscale import apply_fouriscale, fouriscale, remove_fouriscale
from fouriscale.hooks.patch import current_state
from tests.matrix.cell import Setting, cell
from tests.matrix.cells_adapters import encoded
from tests.tiny import unet_pipelines as models
from tests.tiny.unet_pipelines import CONFIG, call

GROUP = "Loops of your own"
OTHER = CONFIG.replace(stop=1.0, anneal=False, third_branch=False)


def conditions(pipe, family, seed):
    """What a loop of one's own gives the UNet: [unconditional, conditional]."""
    generator = torch.Generator().manual_seed(seed)
    given = {"encoder_hidden_states": torch.randn(2, 77, 32, generator=generator)}
    if family == "XL":
        given["added_cond_kwargs"] = {
            "text_embeds": torch.randn(2, 16, generator=generator),
            "time_ids": torch.tensor([[256.0, 256, 0, 0, 256, 256]]).repeat(2, 1),
        }
    return given


@torch.no_grad()
def loop(unet, scheduler, given, guided=True, steps=4):
    """A plain sampling loop; latents (1, 4, 32, 32)."""
    if not guided:
        given = {
            k: {n: t[1:] for n, t in v.items()} if isinstance(v, dict) else v[1:] for k, v in given.items()
        }
    scheduler.set_timesteps(steps)
    latents = torch.randn(1, 4, 32, 32, generator=torch.Generator().manual_seed(0))
    for t in scheduler.timesteps:
        noise = unet(torch.cat([latents] * (2 if guided else 1)), t, **given)[0]
        if guided:
            unconditional, conditional = noise.chunk(2)
            noise = unconditional + 5.0 * (conditional - unconditional)
        latents = scheduler.step(noise, t, latents).prev_sample
    return latents


class Applied:
    """Stands for a UNet with its scheduler, so that `check` applies to it as to a pipeline."""

    def __init__(self, unet, scheduler):
        self.unet, self.scheduler, self.vae_scale_factor = unet, scheduler, 8


def _bare(label, guided):
    @cell(GROUP, label)
    def bare(family):
        unet, scheduler = models.unet(family), models.scheduler()
        given = conditions(None, family, 1)
        return Setting(
            unet,
            lambda: loop(unet, scheduler, given, guided),
            guided,
            running=Applied(unet, scheduler),
            apply={"scheduler": scheduler, "vae_scale_factor": 8, "guided": guided},
        )


_bare("bare UNet and scheduler, with guidance", True)
_bare("bare UNet and scheduler, without guidance", False)


@cell(GROUP, "bare UNet whose pipeline samples too")
def bare_and_pipeline(family):
    pipe = models.pipeline(family)
    other = diffusers.EulerDiscreteScheduler.from_config(pipe.scheduler.config)
    other.set_timesteps(7)
    return Setting(
        pipe.unet,
        lambda: pipe(**call()).images,
        running=pipe,
        apply={"scheduler": other, "vae_scale_factor": 4},
    )


@cell(
    GROUP,
    "bare UNet without a scheduler",
    refused=r"scheduler=None: a UNet without pipeline needs the scheduler",
)
def bare_without_scheduler(family):
    return Setting(models.unet(family), run=None)


@cell(GROUP, "two UNets at once, each with a config of its own")
def two_unets(family):
    first, second = models.pipeline(family), models.pipeline(family, unet=models.unet(family, seed=9))
    apply_fouriscale(second, OTHER)

    def run():
        return np.concatenate([first(**call()).images, second(**call()).images])

    def expected(config):
        with fouriscale(first, config):
            one = first(**call()).images
        return np.concatenate([one, second(**call()).images])

    setting = Setting(first, run, expected=expected, equals="one after the other", tolerance=0)
    setting.undo.callback(remove_fouriscale, second)
    return setting


@cell(GROUP, "one UNet in two threads, sizes and schedules of their own")
def threads(family):
    """Twice as many runs as threads, so that calls interleave in many ways."""
    unet = models.unet(family)
    jobs = [({"seed": 1}, 4), ({"seed": 2, "guidance": 1.0, "width": 192}, 7)] * 2

    first = models.pipeline(family, unet=unet)
    prompt = encoded(first, family)  # transformers' text encoders are not made for several threads

    def sample(job):
        changes, steps = job
        # A scheduler counts its steps, so a thread needs its own, as with diffusers alone.
        pipe = models.pipeline(family, unet=unet)
        if (state := current_state(first)) is not None:  # settings belong to a pipeline
            apply_fouriscale(pipe, state.config)
        images = pipe(**call(steps=steps, **prompt, **changes)).images.ravel()
        remove_fouriscale(pipe)
        return images

    def together():
        with ThreadPoolExecutor(2) as pool:
            return np.concatenate(list(pool.map(sample, jobs)))

    def alone(_):
        return np.concatenate([sample(job) for job in jobs])

    return Setting(first, together, expected=alone, equals="one after the other", tolerance=0)
