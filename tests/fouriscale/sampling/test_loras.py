"""LoRA files as people find them: used right, or one sentence that says what the file is."""

import warnings

import pytest
import torch
from peft.tuners.tuners_utils import BaseTunerLayer

from fouriscale.sampling import loras
from picturelab.notation import Weighted
from picturelab.remarks import Remark
from tests.tiny import lora_files, unet_pipelines


@pytest.fixture(scope="module")
def pipe():
    return unet_pipelines.pipeline("SD", unet=unet_pipelines.unet("SD"))


@pytest.fixture
def file(tmp_path):
    """Writes tensors into a file with a name that people give; gives it with a scale."""

    def write(entries, name="mein Stil=2@v1 (größer).safetensors"):
        return Weighted(str(lora_files.write(tmp_path / name, entries)), 0.5)

    return write


def state(pipe):
    """All that attaching could leave behind."""
    parts = (pipe.unet, pipe.text_encoder)
    return (
        [list(part.state_dict()) for part in parts],
        [hasattr(part, "peft_config") for part in parts],
        [sum(isinstance(m, BaseTunerLayer) for m in part.modules()) for part in parts],
    )


def layers(pipe):
    return state(pipe)[2]


def test_a_lora_is_attached_and_comes_off(pipe, file):
    before = state(pipe)
    lora = file(lora_files.of_unet(pipe) | lora_files.of_text_encoder(32))
    loras.check(lora)
    with loras.with_loras(pipe, [lora, file(lora_files.of_unet(pipe), "b.safetensors")]):
        assert layers(pipe) == [1, 4]
        (layer,) = (m for m in pipe.unet.modules() if isinstance(m, BaseTunerLayer))
        assert layer.scaling == {"lora0": 0.5, "lora1": 0.5}
    assert state(pipe) == before


def test_a_lora_of_the_text_encoder_alone(pipe, file):
    before = state(pipe)
    lora = file(lora_files.of_text_encoder(32))
    loras.check(lora)
    with loras.with_loras(pipe, [lora]):
        assert layers(pipe) == [0, 4]
    assert state(pipe) == before


def test_pefts_dora_is_used_with_its_magnitudes(pipe, file):
    name, inputs, outputs = lora_files.unet_layer(pipe)
    lora = file(
        {
            f"unet.{name}.lora_A.weight": torch.zeros(2, inputs),
            f"unet.{name}.lora_B.weight": torch.zeros(outputs, 2),
            f"unet.{name}.lora_magnitude_vector": torch.full((outputs,), 3.0),
        }
    )
    loras.check(lora)
    text = torch.ones(1, 1, inputs)
    plain = pipe.unet.get_submodule(name)(text)
    with loras.with_loras(pipe, [lora]):
        layer = pipe.unet.get_submodule(name)
        norms = layer.base_layer.weight.norm(dim=1)
        assert torch.allclose(layer(text), plain * 3 / norms, atol=1e-5)


def misfits(pipe):
    name, inputs, outputs = lora_files.unet_layer(pipe)
    layer = "lora_unet_" + name.replace(".", "_")
    good = lora_files.of_unet(pipe)
    return {
        "wider text": (
            lora_files.kohya(layer, 2048, 640),
            rf"is a LoRA of another model: its {name}\.lora_A has the shape \[2, 2048\], this model's \[2, {inputs}\]$",
        ),
        "more channels": (
            lora_files.kohya(layer, inputs, 7),
            rf"is .* its {name}\.lora_B has the shape \[7, 2\], .*\[{outputs}, 2\]$",
        ),
        "another text encoder": (
            good | lora_files.of_text_encoder(768),
            "is a LoRA of another model: its layers of a text encoder have other sizes than this model's$",
        ),
        "no layer": (
            lora_files.kohya(layer.replace("blocks_0", "blocks_9"), inputs, outputs),
            r"cannot be loaded as a LoRA of this model \(Target modules .* not found in the base model",
        ),
        "the second text encoder": (
            lora_files.kohya(lora_files.TEXT.replace("te_", "te2_") + "q_proj", 32, 32),
            "is a LoRA of another model: none of its layers is in this one$",
        ),
        "no prefix": (
            {
                f"{name}.lora_A.weight": torch.zeros(2, inputs),
                f"{name}.lora_B.weight": torch.zeros(outputs, 2),
            },
            "is a LoRA of another model: none of its layers is in this one$",
        ),
        "half a layer": (
            {key: value for key, value in good.items() if "up" not in key},
            r"cannot be loaded as a LoRA of this model \('.*lora_up.weight' is missing\)$",
        ),
    }


MISFITS = (
    "wider text", "more channels", "another text encoder", "no layer", "the second text encoder", "no prefix",
    "half a layer",
)  # fmt: skip


@pytest.mark.parametrize("name", MISFITS)
def test_what_does_not_fit_is_one_sentence_and_leaves_nothing(pipe, file, capfd, name):
    before = state(pipe)
    entries, sentence = misfits(pipe)[name]
    lora = file(entries, "a.safetensors")
    loras.check(lora)  # it is a LoRA
    good = file(lora_files.of_unet(pipe), "good.safetensors")
    with (
        pytest.raises(ValueError, match=rf"a\.safetensors {sentence}") as caught,
        loras.with_loras(pipe, [good, lora]),
    ):
        raise AssertionError("it was attached")
    assert "\n" not in str(caught.value)
    assert state(pipe) == before
    assert "unsuccessful" not in capfd.readouterr().err  # diffusers would tell it again


def test_what_only_some_layers_fit_is_told(pipe, file):
    name, inputs, outputs = lora_files.unet_layer(pipe)
    other = "lora_unet_" + name.replace(".", "_").replace("blocks_0", "blocks_9")
    lora = file(lora_files.of_unet(pipe) | lora_files.kohya(other, inputs, outputs), "a.safetensors")
    with (
        pytest.warns(Remark, match=r"a\.safetensors: 1 of its 2 layers are not in this model and left out$"),
        loras.with_loras(pipe, [lora]),
    ):
        assert layers(pipe) == [1, 0]


def test_an_error_of_the_caller_takes_them_off_too(pipe, file):
    before = state(pipe)
    with pytest.raises(KeyboardInterrupt), loras.with_loras(pipe, [file(lora_files.of_unet(pipe))]):
        raise KeyboardInterrupt
    assert state(pipe) == before


def test_no_lora_is_no_change(pipe):
    with warnings.catch_warnings(), loras.with_loras(pipe, []):
        assert layers(pipe) == [0, 0]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("lora_unet_mid_block_attentions_0_proj_in.hada_w1_a", "a LoHa"),
        ("lora_unet_mid_block_attentions_0_proj_in.dora_scale", "a DoRA in kohya's layout"),
        (
            "transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight",
            "a LoRA of a diffusion transformer",
        ),
        ("decoder.conv_in.weight", "a VAE"),
        ("emb_params", "a textual inversion embedding"),
    ],
)
def test_what_is_no_lora_of_this_kind_is_named(file, name, kind):
    with pytest.raises(
        ValueError, match=rf"a\.safetensors is {kind}.*: a LoRA of Stable Diffusion 1, 2 or XL is"
    ):
        loras.check(file({name: torch.zeros(2, 2)}, "a.safetensors"))


def test_scales_have_bounds(file):
    lora = file({"lora_unet_mid_block_attentions_0_proj_in.lora_down.weight": torch.zeros(2, 2)})
    with pytest.raises(ValueError, match=r"^scale=1e\+30: must be a number from -100 to 100$"):
        loras.check(Weighted(lora.name, 1e30))


@pytest.mark.parametrize(
    "name", ["s" * 5000 + ".safetensors", "a\0b.safetensors", "none.safetensors", "style.bin"]
)
def test_a_file_that_is_not_there(name):
    with pytest.raises(
        ValueError, match=r"must be a \.safetensors file that exists; pickled weights can run code$"
    ):
        loras.check(Weighted(name))


@pytest.mark.parametrize("name", ["style.safetensors@much", "style.safetensors@0,5"])
def test_a_scale_that_is_none(name):
    with pytest.raises(
        ValueError, match=f"lora '{name}' is not understood: there is no such file, and '.*' is no"
    ):
        loras.check(Weighted(name))
