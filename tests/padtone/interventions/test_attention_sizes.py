"""Attention to padding at several sizes: the same shares as one size gives alone, and every row of padding named."""

import pytest
import torch

import padtone
from padtone.interventions.attention_sizes import scaled_sizes, size_multiple, training_size
from padtone.maths.attention_sizes import ADDED
from tests.tiny import text_pipelines

PROMPT = "a red cat"


def call(name):
    return {"output_type": "latent"} | text_pipelines.CALL[name]


@pytest.mark.parametrize("name", ["sd1", "flux", "z_image", "pixart_alpha"])
def test_each_size_as_it_is_alone(tiny, name):
    pipe = tiny(name)
    small, large = padtone.attention_by_size(pipe, PROMPT, [(32, 32), (64, 32)], queries=9, **call(name))
    alone = padtone.attention_to_padding(pipe, PROMPT, queries=9, **call(name), height=64, width=32)
    assert [(entry.height, entry.width) for entry in (small, large)] == [(32, 32), (64, 32)]
    assert large.shares.groups == alone.groups
    for ours, theirs in zip(large.shares.layers, alone.layers, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)
    for entry in (small, large):
        assert float(entry.padding.sum(-1).mean()) == pytest.approx(entry.shares.share("padding"), abs=1e-6)
        assert len(entry.layers) == len(set(entry.layers)) == len(entry.padding)
        assert all(name.split(".")[-1].startswith("att") for name in entry.layers)
    (roles,) = (
        e
        for e in padtone.token_roles(pipe, PROMPT, **text_pipelines.text_options(name))
        if e.rows is not None
    )
    assert small.rows == ((ADDED,) if name == "z_image" else tuple(roles.at("padding")))
    joint = name in ("flux", "z_image")
    assert (small.shares.even("padding") > large.shares.even("padding")) == joint  # more image, the same text
    assert (small.shares.even("image") > 0) == joint


def test_even_is_the_part_of_the_keys(tiny):
    """FLUX: 24 rows of text, 20 of them padding, beside 64 patches of the image."""
    (entry,) = padtone.attention_by_size(tiny("flux"), PROMPT, [(32, 32)], **call("flux"))
    assert entry.shares.even("padding") == pytest.approx(20 / 88)
    assert entry.shares.even("image") == pytest.approx(64 / 88)


@pytest.mark.parametrize("name", ["sd1", "flux", "sd3", "sana"])
def test_sizes_that_a_pipeline_takes(tiny, name):
    """The training size is one, and so is whatever is derived from it."""
    pipe = tiny(name)
    size, multiple = training_size(pipe), size_multiple(pipe)
    assert all(side % multiple == 0 for side in size)
    wanted = (0.3, 1, 1.6)
    for scale, (height, width) in zip(wanted, scaled_sizes((96, 64), wanted, multiple), strict=True):
        assert height % multiple == width % multiple == 0
        assert abs(height - 96 * scale) <= multiple / 2


def test_a_size_is_never_nothing():
    assert scaled_sizes((64, 64), (0.01, 1), 16) == [(16, 16), (64, 64)]


def test_a_pipeline_that_does_not_say_its_size(tiny, monkeypatch):
    monkeypatch.delattr(tiny("sd1"), "vae_scale_factor")
    with pytest.raises(ValueError, match="StableDiffusionPipeline does not say at which size it was trained"):
        training_size(tiny("sd1"))


@pytest.mark.parametrize(
    ("scales", "sentence"),
    [((1, 1.01), "two of them give 64x64"), ((1, 10_000), "height=640000: must be a whole number from 8")],
)
def test_bad_scales(scales, sentence):
    with pytest.raises(ValueError, match=sentence):
        scaled_sizes((64, 64), scales, 8)


@pytest.mark.parametrize(
    ("sizes", "more", "sentence"),
    [
        ([], {}, r"sizes is \[\]; it is a sequence of different"),
        ("1,2", {}, "sizes is '1,2'"),
        ([(32, 32), (32, 32)], {}, "it is a sequence of different"),
        ([32], {}, r"sizes is \[32\]"),
        ([(32, 33)], {}, "width=33: StableDiffusionPipeline takes multiples of "),
        ([(0, 32)], {}, "height=0: must be a whole number from 8"),
        ([(32, 32)], {"height": 64}, "height is 64; here sizes says it"),
        ([(32, 32)], {"queries": 0}, "queries is 0"),
        ([(32, 32)], {"seed": -1}, r"seeds is \[-1\]"),
    ],
)
def test_bad_input(tiny, sizes, more, sentence):
    with pytest.raises(ValueError, match=sentence):
        padtone.attention_by_size(tiny("sd1"), PROMPT, sizes, **more)
