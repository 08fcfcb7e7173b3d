"""Every fenced block of README, CONTRIBUTING and docs/ is run, parsed, or marked as output."""

import json
import re
from pathlib import Path

import pytest
import torch
from diffusers import ControlNetModel, StableDiffusionPipeline
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from PIL import Image

import padtone
import shapeworld
from benchmarks.pictures import PICTURES, SECTION, blocks, section
from fouriscale import FouriScaleConfig
from picturelab.batch.jobs import Job
from picturelab.batch.order import BatchOrder
from picturelab.batch.run import read_plan
from tests.docs.pages import PAGES, ROOT
from tests.docs.walk import PARSED_ONLY, walk
from tests.tiny import painters

# A dozen runs of a pipeline each.
SLOW = (
    "docs/audit.md",
    "docs/command-line.md",
    "docs/joint.md",
    "docs/padtone.md",
    "docs/pipelines.md",
    "docs/wrap.md",
)


@pytest.fixture(scope="module")
def adapters(tmp_path_factory):
    """A ControlNet and a LoRA for the shipped model."""
    folder = tmp_path_factory.mktemp("adapters")
    unet = shapeworld.load_pipeline().unet
    net = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(4, 4, 4))
    net.save_pretrained(folder / "controlnet")
    torch.manual_seed(0)
    unet.add_adapter(LoraConfig(r=2, target_modules=["to_q", "conv1"], init_lora_weights=False))
    weights = get_peft_model_state_dict(unet)
    StableDiffusionPipeline.save_lora_weights(folder, weights, weight_name="style.safetensors")
    return folder


@pytest.fixture
def files(adapters, tiny_model, tmp_path, monkeypatch):
    """What the examples read, in the current folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("controlnet", "style.safetensors"):
        Path(name).symlink_to(adapters / name)
    Path("path/to").mkdir(parents=True)
    for name in ("path/to/sd15", "FOLDER"):
        Path(name).symlink_to(tiny_model)
    Image.new("RGB", (128, 128), "navy").save("start.png")
    Path("docs/weekend").mkdir(parents=True)
    Path("docs/weekend/jobs.yaml").write_text(
        "prompts: [a large red circle on a blue background]\nconfigs: [none, shapeworld]\nsteps: 1\n"
        f"sizes: [192x128]\nseeds: [0]\nmodel: {tiny_model}\n"
    )
    monkeypatch.setattr("padtone.families.registry._REGISTERED", {})


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=[pytest.mark.slow] if page in SLOW else []) for page in PAGES]
)
def test_every_block(page, monkeypatch, capsys):
    done = walk(page)
    printed = capsys.readouterr().out.splitlines()
    CHECKS.get(page, lambda *_: None)(done, printed, monkeypatch)


def readme(done, _printed, _monkeypatch):
    assert done.images == [(384, 256), (128, 128)]
    assert done.attached == [False, False]
    assert len(done.commands) == 7


def settings(done, _printed, _monkeypatch):
    assert done.images == [(384, 256), (256, 256)]
    assert not any(done.attached)
    assert done.names["sizes"]["target_size"] == (1024, 1024)
    shown = FouriScaleConfig.load(Path("my.yaml"))
    assert shown == FouriScaleConfig.preset("sd15", stop=0.7, split_rows=True)
    deep = FouriScaleConfig.load(Path("deep.yaml"))
    assert (deep.deep, deep.grid_phases) == (True, ((0.5, 1.0), (0.8, 1.5)))


def pipelines(done, _printed, _monkeypatch):
    assert done.images == [(256, 256)] * 6
    assert done.attached == [True] * 6 + [False] * 4


def padtone_page(done, printed, _monkeypatch):
    text = (ROOT / "docs" / "padtone.md").read_text()
    promised = re.findall(r"^print\(.*\)  # (\(.*'.*\))$", text, re.MULTILINE)
    assert len(promised) == 2
    assert [line for line in printed if line in promised] == promised
    assert sorted(re.findall(r"\]\((\w+)\.png\)", section(text, SECTION))) == sorted(PICTURES)
    for name in PICTURES:  # docs/ holds what these very examples make
        shipped = ROOT / "docs" / f"{name}.png"
        with Image.open(f"{name}.png") as again, Image.open(shipped) as picture:
            assert again.size == picture.size
            assert len(again.getcolors(10**6)) > 50
        assert shipped.stat().st_size < 100_000
    for name in ("padding", "donor", "idp-padding", "tokens", "arms", "blocks", "again"):
        assert Path(f"{name}.png").stat().st_size > 1000
    assert padtone.known_families()["MyPipeline"].title == "my pipeline"


def audit(done, _printed, monkeypatch):
    monkeypatch.setattr("padtone.families.registry._REGISTERED", dict(painters.FAMILIES))
    monkeypatch.setattr("padtone.audit.clip.Clip.load", lambda name: painters.clip())
    assert done.names["audit"](painters.build("no register"), painters.PROMPTS, "tiny") == ("ignored", 16)
    assert Path("report/report.html").is_file()


def batch(done, _printed, _monkeypatch):
    text = (ROOT / "docs" / "batch.md").read_text()
    plan = read_plan(BatchOrder(jobs=ROOT / "docs" / "weekend" / "jobs.yaml", out="weekend"))
    assert plan.total == 128
    assert "8 prompts x 4 seeds x 2 sizes\nx with and without FouriScale: 128 pictures" in text
    jobs = [job for group in plan.groups for job in plan.jobs(group)]
    assert {job.preset for job in jobs} == {"none", "shapeworld"}
    assert len({job.id for job in jobs}) == 128
    assert done.plans == [32]
    assert "here of 2 x 4 x 2 x 2 = 32 jobs" in text
    assert len(done.commands) == 4
    states = [json.loads(line)["status"] for line in Path("weekend/manifest.jsonl").read_text().splitlines()]
    assert states == ["done", "done"]  # the second run had nothing left to make
    keys = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\|[^|]+\|", text, re.MULTILINE))))
    assert keys - {"key"} == set(Job.model_fields) | {"size"}


CHECKS = {
    "README.md": readme,
    "docs/settings.md": settings,
    "docs/pipelines.md": pipelines,
    "docs/padtone.md": padtone_page,
    "docs/audit.md": audit,
    "docs/batch.md": batch,
}


def test_no_fence_is_overlooked():
    for page in PAGES:
        text = (ROOT / page).read_text()
        fences = [line for line in text.splitlines() if line.lstrip().startswith(("```", "~~~"))]
        assert len(fences) == 2 * len(blocks(text)), page


@pytest.mark.parametrize("pattern", PARSED_ONLY)
def test_what_is_only_parsed_is_there(pattern):
    lines = [
        line
        for page in PAGES
        for block in blocks((ROOT / page).read_text())
        for line in block.text.splitlines()
    ]
    assert any(re.search(pattern, line) for line in lines), f"no page has a command line like {pattern}"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("```\nmake demo\n```\n", "nobody knows what ''"),
        ("```sh\nrm -rf /tmp/nothing\n```\n", "nobody checks rm"),
        ("```sh\nmake nothing\n```\n", "the Makefile has no"),
        ("```sh\npip install '.[nothing]'\n```\n", "nothing"),
        ("```sh\nfouriscale remake nothing.png --out again.png\n```\n", "exit code 2"),
    ],
)
def test_a_block_that_nobody_accounts_for_fails(text, sentence, tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AssertionError, match=re.escape(sentence)):
        walk(str(page))
