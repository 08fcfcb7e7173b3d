"""Published models' shapes where diffusers' classes have others as they stand, and the parts beside the transformer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import diffusers
import torch

from ..loading.configs import TransformerParts
from ..loading.parameters import Sizes, text_weights

_CLIP_L = {
    "architectures": ["CLIPTextModel"],
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
}
_CLIP_G = {
    "architectures": ["CLIPTextModelWithProjection"],
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 20,
    "projection_dim": 1280,
}
_T5_XXL = {
    "architectures": ["T5EncoderModel"],
    "d_model": 4096,
    "d_kv": 64,
    "d_ff": 10240,
    "num_layers": 24,
    "num_heads": 64,
    "feed_forward_proj": "gated-gelu",
}
_QWEN3_4B = {
    "architectures": ["Qwen3Model"],
    "vocab_size": 151936,
    "hidden_size": 2560,
    "intermediate_size": 9728,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
}
_QWEN25_VL_7B = {
    "architectures": ["Qwen2_5_VLForConditionalGeneration"],
    "text_config": {
        "vocab_size": 152064,
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
    },
    "vision_config": {
        "depth": 32,
        "hidden_size": 1280,
        "intermediate_size": 3420,
        "num_heads": 16,
        "out_hidden_size": 3584,
    },
    "tie_word_embeddings": False,
}
# Of 16 latent channels, as FLUX.1's, SD 3's and Z-Image's.
_VAE = {
    "_class_name": "AutoencoderKL",
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "block_out_channels": [128, 256, 512, 512],
    "layers_per_block": 2,
    "latent_channels": 16,
    "sample_size": 1024,
    "use_quant_conv": False,
    "use_post_quant_conv": False,
}


@dataclass(frozen=True)
class Published:
    """A model's shape.

    Attributes:
        text: configs of its text encoders, with the class under "architectures".
        vae: its VAE's config, with the class under "_class_name".
        transformer: what its transformer's config has otherwise than the class.
    """

    text: tuple[dict[str, Any], ...]
    vae: dict[str, Any]
    transformer: Mapping[str, Any] = field(default_factory=dict)


PUBLISHED = {
    "flux": Published((_CLIP_L, _T5_XXL), _VAE, {"guidance_embeds": True}),
    "chroma": Published((_T5_XXL,), _VAE),
    # Stable Diffusion 3 medium; in 3.5 large these are 38, 38 and 2432.
    "sd3": Published(
        (_CLIP_L, _CLIP_G, _T5_XXL),
        _VAE,
        {
            "num_layers": 24,
            "num_attention_heads": 24,
            "caption_projection_dim": 1536,
            "pos_embed_max_size": 192,
        },
    ),
    "z-image": Published((_QWEN3_4B,), _VAE),
    "qwen-image": Published((_QWEN25_VL_7B,), {"_class_name": "AutoencoderKLQwenImage"}),
}
"""{preset: the model that its name stands for}, of what the makers' configs say; how many weights that makes is counted
on models without values."""


def as_published(model: str, parts: TransformerParts) -> TransformerParts:
    """The configs of a preset's name with what its class leaves open; those of other models as they are."""
    if model not in PUBLISHED:
        return parts
    return dataclasses.replace(parts, transformer={**parts.transformer, **PUBLISHED[model].transformer})


def published_sizes(model: str) -> Sizes | None:
    """How large the parts beside the transformer are that a preset's name stands for; None: not known."""
    if model not in PUBLISHED:
        return None
    published = PUBLISHED[model]
    kind = getattr(diffusers, published.vae["_class_name"])
    with torch.device("meta"):
        vae = kind.from_config(published.vae)
    return Sizes(sum(map(text_weights, published.text)), vae)
