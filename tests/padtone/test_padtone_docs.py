"""What docs/padtone.md shows is run; its table is the code's."""

import re
from pathlib import Path

import padtone

PAGE = (Path(__file__).parents[2] / "docs" / "padtone.md").read_text()


def test_examples_run(tmp_path, monkeypatch, capsys):
    """In order, on the shipped model or, where there is none yet, on an untrained one; with fewer steps."""
    from shapeworld import models

    if not (models.WEIGHTS / "unet").is_dir():
        tokenizer = models.build_tokenizer()
        parts = models.build_vae(), models.build_text_encoder(tokenizer), models.build_unet(), tokenizer
        models.build_pipeline(*parts).save_pretrained(tmp_path / "unet")
        monkeypatch.setattr(models, "WEIGHTS", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("padtone.families._REGISTERED", {})
    names: dict = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 7
    for block in blocks:
        exec(block.replace('"num_inference_steps": 25', '"num_inference_steps": 2'), names)
    printed = capsys.readouterr().out.splitlines()
    promised = re.findall(r"^print\(.*\)  # (\(.*\))$", PAGE, re.MULTILINE)
    assert printed[: len(promised)] == promised
    assert len(promised) == 2
    pictures = ("padding", "donor", "idp", "masked", "trimmed", "replaced")
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
