"""Samplers: every scheduler that SDXL's pipeline works with, odd schedules, guidance of every kind."""

import functools

import diffusers
import numpy as np

from fouriscale import fouriscale
from tests.matrix.cell import Setting, cell, configured
from tests.tiny import unet_pipelines as models
from tests.tiny.unet_pipelines import call

GROUP = "Samplers"
STEPS = (4, 10, 30)


def names():
    """As the pipeline's scheduler lists them."""
    return sorted({kind.__name__ for kind in models.scheduler().compatibles})


def with_scheduler(family, name, **settings):
    pipe = models.pipeline(family)
    kind = getattr(diffusers, name)
    if name == "EDMEulerScheduler":  # has sigmas and no betas
        pipe.scheduler = kind()
    else:
        if name == "DPMSolverSDEScheduler":
            settings["noise_sampler_seed"] = 0  # it does not ask the generator
        pipe.scheduler = kind.from_config(models.scheduler().config, **settings)
    return pipe


def at_steps(pipe, counts, guided=True, **changes):
    """One array of the images at each step count, 256 x 128 pixels to save time."""

    def run():
        return np.concatenate([pipe(**call(steps=n, height=128, **changes)).images for n in counts])

    return Setting(pipe, run, guided)


def _listed(name):
    @cell(GROUP, f"{name}, {', '.join(map(str, STEPS))} steps", ["XL"])
    def sampler(family):
        return at_steps(with_scheduler(family, name), STEPS)


for _name in names():
    _listed(_name)


def _few_steps(label, name, **settings):
    @cell(GROUP, f"{label}: {name}, 1, 2, 4, 8 steps, no guidance")
    def few(family):
        return at_steps(with_scheduler(family, name, **settings), (1, 2, 4, 8), guided=False, guidance=0.0)


_few_steps("LCM", "LCMScheduler")
_few_steps("Turbo", "EulerAncestralDiscreteScheduler", timestep_spacing="trailing")
_few_steps("Lightning", "EulerDiscreteScheduler", timestep_spacing="trailing")
_few_steps("Hyper", "TCDScheduler")


@cell(GROUP, "custom timesteps")
def timesteps(family):
    pipe = with_scheduler(family, "EulerDiscreteScheduler")
    return Setting(pipe, lambda: pipe(**call(timesteps=[999, 850, 600, 300, 100])).images)


@cell(GROUP, "custom sigmas")
def sigmas(family):
    pipe = with_scheduler(family, "EulerDiscreteScheduler")
    return Setting(pipe, lambda: pipe(**call(sigmas=[14.6, 6.0, 2.5, 1.0, 0.3])).images)


@cell(GROUP, "Karras sigmas")
def karras(family):
    return at_steps(with_scheduler(family, "DPMSolverMultistepScheduler", use_karras_sigmas=True), (8,))


@cell(GROUP, "guidance 1 and below")
def unguided(family):
    pipe = models.pipeline(family)

    def run():
        return np.concatenate([pipe(**call(guidance=g)).images for g in (1.0, 0.0)])

    return Setting(pipe, run, guided=False)


@cell(GROUP, "guidance rescale")
def rescale(family):
    return at_steps(models.pipeline(family), (4,), guidance_rescale=0.7)


@cell(GROUP, "guidance switched off midway by a callback")
def cut_off(family):
    pipe = models.pipeline(family)
    names = ["prompt_embeds"] + (["add_text_embeds", "add_time_ids"] if family == "XL" else [])

    def halve(pipe, step, _, values):
        if step == 2:
            pipe._guidance_scale = 0.0
            values |= {name: values[name].chunk(2)[-1] for name in names}
        return values

    def run():
        return pipe(
            **call(steps=8, callback_on_step_end=halve, callback_on_step_end_tensor_inputs=names)
        ).images

    return Setting(pipe, run, guided=lambda: pipe.do_classifier_free_guidance)


@cell(GROUP, "negative prompt and several images a prompt")
def negative(family):
    return at_steps(models.pipeline(family), (4,), negative_prompt="fog", num_images_per_prompt=2)


@cell(GROUP, "without the third branch", ["SD"], modes=("paper",), otherwise="by itself")
def without_third_branch(family):
    """The rows stay the pipeline's; equal to a third branch whose filter and dilation are the strong ones."""
    setting = at_steps(models.pipeline(family), (4,))
    alike = {"unfiltered": ["*"], "weak_dilation_divisor": 1.0}
    setting.config = functools.partial(configured, third_branch=False, **alike)

    def expected(config):
        with fouriscale(setting.pipe, config.replace(third_branch=True)):
            return setting.run()

    setting.expected, setting.equals = expected, "a third branch like the second"
    return setting


@cell(GROUP, "with the third branch", modes=("fast",), otherwise="by itself")
def with_third_branch(family):
    setting = at_steps(models.pipeline(family), (4,))
    setting.config = functools.partial(configured, third_branch=True)
    return setting


@cell(GROUP, "a grid that grows", modes=("fast",), otherwise="no grid")
def growing(family):
    setting = at_steps(models.pipeline(family), (8,))
    setting.config = functools.partial(configured, grid_phases=[[0.4, 0.8], [0.7, 1.1]])
    return setting
