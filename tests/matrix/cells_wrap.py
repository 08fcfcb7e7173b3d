"""Pictures that wrap: UNet pipelines beside plain circular convolutions, transformers beside plain whole turns."""

import contextlib
import math

import torch
from torch.nn import functional as F

from fouriscale import fouriscale, remove_fouriscale
from tests.matrix.cell import TRANSFORMERS, WRAP, Setting, cell, configured
from tests.matrix.cells_pipelines import kind
from tests.matrix.cells_transformers import CONFIG, CONTROLS, run, variant
from tests.matrix.plain_positions import SIDE
from tests.matrix.plain_reference import plain_reference
from tests.tiny import text_pipelines
from tests.tiny import unet_pipelines as models
from tests.tiny.unet_pipelines import call, mask, picture

CIRCULAR = "the method computed plainly, with circular convolutions"
ROLLED = "the picture of rolled noise, rolled back"


@contextlib.contextmanager
def circular():
    """Every convolution in torch wraps on both axes, and so do maps that are padded for one at their ends."""
    conv2d, pad = F.conv2d, F.pad

    def wrapped(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
        down, right = (padding, padding) if isinstance(padding, int) else padding
        x = pad(x, (right, right, down, down), mode="circular") if down or right else x
        return conv2d(x, weight, bias, stride, 0, dilation, groups)

    def closed(x, sides, mode="constant", value=None):
        return pad(x, sides, mode="circular" if tuple(sides) == (0, 1, 0, 1) else mode, value=value)

    F.conv2d, F.pad = wrapped, closed
    try:
        yield
    finally:
        F.conv2d, F.pad = conv2d, pad


def wrapped(name, **shown):
    """A row in paper mode; the decorated function gives a family's pipeline, and further arguments of its call."""

    def register(make):
        def setting(family):
            pipe, changes = make(family)

            def sample():
                return pipe(**call(**changes)).images

            def expected(config):
                remove_fouriscale(pipe)
                with circular(), plain_reference(pipe, config, guided=True):
                    return sample()

            return Setting(
                pipe, sample, expected=expected, equals=CIRCULAR, config=lambda m: configured(m, wrap="both")
            )

        cell(WRAP, name, modes=("paper",), **shown)(setting)
        return make

    return register


@wrapped("text to image")
def text_to_image(family):
    return models.pipeline(family), {}


@wrapped("image to image")
def image_to_image(family):
    return models.pipeline(family, kind(family, "Img2Img")), {"image": picture(), "strength": 0.75}


@wrapped("inpainting")
def inpainting(family):
    changes = {"image": picture(), "mask_image": mask(), "strength": 0.8}
    return models.pipeline(family, kind(family, "Inpaint")), changes


@wrapped("ControlNet")
def controlnet(family):
    pipe = models.pipeline(family, kind(family, "ControlNet"), controlnet=models.controlnet(family))
    return pipe, {"image": picture()}


@wrapped("T2I-Adapter")
def adapter(family):
    pipe = models.pipeline(family, kind(family, "Adapter"), adapter=models.t2i_adapter(family))
    # Of images, the SD pipeline's own decoder warns that it is out of date.
    return pipe, {"image": picture(), "output_type": "latent" if family == "SD" else "np"}


@cell(WRAP, "text to image, its noise rolled by a quarter")
def rolled(family):
    pipe = models.pipeline(family)
    latents = torch.randn(1, 4, 32, 32, generator=torch.Generator().manual_seed(0))

    def expected(config):
        with fouriscale(pipe, config):
            images = pipe(**call(latents=latents.roll((8, 8), (2, 3)))).images
        return torch.as_tensor(images).roll((-64, -64), (1, 2))

    return Setting(
        pipe,
        lambda: pipe(**call(latents=latents)).images,
        expected=expected,
        equals=ROLLED,
        config=lambda mode: configured(mode, wrap="both"),
    )


def whole_turns(maker, ids, scale, m):
    """Complex numbers of interpolated rows and columns of a picture that wraps on both axes."""
    channels = maker.axes_dim if hasattr(maker, "axes_dim") else maker.axes_dims
    side, parts = int(ids[:, 1].max()) + 1, []
    for axis, count in enumerate(channels):
        turns = maker.theta ** (-torch.arange(0, count, 2).double() / count)
        if axis:
            turns = 2 * math.pi / side * torch.round(turns / scale * side / (2 * math.pi))
        angles = ids[:, axis, None].double() * turns
        parts.append(torch.polar(torch.full_like(angles, m if axis else 1.0), angles))
    return torch.cat(parts, 1)


def flux_forward(pipe, scale, m):
    maker, tokens = pipe.transformer.pos_embed, (SIDE // (2 * pipe.vae_scale_factor)) ** 2
    stock = maker.forward

    def forward(ids):
        turns = whole_turns(maker, ids[-tokens:], scale, m)
        cos, sin = stock(ids)
        for part, own in ((cos, turns.real), (sin, turns.imag)):
            part[-tokens:] = own.repeat_interleave(2, 1)
        return cos, sin

    return maker, "forward", forward


def z_image_embedder(pipe, scale, m):
    stock = pipe.transformer.rope_embedder

    def embedder(ids):
        is_text = int(ids[0, 0]) == 1
        return stock(ids) if is_text else whole_turns(stock, ids, scale, m).to(torch.complex64)

    return pipe.transformer, "rope_embedder", embedder


MAKERS = {"flux": flux_forward, "z_image": z_image_embedder}


@cell(TRANSFORMERS, "text to image that wraps", MAKERS, modes=("positions",), absent="not tried")
def transformer(family):
    pipe = text_pipelines.pipeline(family)

    def sample():
        return run(pipe, family)

    def expected(config):
        remove_fouriscale(pipe)
        scale = SIDE / config.training_sizes[0][0]
        owner, name, value = MAKERS[family](pipe, scale, config.temperature)
        own = vars(owner).get(name)
        setattr(owner, name, value)
        try:
            with circular():
                return sample()
        finally:
            delattr(owner, name) if own is None else setattr(owner, name, own)

    equals = "whole turns computed plainly, with circular convolutions"
    return Setting(
        pipe, sample, expected=expected, equals=equals, config=lambda mode: CONFIG.replace(wrap="both")
    )


def refused(name, families, sentence):
    return cell(TRANSFORMERS, name, families, sentence, modes=("positions",), absent="not tried")


@refused("text to image that wraps", ["sd3"], "whose ends do not meet")
def table(family):
    return Setting(text_pipelines.pipeline(family), None, config=lambda mode: CONFIG.replace(wrap="both"))


@refused("text to image that wraps", ["qwen_image", "krea2"], "autoencoder is a")
def video_autoencoder(family):
    return table(family)


@refused("ControlNet, with positions of its own, that wraps", ["flux"], "which do not go round")
def transformer_controlnet(family):
    # Its sentence needs no ControlNet that works.
    pipe = variant(CONTROLS[family][0], family, controlnet=models.controlnet("SD"))
    return Setting(pipe, None, config=lambda mode: CONFIG.replace(wrap="both"))
