"""Positions by rule on tiny FLUX, Chroma and FLUX.2: what is changed, what is not, and how it is undone."""

import copy
import math
from dataclasses import dataclass

import pytest
import torch

from fouriscale import apply_fouriscale, remove_fouriscale
from fouriscale.hooks.patch import current_state
from fouriscale.hooks.rotary_families import FAMILIES
from fouriscale.position_config import PositionConfig
from tests.tiny import text_pipelines

PROMPT = "a red cat"
NAMES = ["flux", "chroma", "flux2"]


@dataclass
class Attached:
    pipe: object

    def close(self):
        remove_fouriscale(self.pipe)


def attached(pipe, **settings):
    """Positions on a pipeline that was trained at 16 x 16 px, with a block's manners."""
    apply_fouriscale(pipe, PositionConfig(**{"training_sizes": (16, 16), **settings}))
    return Attached(pipe)


def embeddings(pipe, name, **call):
    """(ids, cos, sin) of every call of the module that makes positions, in one run."""
    seen = []

    def look(_, args, output):
        seen.append((args[0].clone(), *(part.clone() for part in output)))

    hook = pipe.transformer.pos_embed.register_forward_hook(look)
    try:
        image = text_pipelines.run(pipe, name, PROMPT, **call)
    finally:
        hook.remove()
    return seen, image


def test_settings_by_name(tiny):
    pipe = tiny("flux")
    try:
        apply_fouriscale(pipe, PositionConfig((16, 16)), rule="ntk", shift="pipeline")
        assert current_state(pipe).config == PositionConfig((16, 16), rule="ntk", shift="pipeline")
        with pytest.raises(ValueError, match=r"^mode='fast': is no setting of a transformer"):
            apply_fouriscale(pipe, PositionConfig((16, 16)), mode="fast")
        assert current_state(pipe).config.rule == "ntk"
    finally:
        remove_fouriscale(pipe)


@pytest.mark.parametrize("name", NAMES)
def test_interpolated_positions_are_those_of_halved_ids(tiny, name):
    pipe = tiny(name)
    stock, plain = embeddings(pipe, name)  # 32 x 32 px, twice the training size
    positions = attached(pipe, temperature="none")
    try:
        scaled, image = embeddings(pipe, name)
    finally:
        positions.close()
    assert not torch.equal(image, plain)
    changed = 0
    for (ids, cos, sin), (_, *own) in zip(scaled, stock, strict=True):
        halved = ids.float()
        halved[:, 1:3] /= 2
        expected = pipe.transformer.pos_embed(halved)
        if name == "flux2" and not ids[:, 1:3].any():
            expected = own  # the text's
        else:
            changed += 1
        assert torch.allclose(cos, expected[0], atol=1e-6)
        assert torch.allclose(sin, expected[1], atol=1e-6)
    assert changed


@pytest.mark.parametrize("name", NAMES)
def test_the_temperature_is_for_the_images_rows_alone(tiny, name):
    pipe = tiny(name)
    plain = attached(pipe, temperature="none")
    try:
        cold, _ = embeddings(pipe, name)
    finally:
        plain.close()
    positions = attached(pipe, temperature=1.5)
    try:
        warm, _ = embeddings(pipe, name)
    finally:
        positions.close()
    axes = pipe.transformer.pos_embed.axes_dim
    spatial = slice(axes[0], axes[0] + axes[1] + axes[2])
    for (ids, *cold_parts), (_, *warm_parts) in zip(cold, warm, strict=True):
        is_image = ids[:, 1:3].any(1)  # all but the first token of the picture, whose ids are the text's
        for one, other in zip(cold_parts, warm_parts, strict=True):
            assert torch.allclose(other[is_image, spatial], 1.5 * one[is_image, spatial], atol=1e-6)
            assert torch.equal(other[:, : axes[0]], one[:, : axes[0]])
            if name != "flux2":
                text = len(ids) - int(is_image.sum()) - 1
                assert torch.equal(other[:text], one[:text])


@pytest.mark.parametrize("name", NAMES)
def test_within_the_training_size_nothing_is_changed_and_afterwards_neither(tiny, name):
    pipe = tiny(name)
    plain = text_pipelines.run(pipe, name, PROMPT)
    hooks = copy.copy(pipe.transformer._forward_hooks), copy.copy(pipe.transformer.pos_embed._forward_hooks)
    for size in ((32, 32), (30, 32)):
        positions = attached(pipe, training_sizes=size)
        try:
            assert torch.equal(text_pipelines.run(pipe, name, PROMPT), plain)
        finally:
            positions.close()
    positions = attached(pipe)
    try:
        assert not torch.equal(text_pipelines.run(pipe, name, PROMPT), plain)
    finally:
        positions.close()
    assert torch.equal(text_pipelines.run(pipe, name, PROMPT), plain)
    assert (pipe.transformer._forward_hooks, pipe.transformer.pos_embed._forward_hooks) == hooks
    assert "set_timesteps" not in vars(pipe.scheduler)


def test_ids_that_collide_in_half_precision_are_told_apart():
    """bf16 holds whole numbers to 256 only: two rows beyond have equal ids, and yet their own positions."""
    from tests.tiny.flux_pipelines import flux

    pipe = flux()
    positions = attached(pipe)
    rows, columns = 300, 2
    ids = torch.zeros(rows, columns, 3)
    ids[..., 1], ids[..., 2] = torch.arange(rows)[:, None], torch.arange(columns)
    halved = ids.reshape(-1, 3).bfloat16()
    assert len(halved[:, 1].unique()) < rows
    tokens = current_state(pipe).tokens_of(halved)
    positions.close()
    assert tokens.size == (rows, columns)
    assert torch.equal(tokens.places, ids.reshape(-1, 3)[:, 1:])


class Unread(torch.Tensor):
    """A tensor that nobody may wait for."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if getattr(func, "__name__", "") in ("item", "cpu", "tolist", "__bool__", "__float__", "__int__"):
            raise AssertionError(f"{func.__name__} waits for the device")
        return super().__torch_function__(func, types, args, kwargs or {})


@pytest.mark.parametrize("rule", ["interpolate", "ntk", "yarn"])
def test_the_noise_is_followed_and_never_read(tiny, rule):
    pipe = tiny("flux")
    positions = attached(pipe, rule=rule, dynamic=True, temperature="none")
    try:
        found = []
        for level in (1.0, 0.5, 0.0):
            call = {
                "hidden_states": torch.zeros(1, 64, 16),
                "encoder_hidden_states": torch.zeros(1, 3, 32),
                "pooled_projections": torch.zeros(1, 16),
                "timestep": torch.tensor([level]).as_subclass(Unread),
                "img_ids": torch.tensor([[0.0, y, x] for y in range(8) for x in range(8)]),
                "txt_ids": torch.zeros(3, 3),
            }
            pipe.transformer.pos_embed.register_forward_hook(lambda _, __, out: found.append(out))
            with torch.no_grad():
                pipe.transformer(**call)
            pipe.transformer.pos_embed._forward_hooks.popitem()
    finally:
        positions.close()
    stock = pipe.transformer.pos_embed(torch.cat([torch.zeros(3, 3), call["img_ids"]]))
    distances = [float((cos.as_subclass(torch.Tensor) - stock[0]).abs().max()) for cos, _ in found]
    assert distances[0] >= distances[1] > distances[2]
    assert distances[2] < 1e-6


def last_sigma(pipe, tokens, steps):
    """Of a schedule as the pipeline makes it for so many image tokens."""
    mu = FAMILIES[type(pipe.transformer).__name__].shift(pipe, tokens, steps)
    sigmas = torch.linspace(1.0, 1 / steps, steps).tolist()
    pipe.scheduler.set_timesteps(sigmas=sigmas, mu=mu, device="cpu")
    return mu, float(pipe.scheduler.sigmas[-2])


@pytest.mark.parametrize(
    ("name", "side", "mu_there", "mu_in_training"),
    [
        *(
            (name, 64, 11.55, 1.15)
            for name in ("flux", "chroma", "qwen_image", "z_image", "lumina2", "krea2")
        ),
        ("flux2", 64, 11.55, 2.1515),  # 28 steps lie between those of 200 and of 10, 1.15 and 2.256
        ("sd3", 16, 11.55, 0.5),
    ],
)
def test_the_last_step_at_4096_pixels_still_denoises(tiny, name, side, mu_there, mu_in_training):
    """Trained at `side` x `side` tokens; 4096 pixels are 256 x 256 tokens."""
    pipe = tiny(name)
    scheduler = pipe.scheduler
    pipe.scheduler = type(scheduler).from_config(scheduler.config, use_dynamic_shifting=True)
    training = (side * FAMILIES[type(pipe.transformer).__name__].token_pixels(pipe),) * 2
    try:
        mu, stock = last_sigma(pipe, 256 * 256, 28)
        assert mu == pytest.approx(mu_there, abs=0.01)
        assert stock > 0.999
        for settings, expected in (
            ({}, mu_in_training),
            ({"shift": 0.25}, 0.25),
            ({"shift": "pipeline"}, mu),
        ):
            positions = attached(pipe, training_sizes=training, **settings)
            _, last = last_sigma(pipe, 256 * 256, 28)
            positions.close()
            assert last == pytest.approx(math.exp(expected) / (math.exp(expected) + 27), rel=1e-3)
        assert last_sigma(pipe, 256 * 256, 28)[1] == stock
    finally:
        pipe.scheduler = scheduler
