"""What is measured of a UNet: the wrapped one reads 0, and simple networks what can be worked out."""

from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional as F

from fouriscale import fouriscale
from fouriscale.borders import GROUPS
from fouriscale.borders.measure import Denoiser, Inputs, errors, gradients, noise_error, position
from fouriscale.borders.ways import COMPARISONS, DEEP, DILATED, DIRECT, Comparison, Way
from fouriscale.hooks.block_maps import block_maps
from fouriscale.hooks.border import bordered
from fouriscale.maths.choices import BORDERS
from tests.tiny.bare_unets import CONFIG, SCHEDULER, call, small_unet

LEVELS = {500: 0.3}


def denoiser(unet):
    return Denoiser(unet, CONFIG, 1, "v_prediction", LEVELS)


def batches(size, rows=1, channels=4):
    for group in range(GROUPS):
        generator = torch.Generator().manual_seed(group)
        clean, noise = torch.randn(2, rows, channels, *size, generator=generator)
        text = torch.randn(rows, 5, 8, generator=generator)
        yield Inputs(group, clean, noise, {"encoder_hidden_states": text}, (8, 4))


@pytest.fixture(scope="module")
def unet():
    return small_unet()


@pytest.fixture(scope="module")
def direct(unet):
    return position(denoiser(unet), Comparison(1, DIRECT, BORDERS), batches((16, 16)), 500)


def test_the_wrapped_network_reads_0(direct):
    wrapped = direct["wrapped"]["blocks"]
    assert list(wrapped) == ["down 0", "down 1", "down 2", "mid", "up 0", "up 1", "up 2", "prediction"]
    for block, figures in wrapped.items():
        assert figures["snr"]["high"] < 1e-6, block
        assert figures["mae"]["value"] < 1e-5, block
        assert max(map(max, figures["map"])) < 1e-6
    plain = direct["direct"]["blocks"]
    assert all(figures["mae"]["value"] > 1e-2 for name, figures in plain.items())
    assert plain["mid"]["snr"]["value"] > 1e-3
    assert direct["direct"]["rings"][0] > direct["direct"]["rings"][-1]  # the pattern lies at the border


def test_each_border_is_another_network_and_nothing_is_left_behind(direct, unet):
    values = [direct[name]["blocks"]["prediction"]["mae"]["value"] for name in ("direct", "direct, partial")]
    values += [direct[f"direct, {name}"]["blocks"]["prediction"]["mae"]["value"] for name in BORDERS[2:]]
    assert len(set(values)) == len(BORDERS)
    torch.testing.assert_close(call(unet, (16, 16)), call(small_unet(), (16, 16)), rtol=0, atol=0)
    assert not any("_conv_forward" in vars(module) for module in unet.modules())
    assert not any(module._forward_hooks for module in unet.modules())


def test_large_ways_have_a_wrapped_network_of_their_own():
    unet, totals = small_unet(2), set()
    for method in (DIRECT, DILATED, DEEP):
        found = errors(denoiser(unet), Comparison(2, method), batches((32, 32)), 500)
        assert set(found) == {method, "wrapped"}
        assert len(found[method]["rings"]) == 16
        totals |= {one["total"]["value"] for one in found.values()}
    assert len(totals) == 6


def test_every_border_and_method_of_the_task_is_compared():
    ways = {(way.scale, way.method, way.border) for one in COMPARISONS for way in one.ways}
    assert {(scale, DIRECT, "zeros") for scale in (1, 2, 4)} <= ways
    assert {(scale, method, "zeros") for scale in (2, 4) for method in (DILATED, DEEP)} <= ways
    assert {(1, DIRECT, border) for border in BORDERS} | {(2, DILATED, border) for border in BORDERS} <= ways
    assert Way(2, DILATED, "reflect").title == "dilated, reflect, 2x"


@pytest.mark.parametrize("border", ["reflect", "replicate"])
def test_a_border_is_what_torch_pads_with(unet, border):
    conv, x = unet.conv_in, torch.randn(1, 4, 6, 7)
    expected = F.conv2d(F.pad(x, (1, 1, 1, 1), mode=border), conv.weight, conv.bias)
    with bordered(unet, border):
        torch.testing.assert_close(conv(x), expected)
    torch.testing.assert_close(conv(x), F.conv2d(x, conv.weight, conv.bias, padding=1))


def test_borders_that_cannot_be_set(unet):
    with (
        pytest.raises(ValueError, match="border='round': must be one of zeros, partial"),
        bordered(unet, "round"),
    ):
        pass
    with (
        fouriscale(unet, CONFIG.replace(mode="paper"), scheduler=SCHEDULER, vae_scale_factor=1),
        pytest.raises(
            ValueError, match=r"FouriScale is applied to this UNet, such as to .*: call remove_fouriscale"
        ),
        bordered(unet, "reflect"),
    ):
        pass


@pytest.mark.parametrize(
    ("kind", "right"),
    [
        ("epsilon", lambda clean, noise: noise),
        ("v_prediction", lambda clean, noise: 0.3**0.5 * noise - 0.7**0.5 * clean),
        ("sample", lambda clean, noise: clean),
    ],
)
def test_every_prediction_is_held_against_the_noise(kind, right):
    inputs = next(batches((4, 4)))
    prediction = right(inputs.clean, inputs.noise)
    torch.testing.assert_close(noise_error(prediction, inputs, 0.3, kind), torch.zeros_like(inputs.noise))
    # The noise that a prediction stands for, from the latents' own equation: x = a clean + b noise.
    wrong = prediction + 0.1
    noisy = inputs.noised(0.3)
    noise = {
        "epsilon": wrong,
        "v_prediction": 0.3**0.5 * wrong + 0.7**0.5 * noisy,
        "sample": (noisy - 0.3**0.5 * wrong) / 0.7**0.5,
    }[kind]
    torch.testing.assert_close(noise_error(wrong, inputs, 0.3, kind), noise - inputs.noise)


def test_the_gradient_of_a_convolution_of_ones_counts_who_sees_a_place():
    def ones(sample, timestep, **_):
        return SimpleNamespace(sample=F.conv2d(sample, torch.ones(1, 1, 3, 3), padding=1))

    found = gradients(denoiser(ones), Way(1, DIRECT), batches((5, 5), rows=250, channels=1), 500, seed=0)
    # 9 places see one inside, 6 one at an edge, 4 a corner: means 9 and (12 * 6 + 4 * 4) / 16 of 169 / 25.
    mean = 169 / 25
    at_border, inside = found["rings"][0], found["rings"][1]
    assert at_border["value"] == pytest.approx(5.5 / mean, rel=0.05)
    assert inside["value"] == pytest.approx(9 / mean, rel=0.05)
    assert found["map"][0][0] == pytest.approx(4 / mean, rel=0.15)


def test_block_maps_are_the_latest_calls(unet):
    with block_maps(unet) as maps:
        call(unet, (16, 16))
        assert maps["down 0"].shape[-2:] == (8, 8)
        assert maps["mid"].shape[-2:] == (4, 4)
        call(unet, (32, 16))
    assert maps["mid"].shape[-2:] == (8, 4)
