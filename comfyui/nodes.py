"""The two nodes: what ComfyUI shows, and what it calls."""

from __future__ import annotations

from typing import Any

from fouriscale.config import FouriScaleConfig

from . import deep_grid, presets, wrapping

_CATEGORY = "model_patches/unet"
_ATTENTION = {True: "downsampled keys", False: "full"}


class FouriScale:
    """Deep blocks on a grid of the training size for the first part of the run, and as many keys as in training."""

    CATEGORY, FUNCTION = _CATEGORY, "patch"
    RETURN_TYPES = ("MODEL",)
    DESCRIPTION = "Samples Stable Diffusion 1.x, 2.x and XL beyond the training size, without repetition."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802  # ComfyUI's name
        until = dict(default=0.8, min=0.05, max=1.0, step=0.01)
        return {
            "required": {
                "model": ("MODEL",),
                "preset": (presets.choices(), {"tooltip": "the model's family, whose training sizes count"}),
                "until": (
                    "FLOAT",
                    until | {"tooltip": "the part of the run, by timesteps, on the deep grid"},
                ),
                "downsampled_keys": (
                    "BOOLEAN",
                    {"default": True, "tooltip": "self-attention to as many tokens as in training: faster"},
                ),
            }
        }

    def patch(self, model: Any, preset: str, until: float, downsampled_keys: bool) -> tuple[Any]:
        """A model that samples with FouriScale.

        Args:
            model: ComfyUI's ModelPatcher, which stays as it is.
            preset: one of `presets.choices()`.
            until: the part of the run in (0, 1] that the deep grid lasts.
            downsampled_keys: whether self-attentions look at as many tokens as in training, at every step.

        Raises:
            ValueError: the model has another kind of denoiser, no preset fits it, or a value is out of range.
        """
        keys = _ATTENTION[downsampled_keys]
        config = FouriScaleConfig.preset(
            presets.preset_for(model, preset),
            mode="fast",
            grid_phases=((until, 1.0),),
            attention=keys,
            late_attention=keys,
        )
        return (deep_grid.apply(model, config),)


class FouriScaleWrap:
    """Opposite edges of the latent are neighbours for every convolution of the UNet."""

    CATEGORY, FUNCTION = _CATEGORY, "patch"
    RETURN_TYPES = ("MODEL",)
    DESCRIPTION = "Has pictures wrap: tiles and panoramas. The VAE is not wrapped."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802  # ComfyUI's name
        return {"required": {"model": ("MODEL",), "wrap": (wrapping.CHOICES,)}}

    def patch(self, model: Any, wrap: str) -> tuple[Any]:
        """A model whose pictures wrap.

        Args:
            model: ComfyUI's ModelPatcher, which stays as it is.
            wrap: one of `wrapping.CHOICES`.

        Raises:
            ValueError: the model has another kind of denoiser, or `wrap` is none of these. Later, when it samples: a
                wrapped side is no multiple of what the UNet's strides divide.
        """
        return (wrapping.apply(model, wrap),)
