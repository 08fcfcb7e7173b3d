import diffusers
import numpy as np
import pytest
import torch

from fouriscale import FouriScaleConfig, apply_fouriscale
from fouriscale.loading.pipeline import load_pipeline
from fouriscale.sampling.generate import compare, generate, remake, sampling_defaults
from fouriscale.sampling.vae import decoder_bytes

SIZE = dict(height=136, width=192)
CONFIG = FouriScaleConfig.preset("shapeworld", mode="paper")


@pytest.fixture(scope="module")
def pipe(tiny_model):
    pipe = load_pipeline(str(tiny_model), device="cpu")
    pipe.set_progress_bar_config(disable=True)
    return pipe


def pixels(image):
    return np.asarray(image, dtype=int)


def test_direct_sampling_is_the_pipelines_own_call(pipe):
    (picture,) = generate(pipe, "a red circle", seed=3, steps=2, guidance=2.0, **SIZE)
    plain = pipe(
        "a red circle",
        generator=torch.Generator().manual_seed(3),
        num_inference_steps=2,
        guidance_scale=2.0,
        **SIZE,
    ).images[0]
    assert (pixels(picture.image) == pixels(plain)).all()
    assert picture.recipe.config is None


@pytest.mark.slow
def test_noise_depends_on_the_seed_and_not_on_the_batch(pipe):
    batch = generate(pipe, ["a red circle", "a blue square"], seed=[1, 2], steps=2, config=CONFIG, **SIZE)
    (alone,) = generate(pipe, "a blue square", seed=2, steps=2, config=CONFIG, **SIZE)
    (other,) = generate(pipe, "a blue square", seed=1, steps=2, config=CONFIG, **SIZE)
    apart = np.abs(pixels(batch[1].image) - pixels(alone.image)).max()
    assert apart <= 1
    assert np.abs(pixels(other.image) - pixels(alone.image)).max() > 10
    assert [(p.recipe.batch_size, p.recipe.batch_index, p.recipe.seed) for p in batch] == [
        (2, 0, 1),
        (2, 1, 2),
    ]


@pytest.mark.slow
def test_a_picture_of_a_batch_is_remade_bit_for_bit(pipe, tiny_model):
    pipe.scheduler = diffusers.EulerDiscreteScheduler.from_config(
        pipe.scheduler.config, use_karras_sigmas=True
    )
    batch = generate(
        pipe,
        ["a red circle", "a cyan square"],
        seed=[1, 2],
        steps=3,
        negative_prompt="blue",
        config=CONFIG,
        **SIZE,
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    again = remake(load_pipeline(str(tiny_model), device="cpu"), batch[1].recipe)
    assert (pixels(again) == pixels(batch[1].image)).all()
    assert torch.get_num_threads() == threads


def test_comparison_shows_both(pipe):
    settings = dict(seed=1, steps=2, **SIZE)
    both = compare(pipe, "a red circle", config=CONFIG, **settings)
    (direct,) = generate(pipe, "a red circle", **settings)
    (scaled,) = generate(pipe, "a red circle", config=CONFIG, **settings)
    shown = pixels(both.image)
    assert (shown[-136:, :192] == pixels(direct.image)).all()
    assert (shown[-136:, -192:] == pixels(scaled.image)).all()
    assert (pixels(direct.image) != pixels(scaled.image)).any()
    assert (shown[:-136] < 128).any()  # the labels
    assert both.recipe.compare


def test_steps_and_dilation_are_reported(pipe):
    seen = []
    config = CONFIG.replace(start=0.0, stop=0.5)
    generate(pipe, "a red circle", steps=4, config=config, on_step=lambda *now: seen.append(now), **SIZE)
    assert [step for step, _, _ in seen] == [1, 2, 3, 4]
    assert {total for _, total, _ in seen} == {4}
    assert [dilation > 1 for _, _, dilation in seen] == [True, True, False, False]


def test_tiling_is_recorded_and_taken_back(pipe):
    (picture,) = generate(pipe, "a red circle", steps=1, vae_tiling=True, **SIZE)
    assert picture.recipe.vae_tiling
    assert not pipe.vae.use_tiling
    (whole,) = generate(pipe, "a red circle", steps=1, **SIZE)
    assert not whole.recipe.vae_tiling
    assert (pixels(picture.image) != pixels(whole.image)).any()


def test_a_picture_too_large_for_memory_is_decoded_in_tiles(pipe, monkeypatch):
    needed = decoder_bytes(pipe.vae, **SIZE, batch=1)
    for free, tiled in ((needed, False), (needed - 1, True)):
        monkeypatch.setattr("fouriscale.sampling.vae._free_bytes", lambda device, free=free: free)
        (picture,) = generate(pipe, "a red circle", steps=1, **SIZE)
        assert picture.recipe.vae_tiling is tiled


def test_decoder_bytes_by_hand(pipe):
    # Four maps of 32 channels, 2 pictures of 136 x 192 pixels, 4 bytes each.
    assert decoder_bytes(pipe.vae, 136, 192, batch=2) == 4 * 32 * 2 * 136 * 192 * 4


def test_defaults_are_the_pipelines_own(pipe):
    assert sampling_defaults(pipe) == (50, 7.5)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"width": 190}, "width 190, height 136 does not fit"),
        ({"seed": -1}, "seed=-1"),
        ({"steps": 0}, "steps=0"),
        ({"guidance": float("nan")}, "guidance=nan"),
        ({"seed": [1, 2]}, "1 prompts and 2 seeds"),
    ],
)
def test_refused_settings(pipe, change, sentence):
    with pytest.raises(ValueError, match=sentence):
        generate(pipe, "a red circle", **(SIZE | change))


def test_direct_sampling_of_an_applied_pipeline_is_refused(tiny_model):
    pipe = apply_fouriscale(load_pipeline(str(tiny_model), device="cpu"))
    with pytest.raises(ValueError, match="remove_fouriscale"):
        generate(pipe, "a red circle", **SIZE)


def test_only_schedulers_come_out_of_a_recipe(pipe):
    (picture,) = generate(pipe, "a red circle", steps=1, **SIZE)
    for name in ("DiffusionPipeline", "os", None):
        with pytest.raises(ValueError, match=f"scheduler {name!r} is none of diffusers'"):
            remake(pipe, picture.recipe.model_copy(update={"scheduler": {"class": name}}))
