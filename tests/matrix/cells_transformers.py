"""Transformers whose positions are scaled: pipelines, adapters, memory tools, compilation and threads."""

import copy
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import accelerate
import diffusers
import numpy as np
import torch
from peft import LoraConfig
from PIL import Image

from fouriscale import apply_fouriscale, fouriscale, remove_fouriscale
from fouriscale.hooks.patch import current_state
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


@positions("two prompts, two images each", SOME)
def two_prompts(family):
    """Each run has a list of its own, since Z-Image's pipelines put their chat template into the one they are given."""
    pipe = tiny.pipeline(family)
    seeds = (0, 1, 2, 3)
    return Setting(
        pipe, lambda: run(pipe, family, [PROMPT, "a large green dog"], seeds, num_images_per_prompt=2)
    )


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


@positions("one transformer in two threads, sizes and settings of their own", ["flux"])
def threads(family):
    """Twice as many runs as threads, so that calls interleave in many ways."""
    first = tiny.fresh(family)
    with torch.no_grad():
        text, pooled, _ = first.encode_prompt(PROMPT, PROMPT, max_sequence_length=24)
    jobs = [(32, None), (48, "ntk")] * 2

    def sample(job):
        width, rule = job
        # A scheduler counts its steps, so a thread needs its own, as with diffusers alone.
        pipe = type(first)(**first.components | {"scheduler": copy.deepcopy(first.scheduler)})
        pipe.set_progress_bar_config(disable=True)
        state = current_state(first)
        if state is not None:
            changes = {"rule": rule} if rule else {}
            apply_fouriscale(pipe, state.config.replace(**changes))
        image = pipe(
            prompt_embeds=text,
            pooled_prompt_embeds=pooled,
            generator=torch.Generator().manual_seed(width),
            output_type="np",
            height=32,
            width=width,
            num_inference_steps=3,
        ).images[0]
        if state is not None:
            remove_fouriscale(pipe)
        return image.ravel()

    def together():
        with ThreadPoolExecutor(2) as pool:
            return np.concatenate(list(pool.map(sample, jobs)))

    def one_after_the_other(_):
        return np.concatenate([sample(job) for job in jobs])

    return Setting(first, together, expected=one_after_the_other, equals="one after the other", tolerance=0)


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


@positions("ControlNet that shares the transformer's embedder", ["z_image"])
def sharing_controlnet(family):
    """Its own positions stay: the embedder is asked outside the transformer's call."""
    transformer = tiny.pipeline(family).transformer
    names = ("dim", "n_heads", "n_kv_heads", "n_refiner_layers")
    torch.manual_seed(0)
    model = diffusers.ZImageControlNetModel(
        control_layers_places=[0, 1],
        control_refiner_layers_places=[0],
        control_in_dim=transformer.config.in_channels,
        add_control_noise_refiner="control_noise_refiner",
        **{name: transformer.config[name] for name in names},
    )
    tiny.spread(model.eval().requires_grad_(False))  # before it shares the transformer's weights
    pipe = variant(diffusers.ZImageControlNetPipeline, family, controlnet=model)
    return Setting(pipe, lambda: run(pipe, family, control_image=PICTURE, controlnet_conditioning_scale=0.5))


@positions("editing a picture, which stays as it is", ["qwen_image"])
def editing(family):
    """With the text encoded beforehand, since a processor for pictures cannot be built offline."""
    base = tiny.pipeline(family)
    with torch.no_grad():
        text, mask = base.encode_prompt(PROMPT)
    pipe = variant(diffusers.QwenImageEditPipeline, family, processor=None)
    setting = Setting(
        pipe,
        lambda: run(pipe, family, None, image=PICTURE, prompt_embeds=text, prompt_embeds_mask=mask),
    )
    # It makes the picture a megapixel large, which would be 65,536 tokens of the small model's.
    module = sys.modules[type(pipe).__module__]
    setting.undo.callback(setattr, module, "calculate_dimensions", module.calculate_dimensions)
    module.calculate_dimensions = lambda area, ratio: (64, 48, None)
    return setting


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


@positions("pipe.transformer.compile(), before applying", SOME)
def compiled_in_place(family):
    return compiled(family, lambda pipe: pipe.transformer.compile(backend="eager"))


@positions("torch.compile(pipe.transformer), before applying", ["flux", "qwen_image"])
def compiled_wrapper(family):
    def wrap(pipe):
        pipe.transformer = torch.compile(pipe.transformer, backend="eager")

    return compiled(family, wrap)


# SD 3's class names no blocks that repeat, so diffusers refuses it.
@positions(
    "pipe.transformer.compile_repeated_blocks(fullgraph=True), before applying",
    ["flux", "qwen_image", "z_image"],
)
def compiled_blocks(family):
    blocks = {"backend": "eager", "fullgraph": True}
    return compiled(family, lambda pipe: pipe.transformer.compile_repeated_blocks(**blocks))
