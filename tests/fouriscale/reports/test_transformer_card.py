"""Published shapes by their names; whether a transformer's run fits, how long it takes, and the code to paste."""

import dataclasses

import diffusers
import pytest
import torch

from fouriscale import PositionConfig
from fouriscale.loading.configs import TransformerParts, transformer_parts
from fouriscale.loading.parameters import Sizes
from fouriscale.reports.card import GIB, switches_for
from fouriscale.reports.explain_positions import explain_positions
from fouriscale.reports.published import PUBLISHED, as_published, published_sizes
from fouriscale.reports.transformer_card import card_sentences, seconds, transformer_parts_of


def billions(module):
    return sum(weight.numel() for weight in module.parameters()) / 1e9


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`FluxPosEmbed` is deprecated:FutureWarning")  # Chroma's
@pytest.mark.parametrize(
    ("name", "weights", "text"),
    [
        # As their makers round them: FLUX.1 12 billion, SD 3 medium 2, Z-Image 6, Qwen-Image 20, Chroma 8.9;
        # T5-XXL's encoder 4.76, CLIP .123 and .695, Qwen3 4.02, Qwen2.5-VL 8.29.
        ("flux", 11.90, 4.76 + 0.12),
        ("sd3", 2.03, 4.762 + 0.123 + 0.695),
        ("z-image", 6.15, 4.02),
        ("qwen-image", 20.43, 8.29),
        ("chroma", 8.90, 4.76),
    ],
)
def test_weights_of_published_models(name, weights, text):
    config = as_published(name, transformer_parts(name)).transformer
    with torch.device("meta"):
        transformer = getattr(diffusers, config["_class_name"]).from_config(config)
    sizes = published_sizes(name)
    assert billions(transformer) == pytest.approx(weights, abs=0.01)
    assert sizes.text / 1e9 == pytest.approx(text, abs=0.01)
    assert billions(sizes.vae) == pytest.approx(0.127 if name == "qwen-image" else 0.084, abs=0.001)


def test_models_whose_shapes_are_not_known():
    assert published_sizes("krea2") is None
    parts = transformer_parts("shapeworld/joint")
    assert as_published("shapeworld/joint", parts) is parts
    assert set(PUBLISHED) <= {"flux", "chroma", "sd3", "z-image", "qwen-image"}


def said(name, size, memory, parts=None, sizes=None, **changes):
    own = PositionConfig.preset(name)
    parts = parts or as_published(name, transformer_parts(name))
    explanation = explain_positions(parts, *size, steps=28, config=own.replace(**changes))
    lines = card_sentences(
        explanation,
        parts,
        sizes or published_sizes(name),
        prompt="a cat",
        model="owner/name",
        own=own,
        preset=None,
        dtype=torch.bfloat16,
        memory=memory * GIB,
        where="asked for",
        place="cuda",
    )
    compile("\n".join(lines[lines.index("code:") + 1 :]), "pasted", "exec")
    return explanation, lines


@pytest.mark.slow
def test_flux_at_4096():
    explanation, lines = said("flux", (4096, 4096), 24)
    assert explanation.rows == explanation.estimates == 1  # its guidance is distilled
    held = transformer_parts_of(explanation, published_sizes("flux"), torch.bfloat16)
    assert held.unet / GIB == pytest.approx(22.17, abs=0.01)
    assert held.decoding == 4 * 256 * 4096**2 * 2
    assert lines[0].startswith(
        "holds: transformer 22.2 GiB, text encoders 9.1 GiB, VAE 0.156 GiB; a step's maps "
    )
    assert lines[1].endswith("0.8 GiB of them set aside; with")
    assert [line.split(":")[0].strip() for line in lines[2:4]] == ["tiles", "sequential offload"]
    # 28 calls of 1.954e15 multiply-adds, at 184 ms for 3.719e13.
    assert seconds(explanation) == pytest.approx(28 * 1.954e15 * 0.184 / 3.719e13, rel=1e-3)
    assert any(
        line.startswith("time: about 271 s for 28 steps on an H100 80 GB in bfloat16; ") for line in lines
    )
    assert lines[-4:] == [
        "pipe.vae.enable_tiling()",
        "pipe.enable_sequential_cpu_offload()",
        "apply_fouriscale(pipe)",
        'image = pipe("a cat", height=4096, width=4096, num_inference_steps=28).images[0]',
    ]
    assert switches_for(held, 140 * GIB) == ()


# One layer of each kind, so that it is soon built.
SMALL = {
    "qwen-image": {"_class_name": "QwenImageTransformer2DModel", "num_layers": 1},
    "z-image": {"_class_name": "ZImageTransformer2DModel", "n_layers": 1, "n_refiner_layers": 1},
}


@pytest.mark.parametrize(
    ("name", "estimates", "rows", "code"),
    [
        # A call for each estimate, and none without a negative prompt.
        ("qwen-image", 2, 1, "num_inference_steps=28, negative_prompt=''"),
        ("z-image", 2, 2, "num_inference_steps=28"),
    ],
)
def test_guided_runs(name, estimates, rows, code):
    parts = TransformerParts(SMALL[name], {}, {}, {}, 8)
    explanation, lines = said(name, (2048, 2048), 24, parts, Sizes(10**9, None), rule="ntk")
    assert (explanation.estimates, explanation.rows) == (estimates, rows)
    held = transformer_parts_of(explanation, Sizes(10**9, None), torch.bfloat16)
    assert held.sampling == rows * 2 * explanation.cost[0].peak_values
    run = 28 * estimates * explanation.cost[0].multiply_adds * 0.184 / 3.719e13
    assert seconds(explanation) is None  # of so few weights nothing can be foretold
    assert seconds(dataclasses.replace(explanation, parameters=10**9)) == pytest.approx(run)
    assert "  of these, 0 GiB stand for parts whose configs are not at hand: they need more" in lines
    assert lines[-2:] == [
        "apply_fouriscale(pipe, rule='ntk')",
        f'image = pipe("a cat", height=2048, width=2048, {code}).images[0]',
    ]


def test_what_the_models_folder_names_stands_in_the_code():
    parts = TransformerParts(
        SMALL["qwen-image"], {}, {}, {"true_cfg_scale": 3.0, "negative_prompt": "blurred", "height": 128}, 8
    )
    _, lines = said("qwen-image", (2048, 2048), 24, parts, Sizes(10**9, None))
    assert lines[-1] == (
        "image = pipe(\"a cat\", true_cfg_scale=3.0, negative_prompt='blurred', height=2048, width=2048, "
        "num_inference_steps=28).images[0]"
    )
