"""What README's section on padding tokens and docs/padtone.md show is run; the page's table is the code's."""

import re
from pathlib import Path

from PIL import Image

import padtone
from benchmarks.pictures import PICTURES, SECTION, run_examples, section

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "padtone.md").read_text()
README = (ROOT / "README.md").read_text()


def shortened(model):
    """The same examples with fewer steps, and a small model in place of a folder that only readers have."""

    def shorten(example: str) -> str:
        example = re.sub(r'num_inference_steps("?[:=] ?)25', r"num_inference_steps\g<1>2", example)
        if re.match(r"padtone (ite|idp)", example):
            example += " --steps 2"
        return example.replace("--model FOLDER", f"--model {model}").replace("--layers 0-18", "--layers 0-6")

    return shorten


def test_readme(tiny_model, tmp_path, monkeypatch, capsys):
    """Every block and command of the section, on the shipped model, and every picture that it shows."""
    monkeypatch.chdir(tmp_path)
    text = section(README, SECTION)
    assert run_examples(text, shortened(tiny_model)) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{name}.png" for name in PICTURES)
    shown = re.findall(r"\]\(docs/(\w+)\.png\)", text)
    assert sorted(shown) == sorted(PICTURES)
    for name in shown:
        with Image.open(tmp_path / f"{name}.png") as made, Image.open(ROOT / "docs" / f"{name}.png") as kept:
            assert made.size == kept.size  # docs/ holds what these very examples make
            assert len(made.getcolors(10**6)) > 50
        assert (ROOT / "docs" / f"{name}.png").stat().st_size < 100_000


def test_page(tiny_model, tmp_path, monkeypatch, capsys):
    """In order, on the shipped model, with fewer steps."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("padtone.families.registry._REGISTERED", {})
    assert run_examples(PAGE, shortened(tiny_model)) == 7 + 4
    printed = capsys.readouterr().out.splitlines()
    promised = re.findall(r"^print\(.*\)  # (\(.*\))$", PAGE, re.MULTILINE)
    assert printed[: len(promised)] == promised
    assert len(promised) == 2
    pictures = ("padding", "donor", "idp", "masked", "trimmed", "replaced", "ite", "again")
    assert all((tmp_path / f"{name}.png").stat().st_size > 1000 for name in pictures)
    assert padtone.known_families()["MyPipeline"].title == "my pipeline"


def test_table_is_the_codes():
    for name, family in padtone.known_families().items():
        (row,) = re.findall(rf"^\| `{name}` \|.*$", PAGE, re.MULTILINE)
        _, _, encoders, masks, attention, note, _ = (
            cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", row)
        )
        assert note == family.note
        assert masks == ("yes" if family.denoiser_masks else "no")
        assert attention == ("cross-attention" if not family.joint else f"joint, {family.attention}")
        for cell, encoder in zip(encoders.split("; "), family.encoders, strict=True):
            length = encoder.length or "as long as the prompt"
            mask = "masked" if encoder.masked else "no mask"
            pooled = ", pooled only" if encoder.feeds == "pooled" else ""
            assert cell == f"`{encoder.name}`: {length}, `{encoder.pad}`, {mask}{pooled}"
