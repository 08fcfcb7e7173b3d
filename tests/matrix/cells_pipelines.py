"""Pipelines: every way of diffusers to sample with a Stable Diffusion UNet."""

import functools
import warnings

import diffusers
import torch
from torch import nn

import shapeworld
from fouriscale import FouriScaleConfig, fouriscale
from picturelab.remarks import Remark
from tests.matrix.cell import Setting, cell, configured
from tests.tiny import unet_pipelines as models
from tests.tiny.unet_pipelines import call, mask, picture

GROUP = "Pipelines"


def kind(family, task):
    """The family's pipeline for a task: StableDiffusion...Pipeline or StableDiffusionXL...Pipeline."""
    return getattr(diffusers, f"StableDiffusion{'XL' if family == 'XL' else ''}{task}Pipeline")


def sampling(pipe, guided=True, **changes):
    """The pipeline's own call with the shared arguments, against the method computed plainly."""
    return Setting(pipe, lambda: pipe(**call(**changes)).images, guided)


@cell(GROUP, "text to image")
def text_to_image(family):
    return sampling(models.pipeline(family))


@cell(GROUP, "text to image, the shipped model and its preset", ["SD"])
def shipped(family):
    pipe = shapeworld.load_pipeline()
    pipe.set_progress_bar_config(disable=True)
    setting = sampling(pipe, prompt="a red circle", num_inference_steps=4)
    setting.config = lambda mode: FouriScaleConfig.preset("shapeworld", mode=mode, start=0.25, stop=0.75)
    return setting


@cell(GROUP, "text to image, two prompts, two images each")
def batch(family):
    return sampling(models.pipeline(family), prompt=["a lighthouse", "a cat"], num_images_per_prompt=2)


@cell(GROUP, "image to image")
def image_to_image(family):
    return sampling(models.pipeline(family, kind(family, "Img2Img")), image=picture(), strength=0.75)


# The image-to-image pipelines take their size from the image.
def without_size(arguments):
    return {k: v for k, v in arguments.items() if k not in ("height", "width")}


def applied(pipe, **changes):
    """Gives what another pipeline makes with settings of its own."""

    def expected(config):
        with fouriscale(pipe, config):
            return pipe(**call(**changes)).images

    return expected


def img2img(pipe, **changes):
    return Setting(pipe, lambda: pipe(**without_size(call(**changes))).images)


@cell(GROUP, "inpainting, 4 channels")
def inpainting(family):
    return sampling(
        models.pipeline(family, kind(family, "Inpaint")), image=picture(), mask_image=mask(), strength=0.8
    )


@cell(GROUP, "inpainting, 9 channels")
def inpainting_nine(family):
    pipe = models.pipeline(family, kind(family, "Inpaint"), unet=models.unet(family, in_channels=9))
    return sampling(pipe, image=picture(), mask_image=mask(), strength=1.0)


@cell(GROUP, "ControlNet")
def controlnet(family):
    pipe = models.pipeline(family, kind(family, "ControlNet"), controlnet=models.controlnet(family))
    return sampling(pipe, image=picture())


@cell(GROUP, "ControlNet, 200 x 264 pixels", modes=("fast",))
def controlnet_odd(family):
    """Maps of 33 x 25 and 17 x 13, height x width, and 9 x 7 on the grid."""
    pipe = models.pipeline(family, kind(family, "ControlNet"), controlnet=models.controlnet(family))
    return sampling(pipe, image=picture(), height=264, width=200)


@cell(GROUP, "ControlNet at scale 0")
def controlnet_off(family):
    pipe = models.pipeline(family, kind(family, "ControlNet"), controlnet=models.controlnet(family))
    plain = models.pipeline(family)
    setting = sampling(pipe, image=picture(), controlnet_conditioning_scale=0.0)
    setting.expected, setting.equals = applied(plain), "text to image"
    return setting


@cell(GROUP, "two ControlNets")
def controlnets(family):
    both = [models.controlnet(family, 1), models.controlnet(family, 2)]
    pipe = models.pipeline(family, kind(family, "ControlNet"), controlnet=both)
    return sampling(pipe, image=[picture(), picture(1)], controlnet_conditioning_scale=[1.0, 0.5])


@cell(GROUP, "ControlNet, guess mode")
def controlnet_guess(family):
    pipe = models.pipeline(family, kind(family, "ControlNet"), controlnet=models.controlnet(family))
    return sampling(pipe, image=picture(), guess_mode=True)


@cell(GROUP, "ControlNet, image to image")
def controlnet_img2img(family):
    pipe = models.pipeline(family, kind(family, "ControlNetImg2Img"), controlnet=models.controlnet(family))
    return sampling(pipe, image=picture(), control_image=picture(1), strength=0.75)


@cell(GROUP, "ControlNet, inpainting")
def controlnet_inpaint(family):
    pipe = models.pipeline(family, kind(family, "ControlNetInpaint"), controlnet=models.controlnet(family))
    return sampling(pipe, image=picture(), mask_image=mask(), control_image=picture(1), strength=0.9)


@cell(GROUP, "ControlNet Union", ["XL"], absent="none")
def controlnet_union(family):
    torch.manual_seed(1)
    net = diffusers.ControlNetUnionModel(
        block_out_channels=(8, 16),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        layers_per_block=1,
        norm_num_groups=4,
        attention_head_dim=4,
        cross_attention_dim=32,
        conditioning_embedding_out_channels=(4, 4, 4, 4),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=64,
        num_trans_channel=8,
        num_trans_head=2,
        num_proj_channel=8,
    ).eval()
    for layer in net.controlnet_down_blocks:
        nn.init.normal_(layer.weight, std=0.5)
    pipe = models.pipeline(family, diffusers.StableDiffusionXLControlNetUnionPipeline, controlnet=net)
    return sampling(pipe, control_image=[picture()], control_mode=[3])


@cell(GROUP, "T2I-Adapter")
def t2i_adapter(family):
    pipe = models.pipeline(family, kind(family, "Adapter"), adapter=models.t2i_adapter(family))
    # Of images, the SD pipeline's own decoder warns that it is out of date.
    return sampling(pipe, image=picture(), output_type="latent" if family == "SD" else "np")


@cell(GROUP, "refiner chain: denoising_end, denoising_start", ["XL"], absent="none")
def refiner_chain(family):
    base = models.pipeline(family)
    refiner = diffusers.StableDiffusionXLImg2ImgPipeline.from_pipe(base)
    refiner.set_progress_bar_config(disable=True)

    def run():
        latents = base(**call(steps=8, denoising_end=0.5) | dict(output_type="latent")).images
        return refiner(**without_size(call(steps=8, image=latents, denoising_start=0.5))).images

    # The second half is done by the same UNet here, so the chain is one run from beginning to end.
    return Setting(base, run, expected=lambda _: base(**call(steps=8)).images, equals="text to image")


@cell(GROUP, "latent upscaling by image to image")
def latent_upscaling(family):
    small = models.pipeline(family)
    pipe = models.pipeline(family, kind(family, "Img2Img"))

    def run():
        latents = small(**call(height=128, width=128, output_type="latent")).images
        large = nn.functional.interpolate(latents, scale_factor=2, mode="nearest")
        return pipe(**without_size(call(image=large, strength=0.75))).images

    return Setting(pipe, run)


@cell(GROUP, "AutoPipelineForText2Image.from_pipe")
def auto_text(family):
    pipe = diffusers.AutoPipelineForText2Image.from_pipe(models.pipeline(family, kind(family, "Img2Img")))
    pipe.set_progress_bar_config(disable=True)
    return sampling(pipe)


@cell(GROUP, "AutoPipelineForImage2Image.from_pipe, applied before")
def auto_image(family):
    base = models.pipeline(family)
    pipe = diffusers.AutoPipelineForImage2Image.from_pipe(base)
    pipe.set_progress_bar_config(disable=True)
    setting = img2img(pipe, image=picture(), strength=0.75)
    setting.pipe, setting.running = base, pipe
    return setting


@cell(GROUP, "AutoPipelineForInpainting.from_pipe")
def auto_inpaint(family):
    pipe = diffusers.AutoPipelineForInpainting.from_pipe(models.pipeline(family))
    pipe.set_progress_bar_config(disable=True)
    return sampling(pipe, image=picture(), mask_image=mask(), strength=0.8)


@cell(GROUP, "from_pipe, made while applied")
def from_pipe(family):
    base = models.pipeline(family)

    def run():
        pipe = kind(family, "Img2Img").from_pipe(base)
        pipe.set_progress_bar_config(disable=True)
        return pipe(**without_size(call(image=picture(), strength=0.75))).images

    return Setting(base, run)


@cell(GROUP, "latent consistency, its own pipeline", ["SD"], absent="none")
def latent_consistency(family):
    pipe = models.pipeline(
        family,
        diffusers.LatentConsistencyModelPipeline,
        unet=models.unet(family, time_cond_proj_dim=16),
        scheduler=diffusers.LCMScheduler.from_config(models.scheduler().config),
    )
    return sampling(pipe, guided=False)


@cell(GROUP, "modular pipeline with its guider", ["XL"], absent="none")
def modular(family):
    standard = models.pipeline(family)
    pipe = diffusers.StableDiffusionXLAutoBlocks().init_pipeline()
    pipe.update_components(
        **{k: v for k, v in standard.components.items() if v is not None and k not in ("feature_extractor",)},
        guider=diffusers.ClassifierFreeGuidance(guidance_scale=5.0),
        force_zeros_for_empty_prompt=True,
    )
    pipe.set_progress_bar_config(disable=True)
    arguments = {k: v for k, v in call().items() if k != "guidance_scale"}

    def run():
        arguments["generator"].manual_seed(0)
        return pipe(**arguments, output="images")

    return Setting(pipe, run, expected=applied(standard), equals="text to image")


@cell(
    GROUP,
    "modular pipeline with another guider",
    ["XL"],
    absent="none",
    refused=r"guider PerturbedAttentionGuidance asks the UNet for .*such as ClassifierFreeGuidance",
)
def modular_other(family):
    setting = modular(family)
    setting.pipe.update_components(
        guider=diffusers.PerturbedAttentionGuidance(perturbed_guidance_layers=["mid_block"])
    )
    return setting


@cell(
    GROUP,
    "modular pipeline with early_guidance",
    ["XL"],
    absent="none",
    refused=r"early_guidance=2\.4: .* asks the UNet for one condition at a time",
)
def modular_early(family):
    setting = modular(family)
    setting.config = functools.partial(configured, early_guidance=2.4)
    return setting


@cell(GROUP, "two pipelines sharing one UNet")
def sharing(family):
    """Different schedulers, guidance and settings; what ran before, or is applied beside, must not matter."""
    one, other = models.pipeline(family), models.pipeline(family)
    other.scheduler = diffusers.EulerDiscreteScheduler.from_config(other.scheduler.config)
    beside = models.CONFIG.replace(stop=1.0, anneal=False)

    def run():
        with fouriscale(other, beside), warnings.catch_warnings():
            warnings.simplefilter("ignore", Remark)  # before it is applied, that it samples without
            other(**call(steps=8, guidance=1.0))
            return one(**call(steps=3)).images

    return Setting(one, run, expected=applied(models.pipeline(family), steps=3), equals="alone")


@cell(
    GROUP, "AnimateDiff (UNetMotionModel)", ["SD"], refused=r"AnimateDiffPipeline has no UNet2DConditionModel"
)
def animatediff(family):
    motion = diffusers.MotionAdapter(
        block_out_channels=(8, 16),
        motion_layers_per_block=1,
        motion_num_attention_heads=2,
        motion_norm_num_groups=4,
    )
    given = {k: v for k, v in models.parts(family).items() if k != "safety_checker"}
    return Setting(diffusers.AnimateDiffPipeline(**given, motion_adapter=motion), run=None)


@cell(GROUP, "ControlNet-XS", ["SD"], refused=r"ControlNetXSPipeline has no UNet2DConditionModel")
def controlnet_xs(family):
    unet = models.unet(family, layers_per_block=2)
    net = diffusers.ControlNetXSAdapter.from_unet(
        unet, size_ratio=1.0, conditioning_embedding_out_channels=(4, 4, 4, 4)
    )
    pipe = models.pipeline(family, diffusers.StableDiffusionControlNetXSPipeline, unet=unet, controlnet=net)
    return Setting(pipe, run=None)


@cell(
    GROUP,
    "perturbed-attention guidance (PAG)",
    refused=r"PAGPipeline arranges the UNet's rows in its own way",
)
def pag(family):
    return Setting(models.pipeline(family, kind(family, "PAG"), pag_applied_layers="mid"), run=None)


@cell(GROUP, "InstructPix2Pix", refused=r"InstructPix2PixPipeline arranges the UNet's rows in its own way")
def instruct(family):
    pipe = models.pipeline(family, kind(family, "InstructPix2Pix"), unet=models.unet(family, in_channels=8))
    return Setting(pipe, run=None)
