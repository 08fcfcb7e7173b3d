"""Small random models of the true architectures, made in memory once a session.

Two levels of 8 and 16 channels, a VAE of factor 8, CLIP's own tokenizers. "trained" at 128 x 128 pixels,
sampled at 256 x 256: latents of 32 x 32, where the filters act on the maps of 16 x 16.
"""

import functools
import inspect

import torch
from diffusers import (
    ControlNetModel,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    T2IAdapter,
    UNet2DConditionModel,
)
from PIL import Image, ImageDraw
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from fouriscale import FouriScaleConfig
from fouriscale.loading.single_file import tokenizers
from tests.tiny.stable_diffusion import autoencoder, scheduler

FAMILIES = ("SD", "XL")
SIZE = 256  # pixels, both sides
CONFIG = FouriScaleConfig(
    training_sizes=(128, 128),
    layers=[
        "down_blocks.1.resnets.*",
        "mid_block.resnets.*",
        "up_blocks.0.resnets.*",
        "up_blocks.0.upsamplers.*",
    ],
    start=0.25,
    stop=0.75,
    floor=0.1,
    weak_dilation_divisor=1.5,
)
_CHANNELS = (8, 16)
_XL = dict(
    addition_embed_type="text_time", addition_time_embed_dim=8, projection_class_embeddings_input_dim=16 + 48
)


def unet(family, seed=0, **changes):
    torch.manual_seed(seed)
    settings = dict(
        block_out_channels=_CHANNELS,
        layers_per_block=1,
        norm_num_groups=4,
        attention_head_dim=4,
        cross_attention_dim=32,
        sample_size=16,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )
    if family == "XL":
        settings |= dict(
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            use_linear_projection=True,
            **_XL,
        )
    return UNet2DConditionModel(**(settings | changes)).eval()


def controlnet(family, seed=1):
    torch.manual_seed(seed)
    net = ControlNetModel.from_unet(unet(family), conditioning_embedding_out_channels=(4, 4, 4, 4))
    for layer in [
        *net.controlnet_down_blocks,
        net.controlnet_mid_block,
        net.controlnet_cond_embedding.conv_out,
    ]:
        torch.nn.init.normal_(layer.weight, std=0.5)  # they begin at zero, where nothing would show
    return net.eval()


def t2i_adapter(family):
    torch.manual_seed(2)
    if family == "XL":
        return T2IAdapter(3, (8, 16, 16, 16), 1, 16, "full_adapter_xl").eval()
    return T2IAdapter(3, _CHANNELS, 1, 8, "light_adapter").eval()


@functools.cache
def parts(family):
    """The components of the family's text-to-image pipeline; whoever takes them leaves them as they were."""
    torch.manual_seed(3)
    both = tokenizers("sdxl")
    made = dict(vae=autoencoder(), unet=unet(family), scheduler=scheduler(), tokenizer=both["tokenizer"])
    if family == "XL":
        return made | dict(
            text_encoder=_text_encoder(CLIPTextModel, 16),
            text_encoder_2=_text_encoder(CLIPTextModelWithProjection, 16),
            tokenizer_2=both["tokenizer_2"],
        )
    return made | dict(
        text_encoder=_text_encoder(CLIPTextModel, 32), safety_checker=None, feature_extractor=None
    )


def _text_encoder(kind, width):
    return kind(
        CLIPTextConfig(
            vocab_size=49408,
            hidden_size=width,
            intermediate_size=2 * width,
            num_hidden_layers=2,
            num_attention_heads=2,
            projection_dim=16,
            bos_token_id=49406,
            eos_token_id=49407,
            pad_token_id=1,
        )
    ).eval()


def pipeline(family, kind=None, **changes):
    """A fresh pipeline around the session's models. `kind` is for text-to-image if left out."""
    kind = kind or (StableDiffusionXLPipeline if family == "XL" else StableDiffusionPipeline)
    given = parts(family) | {"scheduler": scheduler()} | changes
    extra = {"add_watermarker": False, "requires_safety_checker": False}
    taken = inspect.signature(kind.__init__).parameters
    pipe = kind(**given, **{k: v for k, v in extra.items() if k in taken})
    pipe.set_progress_bar_config(disable=True)
    return pipe


def picture(seed=0):
    """Something to start from: a disc on a coloured ground."""
    image = Image.new("RGB", (SIZE, SIZE), ((40, 90, 160), (160, 90, 40))[seed % 2])
    ImageDraw.Draw(image).ellipse((60, 40 + 50 * seed, 170, 150 + 50 * seed), (220, 200, 30))
    return image


def mask(everything=False):
    """White where inpainting draws anew."""
    image = Image.new("L", (SIZE, SIZE), 255 if everything else 0)
    ImageDraw.Draw(image).rectangle((0, 0, 120, SIZE), 255)
    return image


def call(guidance=5.0, seed=0, steps=4, **changes):
    """Arguments of a pipeline's call that every cell shares."""
    return (
        dict(
            prompt=None if "prompt_embeds" in changes else "a lighthouse",
            height=SIZE,
            width=SIZE,
            num_inference_steps=steps,
            guidance_scale=guidance,
            generator=torch.Generator().manual_seed(seed),
            output_type="np",
        )
        | changes
    )
