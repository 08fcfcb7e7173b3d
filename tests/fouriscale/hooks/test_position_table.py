"""SD 3's table of positions: read between its entries, with a temperature, and put back."""

import pytest
import torch

from fouriscale import apply_fouriscale, fouriscale, remove_fouriscale
from fouriscale.position_config import PositionConfig
from tests.tiny import text_pipelines

PROMPT = "a red cat"


def call(pipe, height, width):
    """The transformer's output for latents of so many rows and columns."""
    noise = torch.Generator().manual_seed(0)
    with torch.no_grad():
        return pipe.transformer(
            torch.randn(1, 4, height, width, generator=noise),
            torch.randn(1, 3, 32, generator=noise),
            torch.randn(1, 32, generator=noise),
            torch.tensor([500.0]),
            return_dict=False,
        )[0]


def looked_at(pipe, module):
    """The module's output in a call for 32 x 32 px, and the call's."""
    seen = []
    hook = module.register_forward_hook(lambda _, __, output: seen.append(output.detach().clone()))
    try:
        output = call(pipe, 16, 16)
    finally:
        hook.remove()
    return seen[0], output


def test_twice_the_training_size_lies_between_its_entries(tiny):
    pipe = tiny("sd3")
    embed = pipe.transformer.pos_embed
    stock, plain = looked_at(pipe, embed)
    with fouriscale(pipe, PositionConfig((16, 16), temperature="none")):
        scaled, image = looked_at(pipe, embed)
    table = embed.pos_embed.reshape(16, 16, -1)  # 8 x 8 tokens of which training has 4 x 4
    crop = table[4:12, 4:12].flatten(0, 1)
    added = (scaled - stock)[0] + crop
    # By hand: a token lies a quarter of an entry off two entries, and Keys' weights of a quarter are these.
    near = torch.tensor([-3.0, 29, 111, -9]) / 128
    across = [torch.einsum("k,kc->c", near, table[row, 6:10]) for row in range(6, 10)]
    expected = torch.einsum("k,kc->c", near, torch.stack(across))
    assert torch.allclose(added[4 * 8 + 4], expected, atol=1e-5)  # at row 7.75, column 7.75
    assert not torch.equal(image, plain)
    again, restored = looked_at(pipe, embed)
    assert torch.equal(again, stock)
    assert torch.equal(restored, plain)
    assert "cropped_pos_embed" not in vars(embed)


def test_beyond_the_tables_end_there_are_positions(tiny):
    pipe = tiny("sd3")
    with pytest.raises(ValueError, match="cannot be greater"):
        call(pipe, 36, 16)  # 18 tokens of a table of 16
    with fouriscale(pipe, PositionConfig((32, 32))):
        assert call(pipe, 36, 16).shape == (1, 4, 36, 16)


def test_the_temperature_is_on_the_images_queries_and_keys(tiny):
    pipe = tiny("sd3")
    block = pipe.transformer.transformer_blocks[0]
    places = [getattr(a, f"norm_{kind}") for a in (block.attn, block.attn2) for kind in "qk"]
    with fouriscale(pipe, PositionConfig((16, 16), temperature="none")):
        cold = [looked_at(pipe, place)[0] for place in places[:2]]
        text = looked_at(pipe, block.attn.norm_added_q)[0]
    with fouriscale(pipe, PositionConfig((16, 16), temperature=1.5)):
        call(pipe, 16, 16)
        assert all(len(place._forward_hooks) == 1 for place in places)
        warm = [looked_at(pipe, place)[0] for place in places[:2]]
        assert torch.equal(looked_at(pipe, block.attn.norm_added_q)[0], text)
    for one, other in zip(cold, warm, strict=True):
        assert torch.allclose(other, 1.5 * one, atol=1e-6)
    assert not any(place._forward_hooks for place in places)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"rule": "ntk"}, "rule='ntk': SD3Transformer2DModel adds positions from a table and turns nothing"),
        ({"dynamic": True}, "dynamic=True: SD3Transformer2DModel adds positions from a table"),
        (
            {"training_sizes": (16, 72)},
            "this SD3Transformer2DModel's table of positions ends at 64 pixels a side",
        ),
    ],
)
def test_what_the_table_cannot_say_is_refused(tiny, settings, sentence):
    pipe = tiny("sd3")
    with pytest.raises(ValueError, match=sentence):
        apply_fouriscale(pipe, PositionConfig(**{"training_sizes": (16, 16)} | settings))
    assert not pipe.transformer._forward_pre_hooks
    assert not vars(pipe).get("_fouriscale")
    remove_fouriscale(pipe)


@pytest.mark.slow
def test_within_the_training_size_nothing_is_changed(tiny):
    pipe = tiny("sd3")
    plain = text_pipelines.run(pipe, "sd3", PROMPT)
    with fouriscale(pipe, PositionConfig((32, 32))):
        assert torch.equal(text_pipelines.run(pipe, "sd3", PROMPT), plain)
    assert torch.equal(text_pipelines.run(pipe, "sd3", PROMPT), plain)
