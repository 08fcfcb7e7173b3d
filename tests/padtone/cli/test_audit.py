"""`padtone audit` as it is typed, on small untrained models in folders."""

import json
import shutil
from functools import partial

import diffusers
import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from padtone.audit.clip import Clip
from padtone.cli import main
from padtone.cli.commands import app
from padtone.families import ldm
from picturelab import extras
from picturelab.worlds import world
from tests.tiny import painters

SMALL = ("--steps", "1", "--size", "64x64", "--keep", "0,2", "--looks", "1", "--device", "cpu")


def run(*arguments):
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """The small random CLIP as a folder."""
    folder, small = tmp_path_factory.mktemp("clip"), painters.clip()
    for part in (small.model, small.tokenizer, small.processor):
        part.save_pretrained(folder)
    return folder


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_text("a red circle on a blue background\na large white square on a green background\n")
    return path


@pytest.mark.slow
def test_audit_of_a_folder(tiny_model, clip, prompts, tmp_path):
    out = tmp_path / "report"
    typed = ("audit", "--model", tiny_model, "--clip", clip, "--prompts", prompts, "--out", out, *SMALL)
    result = run(*typed)
    verdict, more, page = result.stdout.splitlines()
    assert verdict.startswith(
        f"{tiny_model}, 2 prompts, 2 seeds: inconclusive. There are 2 prompts; a verdict needs 6 or more. How many of "
    )
    assert verdict.endswith(" padding tokens can go is not known with 2 prompts.")
    assert more.startswith("2 prompts cannot decide or name how many padding tokens can go; ")
    assert page == str(out / "report.html")
    told = result.stderr.splitlines()
    assert [line.partition(" after ")[0] for line in told if line.startswith("looking")] == [
        "looking: 0 of 2",
        "looking: 1 of 2",
        "looking: 2 of 2",
    ]
    assert told[0] == (
        f"2 prompts, 2 seeds, 14 arms: 56 pictures of 64x64 (1 steps, guidance 7.5, float32), into {out}; no verdict "
        "can come of fewer than 6 prompts"
    )
    assert told[1].startswith("pictures: 0 of "), "lines, for nobody watches"
    report = json.loads((out / "report.json").read_text())
    assert report["settings"]["call"].items() >= {"width": 64, "height": 64, "num_inference_steps": 1}.items()
    assert [row["k"] for row in report["keep_k"]["curve"]] == [0, 2, None]
    assert report["droppable"] is None
    pictures = {path: path.stat().st_mtime_ns for path in (out / "images").rglob("*.png")}
    assert len(pictures) == 2 * 2 * (1 + 2 + 11)
    page = (out / "report.html").read_text()
    run(*typed)
    assert {path: path.stat().st_mtime_ns for path in (out / "images").rglob("*.png")} == pictures
    assert (out / "glance.png").is_file()
    assert json.loads((out / "report.json").read_text()) == report
    assert (out / "report.html").read_text() == page

    again = tmp_path / "again.png"
    run("remake", out / "images" / "ite-padding" / "p001-s1.png", "--out", again)
    with Image.open(out / "images" / "ite-padding" / "p001-s1.png") as first, Image.open(again) as second:
        assert first.tobytes() == second.tobytes()

    with pytest.raises(ValueError, match="begun with seeds 2 instead of 3"):
        run(*typed, "--seeds", 3)


@pytest.mark.slow
def test_all_shipped_models(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(world(), "models", lambda: ["unet", "unet-frozen"])
    typed = ("audit", "--model", "shapeworld/all", "--clip", clip, "--out", tmp_path, "--count", 2, *SMALL)
    result = run(*typed)
    told = [line for line in result.stdout.splitlines() if "inconclusive" in line]
    assert sorted(line.split(",")[0] for line in told) == ["shapeworld/unet", "shapeworld/unet-frozen"]
    full = [
        line for line in result.stdout.splitlines() if line.startswith("The full audit of this model, of 64 ")
    ]
    assert len(full) == 2
    report = json.loads((tmp_path / "unet" / "report.json").read_text())
    assert 0 <= report["arms"]["ite"]["full"]["all correct"]["mean"] <= 1
    assert report["settings"]["batch"] == 16
    index = (tmp_path / "index.html").read_text()
    assert 'href="unet/report.html"' in index
    assert 'href="unet-frozen/report.html"' in index
    assert "shapeworld&#39;s checker" in (tmp_path / "unet" / "report.html").read_text().replace("'", "&#39;")


@pytest.mark.parametrize(("typed", "steps"), [((), 10), (("--steps", 3), 3)])
def test_all_shipped_models_take_few_steps_unless_told(typed, steps, tmp_path, monkeypatch):
    found = {}

    def note(function, calls, workers, on_progress):
        found.update({name: options.steps for name, (_, _, _, options) in calls.items()})
        raise ChildProcessError("enough")

    monkeypatch.setattr("picturelab.runs.processes.side_by_side", note)
    call = ["audit", "--model", "shapeworld/all", "--out", str(tmp_path), *map(str, typed)]
    assert CliRunner().invoke(app, call).exit_code == 1
    assert found == dict.fromkeys(world().models(), steps)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ((), "name a model with --model"),
        (("--study", "sd4"), "study is 'sd4'"),
        (("--model", "shapeworld/unet", "--seeds", 1), "seeds is 1"),
        (("--model", "shapeworld/all", "--seeds", 1), "seeds is 1"),
        (("--model", "shapeworld/all", "--workers", 0), "workers=0: must be a whole number from 1"),
        (("--model", "shapeworld/unet", "--workers", 2), "workers is 2, and the model shapeworld/unet"),
        (("--model", "shapeworld/unet", "--size", "128"), "size (is )?'128'"),
        (("--model", "shapeworld/unet", "--keep", "2,x"), "keep is '2,x'"),
        (("--model", "shapeworld/unet", "--prompts", "none.txt"), "none.txt cannot be read"),
        (("--model", "shapeworld/unet", "--count", 1), "prompts, all different; got 1"),
    ],
)
def test_bad_input(typed, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        run("audit", *typed, "--out", tmp_path / "out")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (("--steps", 0), "whole number from 1 to 1000"),
        (("--guidance", -1), "number from 0 to 1000"),
        (("--guidance", "nan"), "number from 0 to 1000"),
        (("--seeds", 0), "whole number from 1 to 10000"),
        (("--count", 0), "whole number from 1 to 10000"),
        (("--count", -3), "whole number from 1 to 10000"),
        (("--count", 10**12), "whole number from 1 to 10000"),
        (("--batch", 0), "whole number from 1 to 1024"),
        (("--looks", 0), "whole number from 1 to"),
        (("--max-length", 0), "whole number from 1 to"),
        (("--size", "7x7"), "height=7"),
        (("--size", "999992x64"), "width=999992"),
        (("--keep", "999999999"), "whole number from 0 to"),
        (("--clip", "nowhere"), "there is no CLIP 'nowhere'"),
        (("--out", "mine.txt"), "mine.txt is a file"),
        (("--out", "mine.txt/below"), "cannot be written (Not a directory"),
        (("--out", "s3:/bucket/x"), "s3:/bucket/x is an address"),
        (("--negative", "a" * 10_001), "10,001 letters"),
        (("--study", "none.yaml"), "none.yaml cannot be read (No such file or directory)"),
        (("--prompts", "twice.txt"), "twice.txt, line 4 holds 'a cat' twice, first in line 1"),
        (("--prompts", "twice.yaml"), "stands there twice"),
    ],
)
def test_bad_input_leaves_no_folder(run_command, tmp_path, typed, words):
    """Before anything is loaded: the model is far too large for this test's time."""
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "twice.txt").write_text("\ufeffa cat\n\n# more\na cat\n")
    (tmp_path / "twice.yaml").write_text("one: [a cat]\none: [a dog]\n")
    before = set(tmp_path.rglob("*"))
    code, out, err = run_command(main, "audit", "--model", "shapeworld/unet", "--out", "report", *typed)
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1
    assert set(tmp_path.rglob("*")) == before


def test_missing_packages_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "torchmetrics" else name)
    with pytest.raises(ValueError, match=r"needs torchmetrics: .*pip install .*\[audit\]' brings it"):
        run("audit", "--model", "shapeworld/unet", "--out", tmp_path / "out")


def test_clip_must_be_a_clip(tmp_path):
    transformers.BertConfig().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="a model of type 'bert'"):
        Clip.load(str(tmp_path))


def test_a_clip_without_all_its_weights_is_refused(clip, tmp_path):
    """transformers would draw those that are missing at random."""
    shutil.copytree(clip, tmp_path / "clip")
    file = tmp_path / "clip" / "model.safetensors"
    weights = load_file(file)
    del weights["visual_projection.weight"]
    save_file(weights, file, {"format": "pt"})
    with pytest.raises(ValueError, match=r"lacks 1 of its weights, such as visual_projection\.weight"):
        Clip.load(str(tmp_path / "clip"))
    file.write_bytes(b"")
    with pytest.raises(ValueError, match="cannot be loaded"):
        Clip.load(str(tmp_path / "clip"))


def test_clip_from_a_folder_sees_the_same(clip):
    loaded, before = Clip.load(str(clip)), painters.clip()
    image = Image.radial_gradient("L").convert("RGB")
    same = partial(torch.testing.assert_close, rtol=1e-5, atol=1e-5)
    same(loaded.texts(["a red cat"]), before.texts(["a red cat"]))
    ours, theirs = loaded.pictures([image]), before.pictures([image])
    same(ours.embeds, theirs.embeds)
    # As transformers itself would put it together.
    pixels = loaded.processor(images=[image], return_tensors="pt")["pixel_values"]
    assert torch.allclose(ours.embeds, loaded.model.get_image_features(pixel_values=pixels).pooler_output)
    assert [layer.shape for layer in ours.patches] == [(1, 16, 32)] * 2


def test_long_prompts_are_cut_for_clip():
    assert painters.clip().texts(["a red cat " * 40]).isfinite().all()


def _ldm():
    from diffusers.pipelines.latent_diffusion.pipeline_latent_diffusion import LDMBertConfig, LDMBertModel

    from tests.tiny.cross_attention_pipelines import unet
    from tests.tiny.image_parts import vae
    from tests.tiny.text_encoders import bert_tokenizer

    with torch.random.fork_rng():
        torch.manual_seed(0)
        bert = LDMBertModel(
            LDMBertConfig(
                vocab_size=64,
                max_position_embeddings=77,
                encoder_layers=2,
                encoder_ffn_dim=32,
                encoder_attention_heads=2,
                head_dim=8,
                d_model=16,
            )
        ).eval()
        return diffusers.LDMTextToImagePipeline(
            vqvae=vae(levels=4),
            bert=bert,
            tokenizer=bert_tokenizer(512),
            unet=unet(16).eval(),
            scheduler=diffusers.DDIMScheduler(clip_sample=False),
        )


def test_ldm_in_stable_diffusions_pipeline():
    """The same picture as from its own pipeline; BERT's padding is known, its end token is [SEP]."""
    import padtone

    own = _ldm()
    own.set_progress_bar_config(disable=True)
    noise = lambda: torch.Generator().manual_seed(0)  # noqa: E731
    call = {"num_inference_steps": 3, "guidance_scale": 4.0, "height": 64, "width": 64, "output_type": "np"}
    expected = own(["a red cat"], generator=noise(), **call).images
    pipe = ldm.as_stable_diffusion(own)
    pipe.set_progress_bar_config(disable=True)
    found = pipe("a red cat", generator=noise(), **call).images
    assert abs(found - expected).max() < 1e-5
    (entry,) = padtone.token_roles(pipe, "a red cat")
    assert [entry.count(role) for role in ("bos", "prompt", "eos", "padding")] == [1, 3, 1, 72]


def test_ldm_is_recognised(tmp_path):
    (tmp_path / "model_index.json").write_text('{"_class_name": "LDMTextToImagePipeline"}')
    assert ldm.is_ldm(str(tmp_path))
    (tmp_path / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    assert not ldm.is_ldm(str(tmp_path))
    assert not ldm.is_ldm("owner/name")
