"""Pictures that wrap: rolled noise gives the rolled picture, per pipeline, and nothing is left behind."""

import pytest
import torch
from diffusers import (
    AutoencoderTiny,
    StableDiffusionAdapterPipeline,
    StableDiffusionControlNetPipeline,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionInpaintPipeline,
)
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution

from fouriscale import apply_fouriscale, apply_wrap, fouriscale, remove_fouriscale, remove_wrap, wrap
from fouriscale.hooks.patch import current_state
from fouriscale.hooks.wrap import current_wrap
from tests.fouriscale.hooks.test_patch import relative, traces
from tests.tiny import unet_pipelines as models
from tests.tiny.bare_unets import CONFIG, FIRST, LATE, SCHEDULER, small_unet

SHIFT = (
    8,
    16,
)  # latent pixels down and right; in the UNets of three levels the coarsest map has every fourth


def noise(*size, channels=4, seed=0):
    return torch.randn(1, channels, *size, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def answer(unet, sample, timestep=FIRST):
    return unet(sample, timestep, encoder_hidden_states=noise(5, 8, channels=1)[0]).sample


def shift_error(function, maps, shift, times=1):
    """How far the answer to rolled maps is from the rolled answer, relative to it."""
    moved = function(maps.roll(shift, (2, 3)))
    return relative(moved, function(maps).roll([round(side * times) for side in shift], (2, 3)))


def test_a_unet_at_its_training_size():
    unet = small_unet()
    before, left = answer(unet, noise(16, 20)), traces(unet)
    assert shift_error(lambda x: answer(unet, x), noise(16, 20), (0, 4)) > 0.01
    with wrap(unet, "width", vae_scale_factor=1) as same:
        assert same is unet
        assert shift_error(lambda x: answer(unet, x), noise(16, 20), (0, 4)) < 1e-5
        assert (
            shift_error(lambda x: answer(unet, x), noise(16, 20), (4, 0)) > 0.01
        )  # the other axis is as it was
        assert (
            shift_error(lambda x: answer(unet, x), noise(16, 20), (0, 3)) > 0.01
        )  # no multiple of the strides
    with wrap(unet, "both", vae_scale_factor=1):
        assert shift_error(lambda x: answer(unet, x), noise(16, 20), (4, 8)) < 1e-5
    assert traces(unet) == left
    assert torch.equal(answer(unet, noise(16, 20)), before)


@pytest.mark.parametrize("timestep", [FIRST, LATE])
@pytest.mark.parametrize(
    "changes",
    [
        {"mode": "paper"},
        {"mode": "fast"},
        {"mode": "fast", "grid_resampling": "bicubic", "third_branch": True},
        {"mode": "layerwise", "third_branch": True},
    ],
    ids=lambda changes: "-".join(map(str, changes.values())),
)
def test_a_unet_beyond_it_at_every_step(changes, timestep):
    unet, config = small_unet(), CONFIG.replace(wrap="both", **changes)
    with fouriscale(unet, config, scheduler=SCHEDULER, vae_scale_factor=1, guided=False):
        assert shift_error(lambda x: answer(unet, x, timestep), noise(32, 32), SHIFT) < 1e-5
        assert current_state(unet).dilation == (2 if timestep == FIRST else 1)
        assert shift_error(lambda x: answer(unet, x, timestep), noise(16, 16), (4, 8)) < 1e-5  # within it too


def test_sides_that_are_no_whole_factor_need_no_padding():
    """With the published padding the end of the map would be zeros."""
    unet, config = small_unet(), CONFIG.replace(mode="paper", wrap="width")
    with fouriscale(unet, config, scheduler=SCHEDULER, vae_scale_factor=1, guided=False):
        assert shift_error(lambda x: answer(unet, x), noise(20, 28), (0, 12)) < 1e-5


def test_downsampling_that_is_padded_outside_the_convolution():
    unet = small_unet(downsample_padding=0)
    with wrap(unet, "both", vae_scale_factor=1):
        assert shift_error(lambda x: answer(unet, x), noise(16, 16), (4, 8)) < 1e-5


@torch.no_grad()
def test_the_autoencoder_both_ways():
    vae, latents, pixels = models.parts("SD")["vae"], noise(8, 12), noise(64, 96, channels=3)
    left = traces(vae)
    with wrap(vae, "width"):
        assert shift_error(lambda z: vae.decode(z).sample, latents, (0, 5), 8) < 1e-5
        assert shift_error(lambda z: vae.decode(z).sample, latents, (5, 0), 8) > 0.01
        assert shift_error(lambda x: vae.encode(x).latent_dist.parameters, pixels, (0, 24), 1 / 8) < 1e-5
        assert shift_error(lambda x: vae.encode(x).latent_dist.parameters, pixels, (24, 0), 1 / 8) > 0.01
    assert traces(vae) == left
    apply_wrap(vae, "both")
    apply_wrap(vae, "height")
    assert shift_error(lambda z: vae.decode(z).sample, latents, (5, 0), 8) < 1e-5
    assert shift_error(lambda z: vae.decode(z).sample, latents, (0, 5), 8) > 0.01
    assert remove_wrap(vae) is vae
    assert traces(vae) == left


@torch.no_grad()
@pytest.mark.parametrize("axis", ["width", "height", "both"])
def test_tiles_wrap_round(axis):
    """The picture goes on for an overlap, and what is made of that fades into its beginning."""
    vae, latents = models.parts("SD")["vae"], noise(20, 24)
    vae.enable_tiling()
    try:
        with wrap(vae, axis):
            ours = vae.decode(latents).sample
            moments = vae.encode(noise(160, 192, channels=3)).latent_dist.parameters
        down, right = (axis in (name, "both") for name in ("height", "width"))
        longer = torch.cat([latents, latents[:, :, :4]], 2) if down else latents
        longer = torch.cat([longer, longer[..., :4]], 3) if right else longer
        whole = vae.decode(longer).sample
    finally:
        vae.disable_tiling()
    assert ours.shape[-2:] == (160, 192)
    assert moments.shape[-2:] == (20, 24)
    rest = (..., slice(32 * down, 160), slice(32 * right, 192))
    assert torch.equal(ours[rest], whole[rest])
    if right:
        torch.testing.assert_close(
            ours[..., 40:150, 0], whole[..., 40:150, 192]
        )  # the end goes on in the beginning
        middle = (whole[..., 40:150, 208] + whole[..., 40:150, 16]) / 2
        torch.testing.assert_close(ours[..., 40:150, 16], middle)
    if down:
        torch.testing.assert_close(ours[..., 0, 40:180], whole[..., 160, 40:180])


def sample(pipe, latents=None, **further):
    """Pictures (1, 3, height, width) after two steps with guidance."""
    generator = torch.Generator().manual_seed(5)
    given = dict(
        prompt_embeds=noise(7, 32, channels=1)[0],
        negative_prompt_embeds=noise(7, 32, channels=1, seed=1)[0],
        num_inference_steps=2,
        output_type="pt",
        generator=generator,
    )
    if latents is not None:
        given |= dict(latents=latents, height=8 * latents.shape[2], width=8 * latents.shape[3])
    return pipe(**given | further).images


def test_a_pipelines_picture_and_per_pipeline():
    pipe, other = models.pipeline("SD"), models.pipeline("SD")
    latents, left = noise(16, 16), {name: traces(models.parts("SD")[name]) for name in ("unet", "vae")}
    plain = sample(pipe, latents)
    apply_wrap(pipe, "width")
    wrapped = sample(pipe, latents)
    assert relative(sample(pipe, latents.roll(6, 3)), wrapped.roll(48, 3)) < 1e-5
    assert torch.equal(sample(other, latents), plain)  # shares UNet and autoencoder, and does not wrap
    kin = StableDiffusionImg2ImgPipeline.from_pipe(pipe)
    assert current_wrap(kin) == "width"
    assert remove_wrap(pipe) is pipe
    assert torch.equal(sample(pipe, latents), plain)
    assert {name: traces(models.parts("SD")[name]) for name in left} == left


def test_control_pictures_wrap_too():
    picture, latents = noise(128, 128, channels=3).sigmoid(), noise(16, 16)
    for kind, name, net in (
        (StableDiffusionControlNetPipeline, "controlnet", models.controlnet("SD")),
        (StableDiffusionAdapterPipeline, "adapter", models.t2i_adapter("SD")),
    ):
        pipe = models.pipeline("SD", kind, **{name: net})
        left = traces(net)
        with wrap(pipe, "both"):
            given = dict(image=picture, output_type="latent")
            wrapped = sample(pipe, latents, **given)
            given["image"] = picture.roll((32, 64), (2, 3))
            moved = sample(pipe, latents.roll((4, 8), (2, 3)), **given)
        assert relative(moved, wrapped.roll((4, 8), (2, 3))) < 1e-5
        assert traces(net) == left


@pytest.mark.slow
def test_pictures_to_start_from(monkeypatch):
    monkeypatch.setattr(DiagonalGaussianDistribution, "sample", lambda self, generator=None: self.mode())
    picture = noise(128, 128, channels=3).sigmoid()
    mask = torch.zeros(1, 1, 128, 128)
    mask[..., 32:96] = 1
    for kind, further in (
        (StableDiffusionImg2ImgPipeline, {}),
        (StableDiffusionInpaintPipeline, {"mask_image": mask}),
    ):
        pipe = models.pipeline("SD", kind)
        pipe.scheduler.add_noise = lambda original, noise, timesteps: (
            original
        )  # what is drawn cannot be rolled
        apply_fouriscale(pipe, models.CONFIG.replace(wrap="width"))

        def run(shift, pipe=pipe, further=further):
            moved = {name: value.roll(shift, 3) for name, value in (further | {"image": picture}).items()}
            return sample(pipe, strength=0.5, **moved)

        assert relative(run(64), run(0).roll(64, 3)) < 1e-5
        remove_fouriscale(pipe)


def test_wrapping_and_fouriscale_keep_each_other():
    pipe = models.pipeline("SD")
    left = traces(pipe.unet)
    apply_wrap(pipe, "width")
    assert current_state(pipe) is None
    apply_fouriscale(pipe, models.CONFIG)
    assert (current_wrap(pipe), current_state(pipe).config) == ("width", models.CONFIG)
    remove_fouriscale(pipe)
    assert (current_wrap(pipe), current_state(pipe)) == ("width", None)
    with fouriscale(pipe, models.CONFIG.replace(wrap="height")):
        assert current_wrap(pipe) == "both"
        with wrap(pipe, "none"):
            assert current_wrap(pipe) == "height"
        assert current_wrap(pipe) == "both"
        with wrap(pipe, "both"):
            assert current_state(pipe).config.wrap == "height"
        remove_wrap(pipe)
        assert current_wrap(pipe) == "height"
    assert current_wrap(pipe) == "width"
    apply_wrap(pipe, "none")
    assert current_wrap(pipe) == "none"
    assert traces(pipe.unet) == left


def test_a_unet_by_itself_leaves_its_pipelines_their_settings():
    pipe = models.pipeline("SD")
    apply_fouriscale(pipe, models.CONFIG)
    with wrap(pipe.unet, "width"):
        assert current_state(pipe).config == models.CONFIG
    assert current_state(pipe).config == models.CONFIG
    remove_fouriscale(pipe)


@pytest.mark.parametrize("beyond", [False, True])
def test_sides_that_do_not_divide_are_refused(beyond):
    pipe = models.pipeline("SD")
    if beyond:
        apply_fouriscale(pipe, models.CONFIG.replace(wrap="width"))
    else:
        apply_wrap(pipe, "width")
    with pytest.raises(ValueError, match=r"width 136 cannot wrap: .* a multiple of 16 .* such as 128 or 144"):
        sample(pipe, noise(16, 17))
    sample(pipe, noise(15, 16))  # the other axis may have any
    remove_wrap(remove_fouriscale(pipe))


def test_what_cannot_wrap_is_refused_and_nothing_changes():
    pipe = models.pipeline("SD")
    left = traces(pipe.unet)
    with pytest.raises(ValueError, match="wrap='sideways': must be one of none, width, height, both"):
        apply_wrap(pipe, "sideways")
    channels = (4,) * 4
    tiny = AutoencoderTiny(encoder_block_out_channels=channels, decoder_block_out_channels=channels)
    with pytest.raises(ValueError, match="is a AutoencoderTiny: pictures wrap with an AutoencoderKL or"):
        apply_wrap(models.pipeline("SD", vae=tiny), "width")
    conv = pipe.vae.decoder.conv_in
    conv._conv_forward = lambda x, weight, bias: x
    with pytest.raises(ValueError, match=r"the convolution decoder\.conv_in is already patched"):
        apply_fouriscale(pipe, models.CONFIG.replace(wrap="width"))
    del conv._conv_forward
    assert traces(pipe.unet) == left
    assert current_wrap(pipe) == "none"


def test_a_controlnet_that_came_later_is_refused():
    pipe = models.pipeline("SD")
    with wrap(pipe, "width"):
        later = StableDiffusionControlNetPipeline.from_pipe(pipe, controlnet=models.controlnet("SD"))
        with pytest.raises(
            ValueError, match="has a ControlNetModel that does not wrap with its denoiser: call apply_wrap"
        ):
            sample(later, noise(16, 16), image=torch.zeros(1, 3, 128, 128))
