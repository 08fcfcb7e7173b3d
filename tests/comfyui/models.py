"""Small random UNets of Stable Diffusion's and SDXL's architecture, the same in diffusers and in ComfyUI."""

from dataclasses import dataclass
from types import SimpleNamespace

import comfy.model_base
import comfy.model_patcher
import comfy.sample
import comfy.samplers
import comfy.supported_models
import comfy.utils
import torch
from diffusers import UNet2DConditionModel

from fouriscale import FouriScaleConfig

SCALE = 8
LAYERS = {"sd": "down_blocks.2.*", "xl": "down_blocks.2.*"}
POOLED = 32  # of SDXL's text
_TEXT = torch.randn(1, 7, 16, generator=torch.Generator().manual_seed(1))
_POOLED = torch.randn(1, POOLED, generator=torch.Generator().manual_seed(2))


def config(kind="sd", **changes):
    """Of a model that was trained at 16 x 16 latent pixels."""
    settings = dict(training_sizes=(16 * SCALE, 16 * SCALE), layers=[LAYERS[kind]], mode="fast")
    return FouriScaleConfig(**settings | changes)


def _sd():
    unet = UNet2DConditionModel(
        block_out_channels=(32, 64, 64, 64),
        attention_head_dim=4,
        cross_attention_dim=16,
    )
    ours = dict(
        channel_mult=[1, 2, 2, 2],
        num_res_blocks=[2, 2, 2, 2],
        transformer_depth=[1] * 6 + [0, 0],
        transformer_depth_output=[1] * 9 + [0] * 3,
        transformer_depth_middle=1,
        use_linear_in_transformer=False,
        adm_in_channels=None,
    )
    kind = type("SmallSD", (comfy.supported_models.SD15,), {"unet_extra_config": {"num_heads": 4}})
    return unet, ours, kind, comfy.model_base.BaseModel


def _xl():
    adm = POOLED + 6 * 256
    unet = UNet2DConditionModel(
        block_out_channels=(32, 64, 64),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 1, 2),
        attention_head_dim=(2, 4, 4),
        cross_attention_dim=16,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=adm,
    )
    ours = dict(
        channel_mult=[1, 2, 2],
        num_res_blocks=[2, 2, 2],
        transformer_depth=[0, 0, 1, 1, 2, 2],
        transformer_depth_output=[0, 0, 0, 1, 1, 1, 2, 2, 2],
        transformer_depth_middle=2,
        use_linear_in_transformer=True,
        adm_in_channels=adm,
        num_classes="sequential",
    )
    kind = type("SmallXL", (comfy.supported_models.SDXL,), {"unet_extra_config": {"num_head_channels": 16}})
    return unet, ours, kind, comfy.model_base.SDXL


def both(kind):
    """diffusers' UNet, and ComfyUI's ModelPatcher with the same weights, by ComfyUI's own table of names."""
    torch.manual_seed(3)
    unet, ours, model_config, model_class = {"sd": _sd, "xl": _xl}[kind]()
    common = dict(
        image_size=32,
        in_channels=4,
        out_channels=4,
        model_channels=32,
        context_dim=16,
        use_spatial_transformer=True,
        legacy=False,
        dtype=torch.float32,
        use_temporal_attention=False,
        use_temporal_resblock=False,
    )
    model = model_class(model_config(common | ours), comfy.model_base.ModelType.EPS)
    names = comfy.utils.unet_to_diffusers(common | ours)
    weights = {names[name]: value for name, value in unet.state_dict().items()}
    model.diffusion_model.load_state_dict(weights)
    model.eval()
    return unet.eval(), comfy.model_patcher.ModelPatcher(model, torch.device("cpu"), torch.device("cpu"))


def noise_of(size, rows=1):
    return torch.randn(rows, 4, *size, generator=torch.Generator().manual_seed(7))


@dataclass(frozen=True)
class Answer:
    """What the UNet was given by ComfyUI's sampler and what came back, as noise."""

    sample: torch.Tensor
    timestep: torch.Tensor
    noise: torch.Tensor


@torch.no_grad()
def sampled_once(patcher, noise, timestep, text=_TEXT):
    """One call at a training timestep, through all of ComfyUI's sampling: loaded, patched, called, cleaned up."""
    sampling = patcher.get_model_object("model_sampling")
    sigma = sampling.sigma(torch.tensor(float(timestep)))
    seen = []

    def once(model, x, sigmas, extra_args, callback, disable):
        denoised = model(x, sigmas[0] * x.new_ones(len(x)), **extra_args)
        scaled = sampling.calculate_input(sigmas[0], x)
        seen.append(Answer(scaled, sampling.timestep(sigmas[0]), (x - denoised) / sigmas[0]))
        return denoised

    condition = [[text, {"pooled_output": _POOLED}]]
    sampler = comfy.samplers.KSAMPLER(once)
    sigmas = torch.stack([sigma, torch.zeros(())])
    comfy.sample.sample_custom(
        patcher, noise, 1.0, sampler, sigmas, condition, condition, torch.zeros_like(noise), seed=0
    )
    return seen[0]


@torch.no_grad()
def by_diffusers(unet, answer, **further):
    """diffusers' answer to what ComfyUI's UNet was given."""
    height, width = (side * SCALE for side in answer.sample.shape[-2:])
    if unet.config.addition_embed_type:
        ids = torch.tensor([[height, width, 0, 0, height, width]])
        further["added_cond_kwargs"] = {"text_embeds": _POOLED, "time_ids": ids}
    return unet(answer.sample, answer.timestep, encoder_hidden_states=_TEXT, **further).sample


def scheduler(steps=25):
    """Evenly spaced timesteps, as many schedulers have them."""
    return SimpleNamespace(timesteps=torch.arange(steps - 1, -1, -1) * (1000 // steps) + 1)
