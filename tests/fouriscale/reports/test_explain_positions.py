"""What explain says of a transformer: positions, tokens, cost and the schedule's ends."""

import pytest

from fouriscale import FouriScaleConfig, PositionConfig
from fouriscale.loading.configs import TransformerParts, transformer_parts
from fouriscale.reports.explain_model import explain_model
from fouriscale.reports.explain_positions import explain_positions, own_steps, position_sentences

CONFIG = PositionConfig.preset("shapeworld-joint")
# FLUX.1 with one block of each kind.
FLUX = TransformerParts(
    transformer={"_class_name": "FluxTransformer2DModel", "num_layers": 1, "num_single_layers": 1},
    scheduler={},
    index={},
    call={},
    vae_scale_factor=8,
)
# Our own with one block of each kind.
SMALL = TransformerParts(
    transformer=FLUX.transformer
    | dict(
        in_channels=16, attention_head_dim=64, num_attention_heads=2, joint_attention_dim=128,
        pooled_projection_dim=32, axes_dims_rope=(8, 28, 28),
    ),
    scheduler={"use_dynamic_shifting": False},
    index={},
    call={"max_sequence_length": 72},
    vae_scale_factor=4,
)  # fmt: skip


def test_our_own_model_at_twice_its_size():
    explanation = explain_positions(
        transformer_parts("shapeworld/joint-masked"), 256, 256, steps=25, config=CONFIG
    )
    assert (explanation.tokens, explanation.training_tokens, explanation.text_tokens) == (1024, 256, 72)
    assert (explanation.scales, explanation.active) == ((2.0, 2.0), 25)
    assert explanation.temperature == pytest.approx(1.0693, abs=1e-4)
    cost, trained = explanation.cost
    # 8 blocks of width 128: queries with keys, and weights with values.
    assert cost.attention * cost.multiply_adds == pytest.approx(8 * 2 * (1024 + 72) ** 2 * 128)
    assert trained.attention * trained.multiply_adds == pytest.approx(8 * 2 * (256 + 72) ** 2 * 128)
    lines = position_sentences(explanation)
    assert "scale: 2.00 on both axes" in lines
    assert "rule: interpolate, the same at every step; the text's positions stay" in lines
    assert "temperature: cos and sin of the image's positions times 1.069 (yarn)" in lines
    assert "sigmas: from 1.0000 to 0.0400 in 25 steps; the schedule does not follow the size" in lines
    assert any(line.startswith("tokens: 1024 of the image and up to 72 of the text") for line in lines)


def test_within_the_training_size_nothing_is_changed():
    explanation = explain_positions(SMALL, 136, 128, steps=4, config=CONFIG)
    assert (explanation.active, explanation.temperature) == (0, 1.0)
    assert (
        "training size: width 128, height 128; the size is at most a tenth beyond it, so no position is changed"
        in (position_sentences(explanation))
    )


def test_the_cap_keeps_the_last_step_from_being_noise():
    explanation = explain_positions(FLUX, 4096, 4096, steps=28, config=PositionConfig.preset("flux"))
    own, stock = explanation.sigmas
    assert (explanation.tokens, explanation.text_tokens) == (65536, 512)
    assert stock.shift == pytest.approx(11.55, abs=0.01)
    assert stock.last == pytest.approx(0.9997, abs=1e-4)
    assert own.last == pytest.approx(0.105, abs=0.001)  # e^1.15 / (e^1.15 + 27)
    line = next(line for line in position_sentences(explanation) if line.startswith("sigmas: "))
    assert line == (
        f"sigmas: from 1.0000 to {own.last:.4f} in 28 steps; without the cap on the shift (training), 11.55, from "
        f"1.0000 to {stock.last:.4f}"
    )


@pytest.mark.parametrize(
    ("preset", "kind", "changes", "last", "text"),
    [
        # Shift 3 of the scheduler's last, 0.003; 77 rows of CLIP beside T5's 256.
        ("sd3", "SD3Transformer2DModel", {"num_layers": 1, "pos_embed_max_size": 96}, 0.0089, 333),
        ("z-image", "ZImageTransformer2DModel", {"n_layers": 1, "n_refiner_layers": 1}, 0.105, 512),
    ],
)
def test_families_whose_calls_have_both_estimates(preset, kind, changes, last, text):
    """At 2048 px a table of 96 x 96 entries has ended."""
    parts = TransformerParts({"_class_name": kind} | changes, {}, {}, {}, 8)
    explanation = explain_positions(parts, 2048, 2048, steps=28, config=PositionConfig.preset(preset))
    assert explanation.sigmas[0].last == pytest.approx(last, abs=1e-3)
    assert (explanation.text_tokens, explanation.estimates, explanation.rows) == (text, 2, 2)
    (line,) = (line for line in position_sentences(explanation) if line.startswith("memory: "))
    assert "for one picture with guidance, both estimates in one call, beside" in line
    gibibytes = 2 * 4 * explanation.cost[0].peak_values / 2**30
    assert f"feature maps of {gibibytes:.3g} GiB in float32" in line


def test_attention_of_families_with_one_sequence_and_two_by_hand():
    """All tokens in a layer, and in Z-Image's refiners the picture's and the text's by themselves."""
    z_image = TransformerParts(
        {"_class_name": "ZImageTransformer2DModel", "n_layers": 1, "n_refiner_layers": 1}, {}, {}, {}, 8
    )
    sd3 = TransformerParts({"_class_name": "SD3Transformer2DModel", "num_layers": 1}, {}, {}, {}, 8)
    for parts, preset, pairs, width in (
        (z_image, "z-image", (4096 + 512) ** 2 + 4096**2 + 512**2, 3840),
        (sd3, "sd3", (4096 + 333) ** 2, 18 * 64),
    ):
        cost, _ = explain_positions(parts, 1024, 1024, steps=1, config=PositionConfig.preset(preset)).cost
        assert cost.attention * cost.multiply_adds == pytest.approx(2 * pairs * width)


@pytest.mark.slow
def test_steps_are_the_folders_and_else_the_pipelines():
    def steps(model):
        return explain_model(
            model, 1024, 1024, steps=None, config=PositionConfig.preset("shapeworld-joint")
        ).steps

    assert steps("shapeworld/joint-masked") == 15
    assert own_steps(SMALL) == own_steps(FLUX) == 28  # FluxPipeline's
    unknown = TransformerParts({"_class_name": "OtherTransformer"}, {}, {}, {}, 8)
    assert own_steps(unknown) == 50
    config = FouriScaleConfig.preset("shapeworld")
    assert explain_model("shapeworld/unet", 256, 256, steps=None, config=config).steps == 25


def test_each_axis_by_itself():
    config = CONFIG.replace(axes="each", temperature=1.2, dynamic=True)
    explanation = explain_positions(SMALL, 256, 384, steps=4, config=config)
    lines = position_sentences(explanation)
    assert "scale: 2.00 in height, 3.00 in width" in lines
    assert "rule: interpolate, following the noise, strongest at first; the text's positions stay" in lines
    assert "temperature: cos and sin of the image's positions times 1.200" in lines


@pytest.mark.parametrize(
    ("size", "steps", "sentence"),
    [
        (
            (1000, 1024),
            4,
            "width 1024, height 1000: both must be multiples of 16 for FluxPipeline, such as 1024x992",
        ),
        ((1024, 1024), 0, "steps=0: must be at least 1"),
        ((1001, 1024), 4, "1001"),
    ],
)
def test_what_cannot_be_explained(size, steps, sentence):
    with pytest.raises(ValueError, match=sentence):
        explain_positions(FLUX, *size, steps=steps, config=PositionConfig.preset("flux"))
