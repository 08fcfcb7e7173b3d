"""Memory tools: offload, casting, tiling, attention backends, compilation."""

import functools

import accelerate
import torch
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0
from torch._dynamo.utils import counters
from torch.nn.attention import SDPBackend, sdpa_kernel

from fouriscale import fouriscale
from tests.matrix.cell import LAYERWISE, Setting, cell, configured
from tests.tiny import unet_pipelines as models
from tests.tiny.unet_pipelines import call

GROUP = "Memory and speed"
CPU = torch.device("cpu")


def own(family):
    """A pipeline with models of its own, which the tools rebuild."""
    fresh = {}
    for name, part in models.parts(family).items():
        if isinstance(part, torch.nn.Module):
            fresh[name] = (
                type(part).from_config(part.config) if name in ("unet", "vae") else type(part)(part.config)
            )
            fresh[name].load_state_dict(part.state_dict())
            fresh[name].eval()
    return models.pipeline(family, **fresh)


def like_plain(pipe, family, tolerance=1e-6):
    """Against the same pipeline without the tool, its rows together."""

    def expected(config):
        plain = models.pipeline(family)
        with fouriscale(plain, config.replace(split_rows=False)):
            return plain(**call()).images

    return Setting(
        pipe, lambda: pipe(**call()).images, expected=expected, equals="without it", tolerance=tolerance
    )


@cell(GROUP, "model offload")
def model_offload(family):
    pipe = own(family)
    pipe.enable_model_cpu_offload(device="cpu")
    return like_plain(pipe, family, 0)


@cell(GROUP, "sequential offload of the UNet")
def sequential_offload(family):
    """What `enable_sequential_cpu_offload` does to each model. The pipeline's own method fails on a CPU as
    the device to run on, in accelerate, with FouriScale or without."""
    pipe = own(family)
    accelerate.cpu_offload(pipe.unet, CPU)
    return like_plain(pipe, family, 0)


@cell(GROUP, "group offload, by block")
def group_offload(family):
    pipe = own(family)
    pipe.unet.enable_group_offload(CPU, CPU, offload_type="block_level", num_blocks_per_group=1)
    return like_plain(pipe, family, 0)


@cell(GROUP, "group offload, by leaf")
def leaf_offload(family):
    pipe = own(family)
    pipe.unet.enable_group_offload(CPU, CPU, offload_type="leaf_level")
    return like_plain(pipe, family, 0)


@cell(GROUP, "layerwise casting to float8")
def casting(family):
    pipe = own(family)
    pipe.unet.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=torch.float32)
    rounded = models.unet(family)
    rounded.load_state_dict({k: v.float() for k, v in pipe.unet.state_dict().items()})
    plain = models.pipeline(family, unet=rounded)

    def expected(config):
        with fouriscale(plain, config):
            return plain(**call()).images

    return Setting(
        pipe,
        lambda: pipe(**call()).images,
        expected=expected,
        equals="weights rounded to float8",
        tolerance=0,
    )


def _quantised(label, quantise):
    """Linear layers' weights in fewer bits, set before FouriScale is applied; convolutions stay as they are.

    `make test-matrix` installs the quantisers in a folder of their own.
    """

    @cell(GROUP, label)
    def cell_(family):
        pipe = own(family)
        before = pipe(**call()).images
        quantise(pipe.unet)
        assert 0 < abs(pipe(**call()).images - before).max() < 0.2
        return Setting(pipe, lambda: pipe(**call()).images)


def _by_torchao(unet):
    from torchao.quantization import Int8WeightOnlyConfig, quantize_

    quantize_(unet, Int8WeightOnlyConfig())


def _by_bitsandbytes(unet):
    """What `BitsAndBytesConfig(load_in_4bit=True)` does to a model that it loads."""
    import bitsandbytes

    for name, layer in list(unet.named_modules()):
        if isinstance(layer, torch.nn.Linear):
            few = bitsandbytes.nn.Linear4bit(layer.in_features, layer.out_features, layer.bias is not None)
            few.load_state_dict(layer.state_dict())
            unet.set_submodule(name, few.to(CPU))


_quantised("int8 weights by torchao", _by_torchao)
_quantised("4-bit weights by bitsandbytes", _by_bitsandbytes)


@cell(GROUP, "VAE tiling and slicing")
def tiling(family):
    pipe = own(family)
    pipe.vae.enable_tiling()
    pipe.vae.enable_slicing()
    return Setting(pipe, lambda: pipe(**call(num_images_per_prompt=2)).images)


@cell(GROUP, "attention slicing", ["SD"])
def slicing(family):
    pipe = own(family)
    pipe.enable_attention_slicing(1)
    return like_plain(pipe, family, 1e-3)


def _processor(label, kind):
    @cell(GROUP, label)
    def processor(family):
        pipe = own(family)
        pipe.unet.set_attn_processor(kind())
        return like_plain(pipe, family, 1e-3)


_processor("attention processor AttnProcessor", AttnProcessor)
_processor("attention processor AttnProcessor2_0", AttnProcessor2_0)


@cell(GROUP, "SDPA backends: math, flash")
def backends(family):
    pipe = own(family)
    setting = like_plain(pipe, family, 1e-3)

    def run():
        with sdpa_kernel(SDPBackend.MATH):
            one = pipe(**call()).images
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
            other = pipe(**call()).images
        assert abs(one - other).max() < 1e-3
        return other

    setting.run = run
    return setting


@cell(GROUP, "inference mode")
def inference_mode(family):
    pipe = models.pipeline(family)
    setting = like_plain(pipe, family, 0)

    def run():
        with torch.inference_mode():
            return pipe(**call()).images

    setting.run = run
    return setting


def compiled_setting(family, compile_unet):
    """`compile_unet(pipe)` compiles; nothing in it may break the graph."""
    pipe = own(family)
    compile_unet(pipe)
    setting = like_plain(pipe, family, 1e-3)
    run, fresh = setting.run, [True]

    def counted():
        counters.clear()
        images = run()
        assert not counters["graph_break"]
        assert counters["stats"]["unique_graphs"] or not fresh
        fresh.clear()
        return images

    setting.run = counted
    setting.undo.callback(torch.compiler.reset)
    return setting


@cell(GROUP, "torch.compile(pipe.unet), before applying", ["XL"])
def compiled(family):
    return compiled_setting(
        family, lambda pipe: setattr(pipe, "unet", torch.compile(pipe.unet, backend="eager"))
    )


@cell(GROUP, "pipe.unet.compile(), before applying", ["SD"])
def compiled_in_place(family):
    return compiled_setting(family, lambda pipe: pipe.unet.compile(backend="eager"))


@cell(GROUP, "pipe.unet.compile_repeated_blocks(), before applying")
def compiled_blocks(family):
    return compiled_setting(family, lambda pipe: pipe.unet.compile_repeated_blocks(backend="eager"))


cell(LAYERWISE, "pipe.unet.compile(), before applying", modes=("layerwise",))(compiled_in_place)
cell(LAYERWISE, "model offload", modes=("layerwise",))(model_offload)
cell(LAYERWISE, "attention slicing", ["SD"], modes=("layerwise",))(slicing)


@cell(GROUP, "split_rows, model offload")
def split_rows(family):
    pipe = own(family)
    pipe.enable_model_cpu_offload(device="cpu")
    setting = like_plain(pipe, family, 1e-3)
    setting.config, setting.equals = functools.partial(configured, split_rows=True), "rows together"
    return setting


@cell(GROUP, "UNet compiled while applied", ["XL"])
def compiled_after(family):
    pipe, plain = own(family), models.pipeline(family)

    def run():
        pipe.unet.compile(backend="eager")
        images = pipe(**call()).images
        pipe.unet._compiled_call_impl = None
        torch.compiler.reset()
        return images

    def expected(config):
        with fouriscale(plain, config):
            return plain(**call()).images

    return Setting(pipe, run, expected=expected, equals="without it")
