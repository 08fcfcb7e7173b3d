"""How the blocks of ComfyUI's UNet lie: which are deep, and at which level each one works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from picturelab.bounds import shown

PIXELS = 8  # to a latent pixel on each axis, in every family of UNets that there is a preset for
_UNET = "UNetModel"  # ComfyUI's class


@dataclass(frozen=True)
class Blocks:
    """A UNet's input and output blocks, numbered as ComfyUI numbers them.

    Attributes:
        residual: how many residual blocks each level has on the way down; up there is one more.
    """

    residual: tuple[int, ...]

    @property
    def levels(self) -> int:
        """Numbered by how many downsamplings they lie below the sample."""
        return len(self.residual)

    @property
    def stride(self) -> int:
        """Latent pixels from one place of the coarsest map to the next."""
        return int(2 ** (self.levels - 1))

    def downsampler(self, level: int) -> int:
        """The input block whose output is the first map of a level, at least 1; also how many come before it."""
        return sum(count + 1 for count in self.residual[:level])

    def upsampler(self, level: int) -> int:
        """The output block that gives maps of the level above to the next one; its skip is the downsampler's."""
        return sum(count + 1 for count in self.residual[level:]) - 1

    def level_of(self, block: tuple[str, int]) -> int:
        """At which level the layers of a block work, all but a sampler at its end.

        Args:
            block: ("input", number), ("middle", 0) or ("output", number).
        """
        side, number = block
        if side == "input":
            return sum(self.downsampler(level) < number for level in range(1, self.levels))
        if side == "output":
            return sum(self.upsampler(level) >= number for level in range(1, self.levels))
        return self.levels - 1


def blocks_of(model: Any) -> Blocks:
    """Those of a ModelPatcher's UNet.

    Raises:
        ValueError: it has no such UNet.
    """
    unet = model.model.diffusion_model
    kind = type(unet).__name__
    if kind != _UNET:
        raise ValueError(f"this model samples with a {kind}: the nodes of FouriScale are for a {_UNET}")
    if unet.use_temporal_resblocks:
        raise ValueError(
            f"this model's {_UNET} makes videos: the nodes of FouriScale are for single pictures"
        )
    return Blocks(tuple(unet.num_res_blocks))


def latent_size(sample: Any) -> tuple[int, int]:
    """(height, width) of a UNet's sample.

    Raises:
        ValueError: it is no picture's.
    """
    if sample.ndim != 4:
        raise ValueError(
            f"a sample of shape {shown(tuple(sample.shape))}: must be (rows, channels, height, width)"
        )
    return sample.shape[-2], sample.shape[-1]


def unet_config(model: Any) -> Mapping[str, Any]:
    """What ComfyUI knows of a ModelPatcher's UNet, in its own words."""
    config: Mapping[str, Any] = model.model.model_config.unet_config
    return config
