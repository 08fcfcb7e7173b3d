"""Transformers' pictures that wrap: tokens turned by whole turns, what stays where it was, and what is refused."""

import pytest
import torch
from diffusers import FluxControlNetModel, FluxControlNetPipeline, FluxImg2ImgPipeline

from fouriscale import apply_fouriscale, apply_wrap, fouriscale, remove_fouriscale, remove_wrap, wrap
from fouriscale.hooks.patch import current_state
from fouriscale.hooks.wrap import current_wrap
from fouriscale.maths.positions import frequencies, stock_frequencies, whole_turns
from fouriscale.position_config import PositionConfig
from tests.fouriscale.hooks.test_patch import relative, traces
from tests.tiny import text_pipelines

ROWS, COLUMNS = 4, 8
TEXT = 5
PROMPT = "a red cat"
BEYOND = PositionConfig((16, 32), rule="yarn", temperature=1.2)  # half of 32 x 64 px


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def flux(pipe, maps, place=(0, 0)):
    """FLUX's answer to maps (1, rows, columns, channels); its text lies at a row and column of the picture."""
    rows, columns = torch.meshgrid(torch.arange(ROWS), torch.arange(COLUMNS), indexing="ij")
    maker = pipe.transformer.pos_embed

    def move(_, __, output):
        for part, turn in zip(output, (torch.cos, torch.sin), strict=True):
            for own, angles in moved(pipe, maker.axes_dim, place):
                part[:TEXT, 2 * own.start : 2 * own.stop] = turn(angles).repeat_interleave(2)
        return output

    hook = maker.register_forward_hook(move) if any(place) else None
    answer = pipe.transformer(
        hidden_states=maps.flatten(1, 2),
        encoder_hidden_states=noise(1, TEXT, 32, seed=1),
        pooled_projections=noise(1, 16, seed=2),
        timestep=torch.tensor([0.5]),
        img_ids=torch.stack([torch.zeros(ROWS, COLUMNS), rows, columns], -1).reshape(-1, 3).float(),
        txt_ids=torch.zeros(TEXT, 3),
    ).sample
    if hook:
        hook.remove()
    return answer.unflatten(1, (ROWS, COLUMNS))


@torch.no_grad()
def z_image(pipe, maps, place=(0, 0)):
    """Z-Image's, each of whose tokens is 2 x 2 latent pixels; embeds the picture first and then the text."""
    x = maps.unflatten(3, (4, 2, 2)).permute(0, 3, 1, 4, 2, 5).reshape(4, 1, 2 * ROWS, 2 * COLUMNS)
    embedder, calls = pipe.transformer.rope_embedder, []

    def move(ids):
        calls.append(embedder(ids))
        for own, angles in moved(pipe, embedder.axes_dims, place) if len(calls) == 2 else ():
            calls[-1][:, own] *= torch.polar(torch.ones_like(angles), angles)
        return calls[-1]

    pipe.transformer.rope_embedder = move
    answer = pipe.transformer([x], torch.tensor([0.25]), [noise(TEXT, 16, seed=1)])[0][0]
    pipe.transformer.rope_embedder = embedder
    tokens = answer[:, 0].unflatten(1, (ROWS, 2)).unflatten(3, (COLUMNS, 2))
    return tokens.permute(1, 3, 0, 2, 4).flatten(2)[None]


def moved(pipe, channels, place):
    """(pairs of an axis, angles (pairs,)) by which a token is turned further that many rows and columns."""
    config = current_state(pipe) and current_state(pipe).config
    for axis, (side, length) in enumerate(zip(place, (ROWS, COLUMNS), strict=True), 1):
        stock = stock_frequencies(channels[axis], THETA[type(pipe.transformer).__name__])
        if config:  # twice the training size
            stock = frequencies(config.rule, stock, 2, length / 2)
        begin = sum(channels[:axis]) // 2
        yield slice(begin, begin + channels[axis] // 2), (side * whole_turns(stock, length)).float()


FAMILIES = {"flux": flux, "z_image": z_image}
PARTS = (
    "patch_size", "in_channels", "num_layers", "num_single_layers", "attention_head_dim", "num_attention_heads",
    "joint_attention_dim", "pooled_projection_dim", "axes_dims_rope",
)  # fmt: skip
THETA = {"FluxTransformer2DModel": 10_000, "ZImageTransformer2DModel": 256.0}


def shift_error(answer, pipe, maps, shift, text):
    """How far the answer to rolled maps is from the rolled answer, relative to it.

    Args:
        text: how far the text's place goes along.
    """
    rolled = answer(pipe, maps.roll(shift, (1, 2)), text)
    return relative(rolled, answer(pipe, maps).roll(shift, (1, 2)))


@pytest.mark.slow
@pytest.mark.parametrize("config", [None, BEYOND], ids=["in training", "beyond"])
@pytest.mark.parametrize("name", FAMILIES)
def test_noise_rolled_with_its_texts_place_gives_the_rolled_answer(tiny, name, config):
    """A text lies at a row and a column, in training at those of the first token, and has to go along."""
    pipe, maps, answer = tiny(name), noise(1, ROWS, COLUMNS, 16), FAMILIES[name]
    plain, left = answer(pipe, maps), traces(pipe.transformer)
    if config:
        apply_fouriscale(pipe, config)
    for axis, along, across in (("width", (0, 3), (1, 0)), ("height", (1, 0), (0, 3))):
        with wrap(pipe, axis) as same:
            assert same is pipe
            assert shift_error(answer, pipe, maps, along, along) < 1e-5
            assert shift_error(answer, pipe, maps, along, (0, 0)) > 1e-4
            assert shift_error(answer, pipe, maps, across, across) > 1e-4  # that axis is as it was
    with wrap(pipe, "both"):
        assert shift_error(answer, pipe, maps, (3, 5), (3, 5)) < 1e-5
    remove_fouriscale(pipe)
    assert torch.equal(answer(pipe, maps), plain)
    assert traces(pipe.transformer) == left


@pytest.mark.slow
@pytest.mark.parametrize("name", [*FAMILIES, "flux2"])
def test_a_pipelines_autoencoder_wraps_with_it(tiny, name):
    pipe = tiny(name)
    plain = text_pipelines.run(pipe, name, PROMPT)
    left, errors = (traces(pipe.vae), traces(pipe.transformer)), []

    def look(vae, args, output):
        if not errors:
            errors.append(1.0)  # or it would be asked again
            errors[0] = relative(vae(args[0].roll(3, 3)), output.roll(6, 3))

    with wrap(pipe, "width"):
        assert (current_wrap(pipe), current_state(pipe)) == ("width", None)
        hook = pipe.vae.decoder.register_forward_hook(look)
        wrapped = text_pipelines.run(pipe, name, PROMPT)
        hook.remove()
        assert torch.equal(text_pipelines.run(pipe, name, PROMPT), wrapped)
    assert errors[0] < 1e-5
    assert not torch.equal(wrapped, plain)
    assert torch.equal(text_pipelines.run(pipe, name, PROMPT), plain)
    assert (traces(pipe.vae), traces(pipe.transformer)) == left


def test_positions_and_wrapping_keep_each_other(tiny):
    pipe = tiny("flux")
    plain = text_pipelines.run(pipe, "flux", PROMPT)
    left, config = traces(pipe.transformer), PositionConfig((16, 16))
    apply_wrap(pipe, "width")
    apply_fouriscale(pipe, config)
    assert (current_wrap(pipe), current_state(pipe).config) == ("width", config)
    remove_fouriscale(pipe)
    assert (current_wrap(pipe), current_state(pipe)) == ("width", None)
    with fouriscale(pipe, config.replace(wrap="height")):
        assert current_wrap(pipe) == "both"
        remove_wrap(pipe)
        assert current_wrap(pipe) == "height"
        assert FluxImg2ImgPipeline.from_pipe(pipe).transformer is pipe.transformer
    assert current_wrap(pipe) == "width"
    remove_wrap(pipe)
    assert current_wrap(pipe) == "none"
    assert torch.equal(text_pipelines.run(pipe, "flux", PROMPT), plain)
    assert traces(pipe.transformer) == left
    assert "set_timesteps" not in vars(pipe.scheduler)


def test_an_axis_that_does_not_wrap_is_as_it_was(tiny):
    pipe, seen = tiny("flux"), []
    maker = pipe.transformer.pos_embed

    def look():
        hook = maker.register_forward_hook(lambda *args: seen.append(args[2]))
        flux(pipe, noise(1, ROWS, COLUMNS, 16))
        hook.remove()

    look()
    with wrap(pipe, "height"):
        look()
    first, rows, _ = maker.axes_dim
    for stock, wrapped in zip(*seen, strict=True):
        assert not torch.equal(wrapped[:, first : first + rows], stock[:, first : first + rows])
        assert torch.equal(wrapped[:, first + rows :], stock[:, first + rows :])
        assert torch.equal(wrapped[:, :first], stock[:, :first])
        assert torch.equal(wrapped[:TEXT], stock[:TEXT])


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("sd3", r"^wrap='width': SD3Transformer2DModel adds positions from a table, whose ends do not meet"),
        (
            "qwen_image",
            r"^QwenImagePipeline's autoencoder is a AutoencoderKLQwenImage: pictures wrap with an",
        ),
    ],
)
def test_families_that_cannot_wrap(tiny, name, sentence):
    pipe = tiny(name)
    left = traces(pipe.transformer)
    with pytest.raises(ValueError, match=sentence):
        apply_wrap(pipe, "width")
    assert traces(pipe.transformer) == left
    assert current_wrap(pipe) == "none"


@pytest.mark.filterwarnings("ignore:`FluxPosEmbed` is deprecated:FutureWarning")
def test_a_transformer_by_itself_and_a_controlnet(tiny):
    pipe = tiny("flux")
    with pytest.raises(ValueError, match=r"^wrap='both': FluxTransformer2DModel without a pipeline: give"):
        apply_wrap(pipe.transformer, "both")
    control = FluxControlNetModel(**{k: pipe.transformer.config[k] for k in PARTS})
    controlled = FluxControlNetPipeline(**pipe.components, controlnet=control)
    with pytest.raises(ValueError, match=r"^wrap='width': the ControlNet of this FluxControlNetPipeline is"):
        apply_wrap(controlled, "width")
    with (
        wrap(pipe, "width"),
        pytest.raises(ValueError, match="the ControlNet of this FluxControlNetPipeline"),
    ):
        controlled(
            PROMPT, control_image=torch.zeros(1, 3, 32, 32), height=32, width=32, num_inference_steps=1,
            max_sequence_length=8, output_type="latent",
        )  # fmt: skip


def test_reference_pictures(tiny):
    pipe = tiny("flux")
    ids = torch.zeros(2 * ROWS * COLUMNS, 3)
    ids[ROWS * COLUMNS :, 0] = 1
    with (
        wrap(pipe, "width"),
        pytest.raises(
            ValueError, match=r"^wrap='width': this FluxPipeline has reference pictures beside its own"
        ),
    ):
        pipe.transformer(
            hidden_states=noise(1, len(ids), 16),
            encoder_hidden_states=noise(1, TEXT, 32),
            pooled_projections=noise(1, 16),
            timestep=torch.tensor([0.5]),
            img_ids=ids,
            txt_ids=torch.zeros(TEXT, 3),
        )
