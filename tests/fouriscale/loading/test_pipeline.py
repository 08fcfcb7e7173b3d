import json
import shutil
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file, save_file

from fouriscale.loading import pipeline as loading
from fouriscale.loading import single_file
from fouriscale.recognise import recognise_preset
from picturelab import models
from tests.tiny import checkpoints

INPUT = "model.diffusion_model.input_blocks.0.0.weight"


@pytest.fixture(scope="module")
def shapes():
    return {family: checkpoints.checkpoint(family) for family in ("sd15", "sd21", "sdxl")}


def test_checkpoints_are_true_to_the_published_sizes():
    def parameters(named):
        return sum(torch.Size(shape).numel() for _, shape in named)

    assert [parameters(checkpoints.unet(f)) for f in ("sd15", "sd21", "sdxl")] == [
        859_520_964,
        865_910_724,
        2_567_463_684,
    ]
    assert parameters(checkpoints.vae()) == 83_653_863
    assert parameters(checkpoints.clip()) == 123_060_480


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "file", "preset", "prediction"),
    [
        ("sd15", "model.safetensors", "sd15", "epsilon"),
        ("sd21", "v2-1_768-ema.safetensors", "sd21-768", "v_prediction"),
        ("sdxl", "model.safetensors", "sdxl", "epsilon"),
    ],
)
def test_a_single_file_loads_without_network(tmp_path, shapes, family, file, preset, prediction):
    checkpoints.write(tmp_path / file, shapes[family])
    pipe = loading.load_pipeline(str(tmp_path / file), device="cpu", dtype="float16")
    assert recognise_preset(pipe.unet) == preset
    assert pipe.unet.dtype == torch.float16
    assert pipe.scheduler.config.prediction_type == prediction
    assert models.origin(pipe).model == str(tmp_path / file)
    assert pipe.text_encoder.config.hidden_size in (pipe.unet.config.cross_attention_dim, 768)
    if family == "sd15":  # the others take long on a CPU
        encoded = pipe.encode_prompt("a cat", "cpu", 1, do_classifier_free_guidance=False)
        assert encoded[0].shape == (1, 77, 768)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("first_stage_model.decoder.conv_out.bias", "tensors of its UNet or VAE are missing"),
        (
            "cond_stage_model.transformer.text_model.encoder.layers.3.mlp.fc1.bias",
            "1 tensors are missing, such as text_encoder",
        ),
    ],
)
def test_an_incomplete_file_is_refused(tmp_path, shapes, key, sentence):
    checkpoints.write(tmp_path / "a.safetensors", {k: v for k, v in shapes["sd15"].items() if k != key})
    with pytest.raises(ValueError, match=rf"a\.safetensors is incomplete: {sentence}"):
        loading.load_pipeline(str(tmp_path / "a.safetensors"), device="cpu", dtype="float16")


@pytest.mark.parametrize(
    ("file", "preset", "family"),
    [
        ("v2-1_512.safetensors", None, "sd21"),
        ("v2-1_768.safetensors", None, "sd21-768"),
        ("a.safetensors", "sd21", "sd21"),
    ],
)
def test_stable_diffusion_2_by_name_or_preset(tmp_path, shapes, file, preset, family):
    checkpoints.write(tmp_path / file, shapes["sd21"])
    assert single_file.recognise(tmp_path / file, preset) == family


def test_checkpoints_that_are_refused(tmp_path, shapes):
    sd15, sdxl = shapes["sd15"], shapes["sdxl"]
    cases = {
        "inpainting": (sd15 | {INPUT: (320, 9, 3, 3)}, "no full Stable Diffusion"),
        "unet_only": ({k: v for k, v in sd15.items() if "diffusion_model" in k}, "no full Stable Diffusion"),
        "lora": ({"lora_unet_mid_block.lora_up.weight": (4, 4)}, "a LoRA, no full Stable Diffusion"),
        "flux": ({"double_blocks.0.img_attn.qkv.weight": (4, 4)}, "a FLUX model, no full Stable Diffusion"),
        "vae": ({"decoder.conv_in.weight": (4, 4)}, "a VAE, no full Stable Diffusion"),
        "net": ({"controlnet_down_blocks.0.weight": (4, 4)}, "a ControlNet, no full Stable Diffusion"),
        "playground": (sdxl | {"edm_mean": (1, 4, 1, 1)}, "Playground"),
        "vpred": (sdxl | {"v_pred": ()}, "v-prediction"),
        "sd2": (shapes["sd21"], "sd21-768"),
    }
    for name, (content, sentence) in cases.items():
        checkpoints.write(tmp_path / f"{name}.safetensors", content)
        with pytest.raises(ValueError, match=f"{name}.safetensors is .*{sentence}"):
            single_file.recognise(tmp_path / f"{name}.safetensors")
    (tmp_path / "damaged.safetensors").write_bytes(b"not a header")
    with pytest.raises(ValueError, match=r"damaged.safetensors is not a readable safetensors file"):
        single_file.recognise(tmp_path / "damaged.safetensors")


def test_clips_tokenizer():
    ids = {
        name: made("a photo of a cat", padding="max_length").input_ids for name, made in tokenizers("sdxl")
    }
    cat = [49406, 320, 1125, 539, 320, 2368, 49407]
    assert ids == {"tokenizer": cat + [49407] * 70, "tokenizer_2": cat + [0] * 70}
    assert [made("a", padding="max_length").input_ids[-1] for _, made in tokenizers("sd21")] == [0]


def tokenizers(family):
    return single_file.tokenizers(family).items()


def test_a_folder_loads_in_the_dtype_asked_for(tiny_model):
    pipe = loading.load_pipeline(str(tiny_model), device="cpu", dtype="bfloat16")
    assert isinstance(pipe, StableDiffusionPipeline)
    assert pipe.unet.dtype == pipe.vae.dtype == torch.bfloat16
    assert models.origin(pipe) == models.ModelOrigin(str(tiny_model), models.fingerprint(tiny_model))


def test_a_folder_with_half_precision_files_only(tiny_model, tmp_path):
    pipe = StableDiffusionPipeline.from_pretrained(tiny_model, dtype=torch.float16)
    pipe.save_pretrained(tmp_path / "half", variant="fp16")
    assert loading.load_pipeline(str(tmp_path / "half"), device="cpu").unet.dtype == torch.float32


def weights_of(part):
    (file,) = part.glob("*.safetensors")
    return file


HALVES = {  # weights of each part under other names than plain ones
    "one part": {"unet": [".fp16.safetensors"]},
    "the text encoder": {"text_encoder": [".fp16.safetensors"]},
    "one part, another in both": {
        "unet": [".fp16.safetensors"],
        "vae": [".fp16.safetensors", ".safetensors"],
    },
    "all parts": {part: [".fp16.safetensors"] for part in ("unet", "vae", "text_encoder")},
    "both everywhere": {
        part: [".fp16.safetensors", ".safetensors"] for part in ("unet", "vae", "text_encoder")
    },
    "bf16": {"unet": [".bf16.safetensors"]},
    "two variants": {"unet": [".fp16.safetensors", ".non_ema.safetensors"]},
}


@pytest.mark.parametrize("name", HALVES)
def test_variants_of_some_parts(tiny_model, tmp_path, name):
    folder = shutil.copytree(tiny_model, tmp_path / "größe=2@v1 halb")
    for part, names in HALVES[name].items():
        content = tmp_path / "content"
        weights_of(folder / part).rename(content)
        plain = "model" if part == "text_encoder" else "diffusion_pytorch_model"
        for end in names:
            shutil.copy(content, folder / part / f"{plain}{end}")
    pipe = loading.load_pipeline(str(folder), device="cpu")
    for part in HALVES[name]:
        loaded = getattr(pipe, part).state_dict()
        for key, weight in load_file(weights_of(tiny_model / part)).items():
            assert torch.equal(loaded.get(key, loaded.get(key.removeprefix("text_model."))), weight), key


def test_pieces_with_an_index(tiny_model, tmp_path):
    pipe = StableDiffusionPipeline.from_pretrained(tiny_model)
    pipe.save_pretrained(tmp_path / "pieces", max_shard_size="200KB", variant="fp16")
    assert len(list((tmp_path / "pieces" / "unet").glob("*.safetensors"))) > 1
    (tmp_path / "link").symlink_to(tmp_path / "pieces")
    loaded = loading.load_pipeline(str(tmp_path / "link"), device="cpu")
    assert torch.equal(loaded.unet.conv_in.weight, pipe.unet.conv_in.weight)
    next((tmp_path / "pieces" / "unet").glob("*-00002-of-*.safetensors")).unlink()
    with pytest.raises(ValueError, match=r"link' cannot be loaded \(.+\)$") as caught:
        loading.load_pipeline(str(tmp_path / "link"), device="cpu")
    assert "\n" not in str(caught.value)


def test_two_parts_in_different_variants_only(tiny_model, tmp_path):
    folder = shutil.copytree(tiny_model, tmp_path / "mixed")
    for part, variant in (("unet", "fp16"), ("vae", "bf16")):
        file = weights_of(folder / part)
        file.rename(file.with_suffix(f".{variant}.safetensors"))
    with pytest.raises(
        ValueError, match=r"mixed': there are weights for unet/ in fp16 only and vae/ in bf16 only"
    ):
        loading.load_pipeline(str(folder), device="cpu")


def cut(folder):
    file = weights_of(folder / "unet")
    file.write_bytes(file.read_bytes()[:1000])


def of_another_size(folder):
    config = folder / "unet" / "config.json"
    config.write_text(config.read_text().replace('"in_channels": 4', '"in_channels": 9'))


BROKEN = {
    "cut": cut,
    "of another size": of_another_size,
    "without weights": lambda folder: weights_of(folder / "unet").unlink(),
    "without a part": lambda folder: shutil.rmtree(folder / "vae"),
    "without a config": lambda folder: (folder / "unet" / "config.json").unlink(),
    "with a broken config": lambda folder: (folder / "vae" / "config.json").write_text("{"),
    "of a class that is none": lambda folder: (folder / "model_index.json").write_text(
        '{"_class_name": "NoSuchPipeline", "unet": ["diffusers", "UNet2DConditionModel"]}'
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_folder_that_cannot_be_loaded_is_one_sentence(tiny_model, tmp_path, name):
    folder = shutil.copytree(tiny_model, tmp_path / "broken")
    BROKEN[name](folder)
    with pytest.raises(ValueError, match=r"broken' cannot be loaded \(.+\)$") as caught:
        loading.load_pipeline(str(folder), device="cpu")
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_tensor(tiny_model, tmp_path):
    folder = shutil.copytree(tiny_model, tmp_path / "broken")
    file = weights_of(folder / "unet")
    save_file({k: v for k, v in load_file(file).items() if k != "conv_in.bias"}, file)
    with pytest.raises(
        ValueError, match=r"broken' is incomplete: 1 tensors are missing, such as unet.conv_in.bias$"
    ):
        loading.load_pipeline(str(folder), device="cpu")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "has a model_index.json that cannot be read"),
        ("[1]", r"has a model_index.json that cannot be read \(it is no JSON object\)"),
        ("[" * 100_000, r"has a model_index.json that cannot be read \(it is nested too deeply\)"),
        ('{"unet": 1}', "is a model of unknown class without a UNet2DConditionModel"),
        ('{"_class_name": "StableDiffusion3Pipeline"}', "is a StableDiffusion3Pipeline without a UNet2DCond"),
    ],
)
def test_an_index_that_is_none(tmp_path, content, sentence):
    (tmp_path / "model_index.json").write_text(content)
    with pytest.raises(ValueError, match=sentence) as caught:
        loading.locate(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_folder_of_something_else_is_named(tmp_path):
    (tmp_path / "config.json").write_text('{"_class_name": "ControlNetModel"}')
    with pytest.raises(
        ValueError, match=r"no model_index\.json, and its config\.json is that of a ControlNetModel$"
    ):
        loading.locate(str(tmp_path))


@pytest.mark.parametrize("name", ["a" * 5000, "a\0b", "\ud800"])
def test_a_name_that_no_file_can_have(name):
    with pytest.raises(ValueError, match="there is no model"):
        loading.locate(name)


def test_a_hub_id_loads_from_the_cache_and_keeps_its_commit(tiny_model):
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = Path(huggingface_hub.constants.HF_HUB_CACHE) / "models--someone--tiny"
    shutil.copytree(tiny_model, repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    pipe = loading.load_pipeline("someone/tiny", device="cpu")
    assert models.origin(pipe) == models.ModelOrigin("someone/tiny", commit)


def test_fingerprints_tell_trainings_apart(tiny_model, tmp_path):
    shutil.copytree(tiny_model, tmp_path / "copy")
    assert models.fingerprint(tmp_path / "copy") == models.fingerprint(tiny_model)
    weights = tmp_path / "copy" / "unet" / "diffusion_pytorch_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert models.fingerprint(tmp_path / "copy") != models.fingerprint(tiny_model)


def test_a_pipeline_loaded_elsewhere_has_its_own_name(tiny_model):
    pipe = StableDiffusionPipeline.from_pretrained(tiny_model)
    assert models.origin(pipe) == models.ModelOrigin(str(tiny_model), None)


def test_models_that_are_refused(tmp_path, tiny_model):
    (tmp_path / "empty").mkdir()
    (tmp_path / "flux").mkdir()
    (tmp_path / "flux" / "model_index.json").write_text(json.dumps({"_class_name": "FluxPipeline"}))
    (tmp_path / "old.ckpt").write_bytes(b"pickle")
    pickled = shutil.copytree(tiny_model, tmp_path / "pickled")
    (pickled / "unet" / "diffusion_pytorch_model.safetensors").rename(
        pickled / "unet" / "diffusion_pytorch_model.bin"
    )
    cases = {
        "empty": "holds no model_index.json",
        "flux": "is a FluxPipeline without a UNet2DConditionModel, and without a transformer whose positions",
        "old.ckpt": "pickled weights can run code",
        "pickled": "no safetensors weights in unet/",
        "missing.safetensors": "there is no model",
    }
    for name, sentence in cases.items():
        with pytest.raises(ValueError, match=sentence) as caught:
            loading.load_pipeline(str(tmp_path / name), device="cpu")
        assert name in str(caught.value)
    for name, sentence in {
        "nobody/nothing": "cannot be had from the hub",
        "shapeworld/nothing": "there is no model",
        "nonsense": "there is no model",
    }.items():
        with pytest.raises(ValueError, match=sentence):
            loading.load_pipeline(name, device="cpu")


def test_devices_and_dtypes():
    cpu = torch.device("cpu")
    assert models.choose_device("cpu") == cpu
    assert models.choose_dtype(None, cpu) == torch.float32
    assert models.choose_dtype(None, torch.device("cuda")) == torch.float16
    for name in ("toaster", "cuda:99", "meta"):
        with pytest.raises(ValueError, match=f"there is no device '{name}' here; there is .*cpu"):
            models.choose_device(name)
    with pytest.raises(ValueError, match="unknown dtype 'int8'; dtypes are float32, float16, bfloat16"):
        models.choose_dtype("int8", cpu)
