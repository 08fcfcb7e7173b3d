"""Calls of a UNet of two blocks down and up, as a loop of one's own makes them."""

import torch
from diffusers import DDIMScheduler

from fouriscale import fouriscale
from tests.tiny import unet_pipelines as models
from tests.tiny.unet_pipelines import CONFIG

STEPS = 8


class Sampling:
    """A UNet's run.

    Attributes:
        unet: the UNet.
        model: what is called, such as a wrapper of it.
    """

    def __init__(self):
        self.unet = self.model = models.unet("SD")
        self.scheduler = DDIMScheduler()
        self.scheduler.set_timesteps(STEPS)
        generator = torch.Generator().manual_seed(0)
        half, self.text = (torch.randn(shape, generator=generator) for shape in ((1, 4, 32, 32), (2, 7, 32)))
        self.sample = torch.cat([half, half])

    def applied(self, **changes):
        """Two steps at full dilation, two while it falls, four of the UNet's own."""
        return fouriscale(
            self.unet, CONFIG.replace(start=0.25, stop=0.5, **changes), scheduler=self.scheduler
        )

    @torch.no_grad()
    def call(self, step):
        return self.model(self.sample, self.scheduler.timesteps[step], self.text).sample
