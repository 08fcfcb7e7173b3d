"""Transformers whose positions are scaled: pipelines, adapters, memory tools, compilation and threads."""

import warnings

import accelerate
import diffusers
import numpy as np
import torch
from peft import LoraConfig
from PIL import Image

from fouriscale import fouriscale
from fouriscale.position_config import PositionConfig
from tests.matrix.cell import TRANSFORMERS, Setting, cell
from tests.tiny import text_pipelines as tiny

PROMPT = "a red cat"
FAMILIES = ("flux", "chroma", "flux2", "qwen_image", "z_image", "sd3", "lumina2", "krea2")
SOME = ("flux", "qwen_image", "z_image", "sd3")  # of each way to make positions one
CPU = torch.device("cpu")
CONFIG = PositionConfig((16, 16), temperature=1.1)
PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8))
MASK = Image.fromarray(np.tile(np.repeat(np.array([0, 255], np.uint8), 16), (32, 1)))


def positions(name, families=FAMILIES, **shown):
    """A cell of this group; `make` gives a `Setting` whose config is `CONFIG` unless it says otherwise."""

    def register(make):
        def setting(family):
            made = make(family)
            made.config = lambda mode: CONFIG
            # SD 3's table is read between its entries, which is as exact as the tiny one is fine.
            made.tolerance = (
                max(made.tolerance, 0.05) if family == "sd3" and not made.expected else made.tolerance
            )
            return made

        cell(TRANSFORMERS, name, families, modes=("positions",), absent="not tried", **shown)(setting)
        return make

    return register


def run(pipe, family, prompt=PROMPT, seeds=(0,), **more):
    torch.manual_seed(0)  # of which some pipelines draw what they encode pictures with
    return tiny.run(pipe, family, prompt, seeds, **more)


def variant(kind, family, **parts):
    """Another pipeline of diffusers with the family's tiny models."""
    base = tiny.pipeline(family)
    pipe = kind(**{name: part for name, part in base.components.items() if part is not None} | parts)
    pipe.set_progress_bar_config(disable=True)
    for name in ("prompt_template_encode_start_idx",):
        if name in vars(base):
            setattr(pipe, name, vars(base)[name])
    return pipe


@positions("text to image")
def text_to_image(family):
    pipe = tiny.pipeline(family)
    return Setting(pipe, lambda: run(pipe, family))


@positions("two prompts, two images each", ["flux", "qwen_image", "sd3"])
def two_prompts(family):
    pipe = tiny.pipeline(family)
    prompts = [PROMPT, "a large green dog"]
    return Setting(pipe, lambda: run(pipe, family, prompts, (0, 1, 2, 3), num_images_per_prompt=2))


IMAGE_TO_IMAGE = {
    "flux": diffusers.FluxImg2ImgPipeline,
    "chroma": diffusers.ChromaImg2ImgPipeline,
    "qwen_image": diffusers.QwenImageImg2ImgPipeline,
    "z_image": diffusers.ZImageImg2ImgPipeline,
    "sd3": diffusers.StableDiffusion3Img2ImgPipeline,
}
INPAINTING = {
    "flux": diffusers.FluxInpaintPipeline,
    "qwen_image": diffusers.QwenImageInpaintPipeline,
    "z_image": diffusers.ZImageInpaintPipeline,
}
FOUR = {"num_inference_steps": 4, "strength": 0.6}


@positions("image to image", IMAGE_TO_IMAGE)
def image_to_image(family):
    pipe = variant(IMAGE_TO_IMAGE[family], family)
    return Setting(pipe, lambda: run(pipe, family, image=PICTURE, **FOUR))


# Chroma's asks the transformer's config for what it has not, without FouriScale too; SD 3's wants 16 channels.
@positions("inpainting", INPAINTING)
def inpainting(family):
    pipe = variant(INPAINTING[family], family)
    return Setting(pipe, lambda: run(pipe, family, image=PICTURE, mask_image=MASK, **FOUR))


@positions("from_pipe, made while applied", ["flux"])
def from_pipe(family):
    base = tiny.fresh(family)

    def sample():
        pipe = diffusers.FluxImg2ImgPipeline.from_pipe(base)
        pipe.set_progress_bar_config(disable=True)
        return run(pipe, family, image=PICTURE, **FOUR)

    return Setting(base, sample)


CONTROLS = {
    "flux": (diffusers.FluxControlNetPipeline, diffusers.FluxControlNetModel),
    "qwen_image": (diffusers.QwenImageControlNetPipeline, diffusers.QwenImageControlNetModel),
    "sd3": (diffusers.StableDiffusion3ControlNetPipeline, diffusers.SD3ControlNetModel),
}


@positions("ControlNet, with positions of its own", CONTROLS)
def controlnet(family):
    kind, control = CONTROLS[family]
    config = tiny.pipeline(family).transformer.config
    taken = {k: v for k, v in config.items() if not k.startswith("_")}
    if family != "flux":
        taken["extra_conditioning_channels"] = 0
    known = control.__init__.__wrapped__.__code__.co_varnames
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`FluxPosEmbed` is deprecated", FutureWarning)
        model = control(**{k: v for k, v in taken.items() if k in known}).eval().requires_grad_(False)
    tiny.spread(model)
    pipe = variant(kind, family, controlnet=model)
    control = {"controlnet_conditioning_scale": 0.5, "control_image": PICTURE}
    return Setting(pipe, lambda: run(pipe, family, **control))


@positions("reference picture, which stays as it is", ["flux", "flux2"])
def reference(family):
    pipe = tiny.pipeline(family) if family == "flux2" else variant(diffusers.FluxKontextPipeline, family)
    more = {} if family == "flux2" else {"_auto_resize": False, "max_area": 32 * 32}
    return Setting(pipe, lambda: run(pipe, family, image=PICTURE.resize((64, 64)), **more))


def like_plain(pipe, family, tolerance=0):
    """Against the same pipeline without the tool."""

    def expected(config):
        plain = tiny.pipeline(family)
        with fouriscale(plain, config):
            return run(plain, family)

    return Setting(
        pipe, lambda: run(pipe, family), expected=expected, equals="without it", tolerance=tolerance
    )


@positions("model offload", SOME)
def model_offload(family):
    pipe = tiny.fresh(family)
    pipe.enable_model_cpu_offload(device="cpu")
    return like_plain(pipe, family)


@positions("sequential offload of the transformer", SOME)
def sequential_offload(family):
    pipe = tiny.fresh(family)
    accelerate.cpu_offload(pipe.transformer, CPU)
    return like_plain(pipe, family)


@positions("group offload, by leaf", SOME)
def leaf_offload(family):
    pipe = tiny.fresh(family)
    pipe.transformer.enable_group_offload(CPU, CPU, offload_type="leaf_level")
    return like_plain(pipe, family)


def add_lora(transformer):
    """A LoRA with weights that show on queries and keys."""
    torch.manual_seed(5)
    transformer.add_adapter(LoraConfig(r=2, lora_alpha=2, target_modules=["to_q", "to_k"]), "one")
    for name, value in transformer.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(value, std=0.3)


@positions("LoRA on attention, loaded before", SOME)
def lora_before(family):
    pipe = tiny.fresh(family)
    add_lora(pipe.transformer)
    return Setting(pipe, lambda: run(pipe, family))


@positions("LoRA loaded and unloaded while applied", SOME)
def lora_while_applied(family):
    pipe = tiny.fresh(family)

    def sample():
        add_lora(pipe.transformer)
        images = run(pipe, family)
        pipe.transformer.unload_lora()
        return images

    return Setting(pipe, sample)


def compiled(family, compile_transformer):
    pipe = tiny.fresh(family)
    compile_transformer(pipe)
    setting = like_plain(pipe, family, 1e-3)
    setting.undo.callback(torch.compiler.reset)
    return setting


@positions("pipe.transformer.compile(), before applying", ["flux"])
def compiled_in_place(family):
    return compiled(family, lambda pipe: pipe.transformer.compile(backend="eager"))
